//! Durations and sizes as people read them.

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
