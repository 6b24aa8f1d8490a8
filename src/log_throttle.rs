//! Limits the log lines of one kind, and counts those that it leaves out.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Rate;
use crate::limit::Limit;

/// Decides which lines of one kind are logged: all of them, until there are too many.
#[derive(Debug)]
pub(crate) struct LogThrottle {
    limit: Limit,
    suppressed: AtomicU64,
}

/// Up to this rate, every line is logged.
const RATE: Rate = Rate {
    count: 10,
    per: Duration::from_secs(1),
    burst: 100,
};

impl LogThrottle {
    /// One line in so long.
    pub(crate) fn one_in(per: Duration) -> Self {
        Self {
            limit: Limit::new(Rate {
                count: 1,
                per,
                burst: 1,
            }),
            suppressed: AtomicU64::new(0),
        }
    }

    /// Whether one more line is to be logged; if not, it is counted.
    pub(crate) fn allows(&self) -> bool {
        let taken = self.limit.take(1, Instant::now()).is_ok();
        if !taken {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// How many were left out since the last call, if any. The caller must log the number.
    pub(crate) fn take_suppressed(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.suppressed.swap(0, Ordering::Relaxed))
    }
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self {
            limit: Limit::new(RATE),
            suppressed: AtomicU64::new(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_sampled_and_the_rest_is_counted_once() {
        let throttle = LogThrottle::default();
        let mut taken = 0;
        for _ in 0..250 {
            taken += u64::from(throttle.allows());
        }
        assert_eq!(taken, RATE.burst);
        assert_eq!(throttle.take_suppressed(), NonZeroU64::new(150));
        assert_eq!(throttle.take_suppressed(), None);
        tokio::time::advance(RATE.per).await;
        let later = (0..50).filter(|_| throttle.allows()).count();
        assert_eq!(later as u64, RATE.count);
        assert_eq!(throttle.take_suppressed(), NonZeroU64::new(40));
    }
}
