//! Durations: `"500ms"`, `"25s"`, `"10m"`, `"1h"`.

use std::time::Duration;

use super::error::Problem;
use super::reader::FromText;

/// A duration that is longer than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Positive(pub(super) Duration);

/// Nothing here is meant to take longer, and clocks can add it without an overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

impl FromText for Duration {
    const FORM: &'static str = "a duration such as \"30s\"";

    fn from_text(text: &str) -> Result<Self, Problem> {
        let wrong = || {
            Problem::new(format!("`{text}` is not a duration"))
                .help("a duration is a whole number and one of ms, s, m, h: \"500ms\", \"25s\"")
        };
        let (number, unit) = split_unit(text).ok_or_else(wrong)?;
        let (_, millis) = (UNITS.iter())
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        (number.checked_mul(*millis).map(Duration::from_millis))
            .filter(|duration| *duration <= LONGEST)
            .ok_or_else(|| Problem::new(format!("`{text}` is longer than a year")))
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "string", "pattern": r"^[0-9]+(ms|s|m|h)$|\$\{" })
    }
}

impl FromText for Positive {
    const FORM: &'static str = Duration::FORM;

    fn from_text(text: &str) -> Result<Self, Problem> {
        match Duration::from_text(text)? {
            Duration::ZERO => Err(Problem::new("this duration cannot be zero")),
            duration => Ok(Self(duration)),
        }
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        <Duration as FromText>::schema()
    }
}

/// The duration that a text such as `25s` stands for, as the settings write it.
#[cfg(feature = "server")]
pub fn parse_duration(text: &str) -> Option<Duration> {
    Duration::from_text(text).ok()
}

/// A duration as the settings write it.
#[cfg(feature = "server")]
pub(super) fn written(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let units = UNITS
        .iter()
        .filter(|(_, length)| millis.is_multiple_of(*length));
    match units.max_by_key(|(_, length)| *length) {
        Some((unit, length)) if millis > 0 => format!("{}{unit}", millis / length),
        _ => format!("{}s", millis / 1000),
    }
}

/// A whole number and the letters behind it.
pub(super) fn split_unit(text: &str) -> Option<(u64, &str)> {
    let letters = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(letters);
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, millis) in [
            ("0s", 0),
            ("500ms", 500),
            ("25s", 25_000),
            ("10m", 600_000),
            ("1h", 3_600_000),
        ] {
            let duration = Duration::from_text(text).unwrap();
            assert_eq!(duration, Duration::from_millis(millis), "{text}");
            #[cfg(feature = "server")]
            assert_eq!(written(duration), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let too_long = "99999999999999999999s";
        for text in [
            "", "5", "s", "-5s", "1.5s", "5 s", "5S", "5d", "5sec", "1m30s", too_long,
        ] {
            assert!(Duration::from_text(text).is_err(), "{text}");
        }
        assert!(Duration::from_text("8784h").is_ok());
        assert!(Duration::from_text("8785h").is_err());
        assert!(Duration::from_text("18446744073709551615h").is_err());
        assert!(Positive::from_text("0ms").is_err());
        assert_eq!(
            Positive::from_text("1ms").unwrap().0,
            Duration::from_millis(1)
        );
    }
}
