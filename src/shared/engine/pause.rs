//! The pauses between attempts.

use std::time::Duration;

/// Pauses that become longer with each failure in a row.
#[derive(Debug)]
pub(in crate::shared) struct Pauses {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Pauses {
    pub(in crate::shared) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// The pause after one more failure. `random` is from 0 to 1: gates that lose their engine together do not come
    /// back together.
    pub(in crate::shared) fn next(&mut self, random: f64) -> Duration {
        let longer = 2_u32.saturating_pow(self.failures);
        self.failures = self.failures.saturating_add(1);
        let pause = self.first.saturating_mul(longer).min(self.longest);
        pause.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
    }

    /// The last attempt has succeeded.
    pub(in crate::shared) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_become_longer_up_to_the_longest() {
        let millis = Duration::from_millis;
        let mut pauses = Pauses::new(millis(50), millis(300));
        for expected in [50, 100, 200, 300, 300] {
            assert_eq!(pauses.next(1.0), millis(expected));
        }
        pauses.reset();
        assert_eq!(pauses.next(0.0), millis(25));
        pauses.failures = u32::MAX;
        assert_eq!(pauses.next(1.0), millis(300));
    }
}
