//! `"50/s"` or `{ rate = "50/s", burst = 200 }`.

use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::error::Problem;
use super::number::Number;
use super::reader::{FromText, FromToml, Reader};
use super::size::Size;
use super::table::table;

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

/// So many messages, handshakes: `"50/s"`; `None` is `"off"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CountRate(pub(super) Option<Rate>);

/// So many bytes: `"1MiB/s"`; `None` is `"off"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteRate(pub(super) Option<Rate>);

/// `"50/s"` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlainCountRate(Rate);

/// `"1MiB/s"` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlainByteRate(Rate);

table! {
    /// A rate with a burst of its own.
    CountRateTable {
        /// How many in a second, a minute or an hour: "50/s", "600/m", "3600/h".
        rate: PlainCountRate = required,
        /// How many at once after a quiet time; the number in `rate` unless set.
        burst: Number<1, { u32::MAX as u64 }>,
    }
}

table! {
    /// A byte rate with a burst of its own.
    ByteRateTable {
        /// How many bytes in a second, a minute or an hour: "1MiB/s".
        rate: PlainByteRate = required,
        /// How many bytes at once after a quiet time; the size in `rate` unless set.
        burst: Size,
    }
}

/// The word for a rate without a limit.
const OFF: &str = "off";

impl FromText for PlainCountRate {
    const FORM: &'static str = "a rate such as \"50/s\"";

    fn from_text(text: &str) -> Result<Self, Problem> {
        let wrong = || {
            Problem::new(format!("`{text}` is not a rate"))
                .help("a rate is a whole number and one of /s, /m, /h: \"50/s\"; \"off\" is none")
        };
        let (count, per) = split_span(text).ok_or_else(wrong)?;
        let all_digits = count.bytes().all(|byte| byte.is_ascii_digit());
        let count = (count.parse::<u32>().ok()).filter(|_| all_digits);
        rate(count.ok_or_else(wrong)?.into(), per).map(Self)
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "string", "pattern": r"^[0-9]+/[smh]$|\$\{" })
    }
}

impl FromText for PlainByteRate {
    const FORM: &'static str = "a byte rate such as \"1MiB/s\"";

    fn from_text(text: &str) -> Result<Self, Problem> {
        let wrong = || {
            Problem::new(format!("`{text}` is not a byte rate"))
                .help("a byte rate is a size and one of /s, /m, /h: \"1MiB/s\"; \"off\" is none")
        };
        let (size, per) = split_span(text).ok_or_else(wrong)?;
        let Size(bytes) = Size::from_text(size).map_err(|_| wrong())?;
        rate(bytes, per).map(Self)
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "string", "pattern": r"^[0-9]+([KMG]i?)?B/[smh]$|\$\{" })
    }
}

impl FromToml for CountRate {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(_) = value.get_ref() else {
            let read: RateText<PlainCountRate> = FromToml::from_toml(value, reader)?;
            return Some(Self(read.0.map(|plain| plain.0)));
        };
        let table = CountRateTable::from_toml(value, reader)?;
        let PlainCountRate(rate) = *table.rate.get()?;
        let burst = (table.burst.get()).map_or(rate.burst, |burst| burst.get());
        Some(Self(Some(Rate { burst, ..rate })))
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        rate_schema::<PlainCountRate, CountRateTable>()
    }
}

impl FromToml for ByteRate {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(_) = value.get_ref() else {
            let read: RateText<PlainByteRate> = FromToml::from_toml(value, reader)?;
            return Some(Self(read.0.map(|plain| plain.0)));
        };
        let table = ByteRateTable::from_toml(value, reader)?;
        let PlainByteRate(rate) = *table.rate.get()?;
        let burst = table.burst.get().map_or(rate.burst, |burst| burst.0);
        Some(Self(Some(Rate { burst, ..rate })))
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        rate_schema::<PlainByteRate, ByteRateTable>()
    }
}

/// A rate as a string, or `"off"`.
#[derive(Clone)]
struct RateText<T>(Option<T>);

impl<T: FromText> FromText for RateText<T> {
    const FORM: &'static str = T::FORM;

    fn from_text(text: &str) -> Result<Self, Problem> {
        match text {
            OFF => Ok(Self(None)),
            _ => T::from_text(text).map(|rate| Self(Some(rate))),
        }
    }
}

/// A rate as the settings write it, with `count` for the number.
pub(super) fn written(rate: Rate, count: impl Fn(u64) -> String) -> String {
    let written = format!("{}{}", count(rate.count), span_of(rate.per));
    match rate.burst == rate.count {
        true => written,
        false => format!("{written} (burst {})", count(rate.burst)),
    }
}

/// The end of a rate in this span: `/s`.
pub(super) fn span_of(per: Duration) -> &'static str {
    let span = (SPANS.iter()).find(|(_, seconds)| per == Duration::from_secs(*seconds));
    span.map_or("", |(name, _)| name)
}

const SPANS: [(&str, u64); 3] = [("/s", 1), ("/m", 60), ("/h", 3600)];

fn split_span(text: &str) -> Option<(&str, Duration)> {
    (SPANS.iter())
        .find_map(|(name, seconds)| Some((text.strip_suffix(name)?, Duration::from_secs(*seconds))))
}

fn rate(count: u64, per: Duration) -> Result<Rate, Problem> {
    match count {
        0 => Err(Problem::new("this rate lets nothing through")
            .help("\"off\" is a rate without a limit")),
        burst => Ok(Rate { count, per, burst }),
    }
}

#[cfg(feature = "server")]
fn rate_schema<Text: FromText, Whole: FromToml>() -> serde_json::Value {
    serde_json::json!({ "anyOf": [
        { "const": OFF },
        <Text as FromText>::schema(),
        Whole::schema(),
    ] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_count_in_a_span() {
        for (text, count, seconds) in [("50/s", 50, 1), ("600/m", 600, 60), ("1/h", 1, 3600)] {
            let PlainCountRate(rate) = PlainCountRate::from_text(text).unwrap();
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
            assert!(PlainCountRate::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_byte_rate_is_a_size_in_a_span() {
        let PlainByteRate(rate) = PlainByteRate::from_text("1MiB/m").unwrap();
        assert_eq!((rate.count, rate.burst), (1 << 20, 1 << 20));
        assert_eq!(rate.per, Duration::from_secs(60));
        let rate = Rate { burst: 512, ..rate };
        assert_eq!(
            written(rate, crate::config::size::written),
            "1MiB/m (burst 512B)"
        );
        for text in ["", "50/s", "1MiB", "0B/s", "/s", "1MiB/d", "1Mib/s"] {
            assert!(PlainByteRate::from_text(text).is_err(), "{text}");
        }
    }
}
