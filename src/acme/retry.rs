//! When a failed order is tried again.

use std::time::{Duration, SystemTime};

/// The first pause. Authorities count refused proofs by the hour.
const FIRST: Duration = Duration::from_secs(2 * 60);

/// The longest pause without a word of the authority.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);

/// The longest pause that an authority may ask for: it is asked once a day anyway.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);

/// Each pause is so many times the one before.
const FACTOR: u32 = 3;

/// The pause after so many failures in a row. `random` is from 0 to 1: gates that fail together do not come back together.
pub(super) fn pause(
    failures: u32,
    random: f64,
    now: SystemTime,
    retry_after: Option<SystemTime>,
) -> Duration {
    let longer = FACTOR.saturating_pow(failures.saturating_sub(1));
    let pause = FIRST.saturating_mul(longer).min(LONGEST);
    let pause = pause.mul_f64(0.8 + 0.4 * random.clamp(0.0, 1.0));
    let asked = retry_after.and_then(|at| at.duration_since(now).ok());
    pause.max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_minutes_to_hours_and_no_further() {
        let now = SystemTime::now();
        let minutes = |failures, random| pause(failures, random, now, None).as_secs_f64() / 60.0;
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 0.01, "{found}");
        for (failures, expected) in [(1, 2.0), (2, 6.0), (3, 18.0), (4, 54.0), (5, 162.0)] {
            near(minutes(failures, 0.5), expected);
        }
        for failures in [6, 7, 100, u32::MAX] {
            near(minutes(failures, 0.5), 360.0);
        }
        near(minutes(1, 0.0), 1.6);
        near(minutes(1, 1.0), 2.4);
    }

    #[test]
    fn an_authority_makes_a_pause_longer_and_never_shorter() {
        let now = SystemTime::now();
        let asked = |seconds| pause(1, 0.5, now, Some(now + Duration::from_secs(seconds)));
        assert_eq!(asked(1), FIRST);
        assert_eq!(asked(3600), Duration::from_secs(3600));
        assert_eq!(asked(1_000_000_000), LONGEST_ASKED);
        assert_eq!(pause(1, 0.5, now, Some(now - FIRST)), FIRST);
    }
}
