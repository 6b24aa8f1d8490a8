//! Durations: `"500ms"`, `"25s"`, `"10m"`, `"1h"`.

use std::time::Duration;

use super::error::ValueError;
use super::text::Text;

/// A duration, which may be zero.
pub(in crate::config) struct AnyDuration;

/// A duration that is longer than nothing.
pub(in crate::config) struct Positive;

/// A duration that `"0s"` stands for none of.
pub(in crate::config) struct ZeroForNever;

/// Nothing here is meant to take longer, and clocks can add it without an overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

const FORM: &str = "a duration such as \"30s\"";

const PATTERN: Option<&str> = Some(r"^[0-9]+(ms|s|m|h)$");

const POSITIVE_PATTERN: Option<&str> = Some(r"^0*[1-9][0-9]*(ms|s|m|h)$");

impl Text for AnyDuration {
    type Value = Duration;
    const FORM: &'static str = FORM;
    const PATTERN: Option<&'static str> = PATTERN;

    fn parse(text: &str) -> Result<Duration, ValueError> {
        let wrong = || {
            let problem = ValueError::new(format!("`{text}` is not a duration"));
            match meant(text) {
                Some(duration) => {
                    problem.help(format!("did you mean \"{}\"?", Self::print(&duration)))
                }
                None => problem.help(
                    "a duration is a whole number and one of ms, s, m, h: \"500ms\", \"25s\"",
                ),
            }
        };
        let (number, unit) = split_unit(text).ok_or_else(wrong)?;
        let (_, millis) = (UNITS.iter())
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        (number.checked_mul(*millis).map(Duration::from_millis))
            .filter(|duration| *duration <= LONGEST)
            .ok_or_else(|| ValueError::new(format!("`{text}` is longer than a year")))
    }

    fn print(duration: &Duration) -> String {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let units = UNITS
            .iter()
            .filter(|(_, length)| millis.is_multiple_of(*length));
        match units.max_by_key(|(_, length)| *length) {
            Some((unit, length)) if millis > 0 => format!("{}{unit}", millis / length),
            _ => "0s".to_owned(),
        }
    }
}

impl Text for Positive {
    type Value = Duration;
    const FORM: &'static str = FORM;
    const PATTERN: Option<&'static str> = POSITIVE_PATTERN;

    fn parse(text: &str) -> Result<Duration, ValueError> {
        match AnyDuration::parse(text)? {
            Duration::ZERO => Err(ValueError::new("this duration cannot be zero")),
            duration => Ok(duration),
        }
    }

    fn print(duration: &Duration) -> String {
        AnyDuration::print(duration)
    }
}

impl Text for ZeroForNever {
    type Value = Option<Duration>;
    const FORM: &'static str = FORM;
    const PATTERN: Option<&'static str> = PATTERN;

    fn parse(text: &str) -> Result<Option<Duration>, ValueError> {
        if let "off" | "none" | "never" | "infinity" | "unlimited" = &*text.to_ascii_lowercase() {
            let problem = ValueError::new(format!("`{text}` is not a duration"));
            return Err(problem.help("\"0s\" is none"));
        }
        Ok(Some(AnyDuration::parse(text)?).filter(|duration| !duration.is_zero()))
    }

    fn print(duration: &Option<Duration>) -> String {
        AnyDuration::print(&duration.unwrap_or_default())
    }
}

/// The duration that a person may have meant: `1m30s`, `5 min`, `1.5s`, `10`, `1d`.
fn meant(text: &str) -> Option<Duration> {
    let text = text.trim().to_ascii_lowercase();
    let mut rest = match text.ends_with(|last: char| last.is_ascii_digit()) {
        true => format!("{text}s"),
        false => text,
    };
    let mut millis = 0.0;
    while !rest.is_empty() {
        let number = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, behind) = rest.split_at(number);
        let unit = behind.find(|letter: char| letter.is_ascii_digit());
        let (unit, behind) = behind.split_at(unit.unwrap_or(behind.len()));
        let length = match unit.trim() {
            "ms" | "msec" | "millis" | "milliseconds" => 1.0,
            "s" | "sec" | "secs" | "second" | "seconds" => 1_000.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000.0,
            "h" | "hr" | "hour" | "hours" => 3_600_000.0,
            "d" | "day" | "days" => 86_400_000.0,
            _ => return None,
        };
        millis += number.parse::<f64>().ok()? * length;
        rest = behind.to_owned();
    }
    let duration = Duration::try_from_secs_f64(millis / 1_000.0).ok()?;
    Some(duration).filter(|duration| *duration <= LONGEST && duration.as_millis() > 0)
}

/// The duration that a text such as `25s` stands for, as the settings write it.
#[cfg(feature = "server")]
pub fn parse_duration(text: &str) -> Option<Duration> {
    AnyDuration::parse(text).ok()
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
            let duration = AnyDuration::parse(text).unwrap();
            assert_eq!(duration, Duration::from_millis(millis), "{text}");
            assert_eq!(AnyDuration::print(&duration), text);
        }
    }

    #[test]
    fn a_duration_in_another_form_is_understood_for_the_help() {
        for (text, meant) in [
            ("1m30s", "90s"),
            ("5 min", "5m"),
            ("10", "10s"),
            ("1d", "24h"),
            ("1.5s", "1500ms"),
            ("2 Seconds", "2s"),
        ] {
            let help = format!("did you mean \"{meant}\"?");
            let error = AnyDuration::parse(text).unwrap_err();
            assert_eq!(error.suggestion(), Some(&*help), "{text}");
        }
        for text in [
            "",
            "s",
            "never",
            "0.0.1s",
            "1.0e9h",
            "-5s",
            "1w",
            "99999999999h 1",
        ] {
            let error = AnyDuration::parse(text).unwrap_err();
            assert!(
                error.suggestion().unwrap().starts_with("a duration is"),
                "{text}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let too_long = "99999999999999999999s";
        for text in [
            "", "5", "s", "-5s", "1.5s", "5 s", "5S", "5d", "5sec", "1m30s", too_long,
        ] {
            assert!(AnyDuration::parse(text).is_err(), "{text}");
        }
        assert!(AnyDuration::parse("8784h").is_ok());
        assert!(AnyDuration::parse("8785h").is_err());
        assert!(AnyDuration::parse("18446744073709551615h").is_err());
        assert!(Positive::parse("0ms").is_err());
        assert_eq!(Positive::parse("1ms").unwrap(), Duration::from_millis(1));
    }
}
