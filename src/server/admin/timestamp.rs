//! A moment as RFC 3339 writes it.

use std::time::SystemTime;

/// `2026-07-01T12:00:00Z`.
pub(super) fn timestamp(moment: SystemTime) -> String {
    let moment = jiff::Timestamp::try_from(moment).unwrap_or_default();
    format!("{moment:.0}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_moment_has_its_date_and_time() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59Z"),
        ] {
            let moment = UNIX_EPOCH + Duration::from_millis(milliseconds);
            assert_eq!(timestamp(moment), expected);
        }
    }
}
