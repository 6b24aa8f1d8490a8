//! A moment as RFC 3339 writes it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// `2026-07-01T12:00:00Z`. What comes after the year 9999, for which there is no such form, is its end.
pub(crate) fn timestamp(moment: SystemTime) -> String {
    let moment = jiff::Timestamp::try_from(moment).unwrap_or(match moment < UNIX_EPOCH {
        true => jiff::Timestamp::UNIX_EPOCH,
        false => jiff::Timestamp::MAX,
    });
    format!("{moment:.0}")
}

/// Reads a moment with its date, time and offset (RFC 3339 §5.6).
fn parse_timestamp(text: &str) -> Option<SystemTime> {
    // Jiff takes shorter forms as well, and names of time zones.
    let is_long = matches!(
        text.as_bytes(),
        [
            _,
            _,
            _,
            _,
            b'-',
            _,
            _,
            b'-',
            _,
            _,
            b'T' | b't',
            _,
            _,
            b':',
            _,
            _,
            b':',
            ..
        ]
    );
    if !is_long || text.contains('[') {
        return None;
    }
    let since = text.parse::<jiff::Timestamp>().ok()?.as_duration();
    // What was before 1970 has passed all the same.
    UNIX_EPOCH.checked_add(since.try_into().unwrap_or_default())
}

/// Serde's `deserialize_with` for a time of RFC 3339, or null.
pub(crate) fn optional<'de, D>(value: D) -> Result<Option<SystemTime>, D::Error>
where
    D: Deserializer<'de>,
{
    let Some(text) = Option::<String>::deserialize(value)? else {
        return Ok(None);
    };
    let moment = parse_timestamp(&text);
    moment
        .map(Some)
        .ok_or_else(|| D::Error::custom("not a time of RFC 3339"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_has_its_date_and_time() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59Z"),
            // The `exp` of an issuer that takes milliseconds for seconds.
            (1_767_225_599_999_000, "9999-12-30T22:00:00Z"),
        ] {
            let moment = UNIX_EPOCH + Duration::from_millis(milliseconds);
            assert_eq!(timestamp(moment), expected);
        }
    }

    #[test]
    fn a_moment_is_read_as_rfc_3339_writes_it_and_in_no_other_form() {
        let second = Some(UNIX_EPOCH + Duration::from_secs(1_767_225_599));
        for (text, expected) in [
            ("2025-12-31T23:59:59Z", second),
            ("2026-01-01t01:59:59+02:00", second),
            (
                "2025-12-31T23:59:59.5Z",
                Some(UNIX_EPOCH + Duration::from_millis(1_767_225_599_500)),
            ),
            ("1969-12-31T23:59:59Z", Some(UNIX_EPOCH)),
            ("2025-12-31T23:59:59", None),
            ("2025-12-31T23:59:59Z[UTC]", None),
            ("2025-12-31T23:59Z", None),
            ("20251231T235959Z", None),
            ("2025-12-31", None),
            ("2025-02-30T00:00:00Z", None),
            ("1767225599", None),
            ("", None),
        ] {
            assert_eq!(parse_timestamp(text), expected, "{text}");
        }
    }
}
