//! `"50/s"` or `{ rate = "50/s", burst = 200 }`.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

use super::error::ValueError;
use super::number::Number;
use super::size::{Size, written as written_size};
use super::text::{As, Text};

/// So many in a span of time, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many the span allows; at least 1.
    pub count: u64,
    /// The span: a second, a minute or an hour.
    pub per: Duration,
    /// How many at once after a quiet time; at least 1, and [`Rate::count`] unless set.
    pub burst: u64,
}

/// What a rate counts.
pub(in crate::config) trait Unit: Text<Value = Rate> {
    /// How a burst is written; of serde's `with` and of the schema.
    type Burst: Burst;
}

/// A way to write a burst.
pub(in crate::config) trait Burst {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error>;
    fn write(burst: u64) -> impl Serialize;
}

/// A rate of messages or handshakes, without a burst: `"50/s"`.
pub(in crate::config) struct Counts;

/// A rate of bytes, without a burst: `"1MiB/s"`.
pub(in crate::config) struct Bytes;

/// Serde's `with` for an `Option<Rate>`: a string, a table with a burst, or `"off"` for `None`.
pub(in crate::config) struct Rates<U>(PhantomData<U>);

/// A rate with a burst of its own.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "server",
    derive(schemars::JsonSchema),
    schemars(bound = "U: Unit, U::Burst: schemars::JsonSchema")
)]
#[serde(deny_unknown_fields, bound = "")]
struct RateTable<U: Unit> {
    /// How many in a second, a minute or an hour, as in a rate without a table.
    #[serde(with = "As::<U>")]
    rate: Rate,
    /// How many at once after a quiet time; the number in `rate` unless set.
    #[serde(default, deserialize_with = "burst::<_, U>")]
    #[cfg_attr(feature = "server", schemars(with = "U::Burst"))]
    burst: Option<u64>,
    #[serde(skip)]
    unit: PhantomData<U>,
}

type AtLeastOne = Number<1, { u32::MAX as u64 }>;

impl Burst for AtLeastOne {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        Self::deserialize(deserializer)
    }

    fn write(burst: u64) -> impl Serialize {
        burst
    }
}

impl Burst for As<Size> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        Self::deserialize(deserializer)
    }

    fn write(burst: u64) -> impl Serialize {
        Size::print(&burst)
    }
}

impl Unit for Counts {
    type Burst = AtLeastOne;
}

impl Unit for Bytes {
    type Burst = As<Size>;
}

impl Text for Counts {
    type Value = Rate;
    const FORM: &'static str = "a rate such as \"50/s\"";
    const PATTERN: Option<&'static str> = Some(r"^[0-9]+/[smh]$");

    fn parse(text: &str) -> Result<Rate, ValueError> {
        let wrong = || {
            ValueError::new(format!("`{text}` is not a rate"))
                .help("a rate is a whole number and one of /s, /m, /h: \"50/s\"; \"off\" is none")
        };
        let (count, per) = split_span(text).ok_or_else(wrong)?;
        let all_digits = count.bytes().all(|byte| byte.is_ascii_digit());
        let count = (count.parse::<u32>().ok()).filter(|_| all_digits);
        rate(count.ok_or_else(wrong)?.into(), per)
    }

    fn print(rate: &Rate) -> String {
        format!("{}{}", rate.count, span_of(rate.per))
    }
}

impl Text for Bytes {
    type Value = Rate;
    const FORM: &'static str = "a byte rate such as \"1MiB/s\"";
    const PATTERN: Option<&'static str> = Some(r"^[0-9]+([KMG]i?)?B/[smh]$");

    fn parse(text: &str) -> Result<Rate, ValueError> {
        let wrong = || {
            ValueError::new(format!("`{text}` is not a byte rate"))
                .help("a byte rate is a size and one of /s, /m, /h: \"1MiB/s\"; \"off\" is none")
        };
        let (size, per) = split_span(text).ok_or_else(wrong)?;
        let bytes = Size::parse(size).map_err(|_| wrong())?;
        rate(bytes, per)
    }

    fn print(rate: &Rate) -> String {
        format!("{}{}", written_size(rate.count), span_of(rate.per))
    }
}

/// The word for a rate without a limit.
const OFF: &str = "off";

impl<U: Unit> Rates<U> {
    pub(in crate::config) fn deserialize<'de, D>(deserializer: D) -> Result<Option<Rate>, D::Error>
    where
        D: Deserializer<'de>,
    {
        deserializer.deserialize_any(Visitor(PhantomData::<U>))
    }

    pub(in crate::config) fn serialize<S: Serializer>(
        rate: &Option<Rate>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let Some(rate) = rate else {
            return serializer.serialize_str(OFF);
        };
        let mut table = serializer.serialize_struct("Rate", 2)?;
        table.serialize_field("rate", &U::print(rate))?;
        table.serialize_field("burst", &U::Burst::write(rate.burst))?;
        table.end()
    }
}

struct Visitor<U>(PhantomData<U>);

impl<'de, U: Unit> de::Visitor<'de> for Visitor<U> {
    type Value = Option<Rate>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(U::FORM)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            OFF => Ok(None),
            _ => U::parse(text).map(Some).map_err(ValueError::into_serde),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
        let table = RateTable::<U>::deserialize(MapAccessDeserializer::new(table))?;
        let burst = table.burst.unwrap_or(table.rate.burst);
        Ok(Some(Rate {
            burst,
            ..table.rate
        }))
    }
}

/// A rate as the settings write it, with `count` for the number.
pub(in crate::config) fn written(rate: Rate, count: impl Fn(u64) -> String) -> String {
    let written = format!("{}{}", count(rate.count), span_of(rate.per));
    match rate.burst == rate.count {
        true => written,
        false => format!("{written} (burst {})", count(rate.burst)),
    }
}

/// The end of a rate in this span: `/s`.
pub(in crate::config) fn span_of(per: Duration) -> &'static str {
    let span = (SPANS.iter()).find(|(_, seconds)| per == Duration::from_secs(*seconds));
    span.map_or("", |(name, _)| name)
}

const SPANS: [(&str, u64); 3] = [("/s", 1), ("/m", 60), ("/h", 3600)];

fn split_span(text: &str) -> Option<(&str, Duration)> {
    (SPANS.iter())
        .find_map(|(name, seconds)| Some((text.strip_suffix(name)?, Duration::from_secs(*seconds))))
}

fn rate(count: u64, per: Duration) -> Result<Rate, ValueError> {
    match count {
        0 => Err(ValueError::new("this rate lets nothing through")
            .help("\"off\" is a rate without a limit")),
        burst => Ok(Rate { count, per, burst }),
    }
}

fn burst<'de, D: Deserializer<'de>, U: Unit>(deserializer: D) -> Result<Option<u64>, D::Error> {
    U::Burst::read(deserializer).map(Some)
}

super::schema::schema!([U: Unit<Burst: JsonSchema>] Rates<U>, |generator| {
    json_schema!({ "anyOf": [
        { "const": OFF },
        As::<U>::json_schema(generator),
        RateTable::<U>::json_schema(generator),
    ] })
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_count_in_a_span() {
        for (text, count, seconds) in [("50/s", 50, 1), ("600/m", 600, 60), ("1/h", 1, 3600)] {
            let rate = Counts::parse(text).unwrap();
            let per = Duration::from_secs(seconds);
            let burst = count;
            assert_eq!(rate, Rate { count, per, burst }, "{text}");
            assert_eq!(written(rate, |count| count.to_string()), text);
        }
        for text in [
            "",
            "/s",
            "50",
            "50/d",
            "-1/s",
            "+5/s",
            "0/s",
            "1.5/s",
            "50 /s",
            "4294967296/s",
        ] {
            assert!(Counts::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_byte_rate_is_a_size_in_a_span() {
        let rate = Bytes::parse("1MiB/m").unwrap();
        assert_eq!((rate.count, rate.burst), (1 << 20, 1 << 20));
        assert_eq!(rate.per, Duration::from_secs(60));
        let rate = Rate { burst: 512, ..rate };
        assert_eq!(written(rate, written_size), "1MiB/m (burst 512B)");
        for text in ["", "50/s", "1MiB", "0B/s", "/s", "1MiB/d", "1Mib/s"] {
            assert!(Bytes::parse(text).is_err(), "{text}");
        }
    }
}
