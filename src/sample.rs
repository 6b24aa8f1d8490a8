//! What the log tells of a flood: a sample, and how much was left out.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Rate;
use crate::limit::Limit;

/// Decides which lines of one kind are logged: all, until there are too many.
#[derive(Debug)]
pub(crate) struct Sample {
    limit: Limit,
    left_out: AtomicU64,
}

/// What is logged in full.
const RATE: Rate = Rate {
    count: 10,
    per: Duration::from_secs(1),
    burst: 100,
};

impl Sample {
    /// One line in so long.
    pub(crate) fn one_in(per: Duration) -> Self {
        Self {
            limit: Limit::new(Rate {
                count: 1,
                per,
                burst: 1,
            }),
            left_out: AtomicU64::new(0),
        }
    }

    /// Whether one more line is to be logged; if not, it is counted.
    pub(crate) fn takes(&self) -> bool {
        let taken = self.limit.take(1, Instant::now()).is_ok();
        if !taken {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// How many were left out since the last call, if any. Whoever asks has to tell.
    pub(crate) fn take_left_out(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.left_out.swap(0, Ordering::Relaxed))
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            limit: Limit::new(RATE),
            left_out: AtomicU64::new(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_sampled_and_the_rest_is_counted_once() {
        let sample = Sample::default();
        let mut taken = 0;
        for _ in 0..250 {
            taken += u64::from(sample.takes());
        }
        assert_eq!(taken, RATE.burst);
        assert_eq!(sample.take_left_out(), NonZeroU64::new(150));
        assert_eq!(sample.take_left_out(), None);
        tokio::time::advance(RATE.per).await;
        let later = (0..50).filter(|_| sample.takes()).count();
        assert_eq!(later as u64, RATE.count);
        assert_eq!(sample.take_left_out(), NonZeroU64::new(40));
    }
}
