//! When keys are fetched.

use std::time::Duration;

/// Where the server does not say how long its keys may be kept.
const USUAL: Duration = Duration::from_secs(10 * 60);

/// Keys are kept so long at least, whatever the server says.
const SHORTEST: Duration = Duration::from_secs(5 * 60);

/// Keys are kept so long at most: one that is withdrawn must end.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The pause after a failure, and the longest after several.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(5 * 60);

/// The pause after a success. `random` is from 0 to 1: gates that start together do not ask together.
///
/// It is a little shorter than the server says, so that there is time for a retry.
pub(super) fn after_success(max_age: Option<Duration>, random: f64) -> Duration {
    let pause = max_age.unwrap_or(USUAL).clamp(SHORTEST, LONGEST);
    pause.mul_f64(0.8 + 0.15 * random.clamp(0.0, 1.0))
}

/// The pause after so many failures in a row.
pub(super) fn after_failures(failures: u32, random: f64) -> Duration {
    let longer = 2_u32.saturating_pow(failures.saturating_sub(1));
    let pause = FIRST_RETRY.saturating_mul(longer).min(LAST_RETRY);
    pause.mul_f64(0.8 + 0.2 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_says_how_long_its_keys_are_kept_within_bounds() {
        for (max_age, least, most) in [
            (None, 480, 570),
            (Some(0), 240, 285),
            (Some(300), 240, 285),
            (Some(3600), 2880, 3420),
            (Some(u32::MAX.into()), 69_120, 82_080),
        ] {
            let pause = |random| after_success(max_age.map(Duration::from_secs), random);
            assert_eq!(pause(0.0).as_secs(), least, "{max_age:?}");
            assert_eq!(pause(1.0).as_secs(), most, "{max_age:?}");
        }
    }

    #[test]
    fn retries_come_later_and_later_and_go_on() {
        for (failures, seconds) in [
            (1, 5),
            (2, 10),
            (3, 20),
            (6, 160),
            (7, 300),
            (u32::MAX, 300),
        ] {
            assert_eq!(after_failures(failures, 1.0).as_secs(), seconds);
            let shortest = after_failures(failures, 0.0).as_secs_f64();
            assert!((shortest - 0.8 * seconds as f64).abs() < 0.01, "{shortest}");
        }
    }
}
