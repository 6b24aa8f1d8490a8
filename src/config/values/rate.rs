//! `"50/s"` or `{ rate = "50/s", burst = 200 }`.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer};
use serde::ser::{SerializeStruct, Serializer};

use super::error::ValueError;
use super::number::Number;
use super::schema::schema;
use super::size::{self, Size};
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

/// A rate without a burst, of bytes (`"1MiB/s"`) or of messages and handshakes (`"50/s"`).
struct Plain<const BYTES: bool>;

/// Serde's `with` for an `Option<Rate>`: a string, a table with a burst, or `"off"` for `None`.
pub(in crate::config) struct Rates<const BYTES: bool>;

/// A rate of messages or handshakes.
pub(in crate::config) type Counts = Rates<false>;

/// A rate of bytes.
pub(in crate::config) type Bytes = Rates<true>;

/// A rate with a burst of its own.
#[derive(Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct RateTable<const BYTES: bool> {
    /// How many in a second, a minute or an hour, as in a rate without a table.
    #[serde(with = "As::<Plain<BYTES>>")]
    rate: Rate,
    /// How many at once after a quiet time; the number in `rate` unless set.
    #[serde(default, deserialize_with = "Burst::<BYTES>::deserialize")]
    #[cfg_attr(feature = "server", schemars(with = "Burst<BYTES>"))]
    burst: Option<u64>,
}

/// How a burst is written: as a size or as a number.
struct Burst<const BYTES: bool>;

type AtLeastOne = Number<1, { u32::MAX as u64 }>;

impl<const BYTES: bool> Burst<BYTES> {
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        match BYTES {
            true => As::<Size>::deserialize(deserializer),
            false => AtLeastOne::deserialize(deserializer),
        }
        .map(Some)
    }
}

impl<const BYTES: bool> Text for Plain<BYTES> {
    type Value = Rate;
    const FORM: &'static str = match BYTES {
        true => "a byte rate such as \"1MiB/s\"",
        false => "a rate such as \"50/s\"",
    };
    const PATTERN: Option<&'static str> = Some(match BYTES {
        true => r"^0*[1-9][0-9]*([KMG]i?)?B/[smh]$",
        false => r"^0*[1-9][0-9]*/[smh]$",
    });

    fn parse(text: &str) -> Result<Rate, ValueError> {
        let wrong = || {
            let (problem, form) = match BYTES {
                true => (
                    ValueError::new(format!("`{text}` is not a byte rate")),
                    "a byte rate is a size and one of /s, /m, /h: \"1MiB/s\"; \"off\" is none",
                ),
                false => (
                    ValueError::new(format!("`{text}` is not a rate")),
                    "a rate is a whole number and one of /s, /m, /h: \"50/s\"; \"off\" is none",
                ),
            };
            match meant(text, BYTES) {
                Some(rate) => problem.help(format!("did you mean \"{rate}\"?")),
                None => problem.help(form),
            }
        };
        let (number, per) = split_span(text).ok_or_else(wrong)?;
        let all_digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let count = match BYTES {
            true => Size::parse(number).ok(),
            false => (number.parse::<u32>().ok())
                .filter(|_| all_digits)
                .map(u64::from),
        };
        match count.ok_or_else(wrong)? {
            0 => Err(ValueError::new("this rate lets nothing through")
                .help("\"off\" is a rate without a limit")),
            count => Ok(Rate {
                count,
                per,
                burst: count,
            }),
        }
    }

    fn print(rate: &Rate) -> String {
        let count = match BYTES {
            true => Size::print(&rate.count),
            false => rate.count.to_string(),
        };
        format!("{count}{}", span_of(rate.per))
    }
}

/// The word for a rate without a limit.
const OFF: &str = "off";

impl<const BYTES: bool> Rates<BYTES> {
    pub(in crate::config) fn deserialize<'de, D>(deserializer: D) -> Result<Option<Rate>, D::Error>
    where
        D: Deserializer<'de>,
    {
        deserializer.deserialize_any(Self)
    }

    pub(in crate::config) fn serialize<S: Serializer>(
        rate: &Option<Rate>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let Some(rate) = rate else {
            return serializer.serialize_str(OFF);
        };
        let mut table = serializer.serialize_struct("Rate", 2)?;
        table.serialize_field("rate", &Plain::<BYTES>::print(rate))?;
        match BYTES {
            true => table.serialize_field("burst", &Size::print(&rate.burst))?,
            false => table.serialize_field("burst", &rate.burst)?,
        }
        table.end()
    }
}

impl<'de, const BYTES: bool> de::Visitor<'de> for Rates<BYTES> {
    type Value = Option<Rate>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Plain::<BYTES>::FORM)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            OFF => Ok(None),
            _ => (Plain::<BYTES>::parse(text).map(Some)).map_err(ValueError::into_serde),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
        let RateTable { rate, burst } =
            RateTable::<BYTES>::deserialize(MapAccessDeserializer::new(table))?;
        let burst = burst.unwrap_or(rate.burst);
        Ok(Some(Rate { burst, ..rate }))
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

/// The rate that a person may have meant: `10/sec`, `10r/s`, `10 per minute`, `1m/s`, `10`.
fn meant(text: &str, bytes: bool) -> Option<String> {
    let text = text.trim();
    let parts = text.split_once('/').or_else(|| text.split_once(" per "));
    let (number, span) = parts.unwrap_or((text, "s"));
    let span = match span.trim().to_ascii_lowercase().as_str() {
        "s" | "sec" | "second" | "1s" => "/s",
        "m" | "min" | "minute" | "1m" => "/m",
        "h" | "hr" | "hour" | "1h" => "/h",
        _ => return None,
    };
    if bytes {
        return Some(format!("{}{span}", size::meant(number)?));
    }
    let number = number.trim().trim_end_matches(['r', 'R']).trim_end();
    let number: u32 = number.parse().ok().filter(|number| *number > 0)?;
    Some(format!("{number}{span}"))
}

schema!([const BYTES: bool] Burst<BYTES>, |generator| match BYTES {
    true => As::<Size>::json_schema(generator),
    false => AtLeastOne::json_schema(generator),
});

schema!([const BYTES: bool] Rates<BYTES>, |generator| {
    json_schema!({ "anyOf": [
        { "const": OFF },
        As::<Plain<BYTES>>::json_schema(generator),
        RateTable::<BYTES>::json_schema(generator),
    ] })
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_count_in_a_span() {
        for (text, count, seconds) in [("50/s", 50, 1), ("600/m", 600, 60), ("1/h", 1, 3600)] {
            let rate = Plain::<false>::parse(text).unwrap();
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
            assert!(Plain::<false>::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_byte_rate_is_a_size_in_a_span() {
        let rate = Plain::<true>::parse("1MiB/m").unwrap();
        assert_eq!((rate.count, rate.burst), (1 << 20, 1 << 20));
        assert_eq!(rate.per, Duration::from_secs(60));
        let rate = Rate { burst: 512, ..rate };
        assert_eq!(
            written(rate, crate::config::values::size::written),
            "1MiB/m (burst 512B)"
        );
        for text in ["", "50/s", "1MiB", "0B/s", "/s", "1MiB/d", "1Mib/s"] {
            assert!(Plain::<true>::parse(text).is_err(), "{text}");
        }
    }
}
