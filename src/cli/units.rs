//! Durations and sizes as people read them.

use std::time::Duration;

/// `5s`, `3m12s`, `2h03m`, `4d07h`.
pub(super) fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m{:02}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h{:02}m", minutes % 60),
        (days, hours, _) => format!("{days}d{:02}h", hours % 24),
    }
}

/// `512B`, `3.4KiB`, `16MiB`: two digits at least, three at most.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    while value >= 1023.5 {
        let Some(larger) = units.next() else { break };
        (value, unit) = (value / 1024.0, larger);
    }
    match value < 9.95 {
        true => format!("{value:.1}{unit}"),
        false => format!("{value:.0}{unit}"),
    }
}

/// How often in a second: `0`, `0.5`, `42`, `12k`, `3.1M`.
pub(super) fn rate(rate: f64) -> String {
    match rate {
        rate if rate < 0.05 => "0".to_owned(),
        rate if rate < 9.95 => format!("{rate:.1}"),
        rate if rate < 9_999.5 => format!("{rate:.0}"),
        rate if rate < 999_500.0 => format!("{:.0}k", rate / 1e3),
        rate if rate < 9_950_000.0 => format!("{:.1}M", rate / 1e6),
        rate => format!("{:.0}M", rate / 1e6),
    }
}

/// Bytes in a second, without the second.
pub(super) fn byte_rate(rate: f64) -> String {
    // What is below nothing, or no number, becomes nothing.
    bytes(rate.round() as u64)
}

/// A part of a whole: `0%`, `0.4%`, `12%`.
pub(super) fn share(part: f64) -> String {
    match part * 100.0 {
        percent if percent < 0.05 => "0%".to_owned(),
        percent if percent < 9.95 => format!("{percent:.1}%"),
        percent => format!("{percent:.0}%"),
    }
}

/// `0.4ms`, `12ms`, `1.3s`, `95s`.
pub(super) fn short_time(time: Duration) -> String {
    match time.as_secs_f64() * 1e3 {
        milliseconds if milliseconds < 9.95 => format!("{milliseconds:.1}ms"),
        milliseconds if milliseconds < 999.5 => format!("{milliseconds:.0}ms"),
        milliseconds if milliseconds < 9_950.0 => format!("{:.1}s", milliseconds / 1e3),
        milliseconds => format!("{:.0}s", milliseconds / 1e3),
    }
}

/// `1 session`, `2 sessions`.
pub(super) fn sessions(count: u64) -> String {
    match count {
        1 => "1 session".to_owned(),
        count => format!("{count} sessions"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_and_a_short_time_have_two_digits_or_more() {
        for (part, expected) in [
            (0.0, "0%"),
            (0.0004, "0%"),
            (0.004, "0.4%"),
            (0.0994, "9.9%"),
            (0.0996, "10%"),
            (1.0, "100%"),
        ] {
            assert_eq!(share(part), expected, "{part}");
        }
        for (microseconds, expected) in [
            (0, "0.0ms"),
            (400, "0.4ms"),
            (12_300, "12ms"),
            (999_600, "1.0s"),
            (1_300_000, "1.3s"),
            (95_000_000, "95s"),
        ] {
            let time = Duration::from_micros(microseconds);
            assert_eq!(short_time(time), expected);
        }
    }

    #[test]
    fn an_age_has_its_two_largest_units() {
        for (seconds, expected) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m00s"),
            (192, "3m12s"),
            (3_600, "1h00m"),
            (7_385, "2h03m"),
            (86_399, "23h59m"),
            (86_400, "1d00h"),
            (371_000, "4d07h"),
        ] {
            assert_eq!(age(seconds), expected);
        }
    }

    #[test]
    fn a_rate_is_as_precise_as_anybody_looks() {
        for (each_second, expected) in [
            (0.0, "0"),
            (0.04, "0"),
            (0.5, "0.5"),
            (9.96, "10"),
            (1234.4, "1234"),
            (12_345.0, "12k"),
            (999_600.0, "1.0M"),
            (12_345_678.0, "12M"),
        ] {
            assert_eq!(rate(each_second), expected);
        }
        assert_eq!(byte_rate(2047.6), "2.0KiB");
        assert_eq!(byte_rate(f64::NAN), "0B");
    }

    #[test]
    fn bytes_have_two_or_three_digits() {
        for (count, expected) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.0KiB"),
            (3_500, "3.4KiB"),
            (10_240, "10KiB"),
            (1_048_000, "1023KiB"),
            (1_048_575, "1.0MiB"),
            (16 << 20, "16MiB"),
            (5 << 40, "5.0TiB"),
            (u64::MAX, "16EiB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
    }
}
