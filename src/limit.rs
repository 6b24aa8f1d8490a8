//! A rate limit (GCRA) that many sessions may share without a lock.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use crate::config::Rate;

/// One bucket: `rate.count` per `rate.per`, `rate.burst` at once.
///
/// The state is one atomic word. What a bucket counts is up to its owner (messages, handshakes,
/// bytes); a rate too high for the arithmetic to be exact is counted in blocks of 1024.
#[derive(Debug)]
pub(crate) struct Limit {
    bucket: RateLimiter<NotKeyed, InMemoryState, TokioClock>,
    /// Units in a cell, as a power of two.
    cell_bits: u32,
    quota: Quota,
}

/// The bucket does not hold as much as was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// It will, after this long.
    For(Duration),
    /// It never will: more was asked for than the burst.
    Ever,
}

/// Above this many a second a nanosecond clock cannot tell two units apart to a percent.
const EXACT_PER_SECOND: u64 = 10_000_000;

/// A century in nanoseconds.
const LONGEST_FILL: u64 = 100 * 365 * 24 * 3600 * 1_000_000_000;

impl Limit {
    pub(crate) fn new(rate: Rate) -> Self {
        let cell_bits = match per_second(rate) > EXACT_PER_SECOND || rate.burst > u32::MAX.into() {
            true => 10,
            false => 0,
        };
        let cells = |units: u64| -> NonZeroU32 {
            let cells = units.div_ceil(1 << cell_bits).clamp(1, u32::MAX.into());
            NonZeroU32::new(u32::try_from(cells).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN)
        };
        let period = rate.per.as_nanos() << cell_bits;
        let period = (period / u128::from(rate.count.max(1))).clamp(1, u64::MAX.into());
        let period = u64::try_from(period).unwrap_or(u64::MAX);
        // The arithmetic below is in nanoseconds: a bucket that takes longer than this to fill
        // would overflow it.
        let most = (LONGEST_FILL / period).clamp(1, u32::MAX.into()) << cell_bits;
        let burst = cells(rate.burst.min(most));
        let period = Duration::from_nanos(period);
        let quota = match Quota::with_period(period) {
            Some(quota) => quota.allow_burst(burst),
            // A period is never zero: it was clamped above.
            None => Quota::per_second(NonZeroU32::MIN),
        };
        let bucket = RateLimiter::direct_with_clock(quota, TokioClock);
        Self {
            bucket,
            cell_bits,
            quota,
        }
    }

    /// Takes `units` out of the bucket, or none.
    pub(crate) fn take(&self, units: u64) -> Result<(), Exceeded> {
        let cells = units.div_ceil(1 << self.cell_bits).max(1);
        let Some(cells) = u32::try_from(cells).ok().and_then(NonZeroU32::new) else {
            return Err(Exceeded::Ever);
        };
        if cells > self.quota.burst_size() {
            return Err(Exceeded::Ever);
        }
        match self.bucket.check_n(cells) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => {
                let wait = not_until.wait_time_from(TokioClock.now());
                Err(Exceeded::For(wait.max(Duration::from_millis(1))))
            }
            Err(_) => Err(Exceeded::Ever),
        }
    }

    /// The most units that [`Limit::take`] can ever give at once.
    pub(crate) fn burst(&self) -> u64 {
        u64::from(self.quota.burst_size().get()) << self.cell_bits
    }

    /// Whether nothing is missing from the bucket, so that a new one would be the same.
    pub(crate) fn is_full(&mut self) -> bool {
        // The bucket only tells what it holds by giving it, and it gives all or nothing: what a
        // full one gave is put back by starting it anew.
        let full = matches!(self.bucket.check_n(self.quota.burst_size()), Ok(Ok(())));
        if full {
            self.bucket = RateLimiter::direct_with_clock(self.quota, TokioClock);
        }
        full
    }
}

fn per_second(rate: Rate) -> u64 {
    let per = rate.per.as_nanos().max(1);
    u64::try_from(u128::from(rate.count) * 1_000_000_000 / per).unwrap_or(u64::MAX)
}

/// Tokio's clock, so that a test's paused time holds here too.
#[derive(Clone, Copy, Debug)]
struct TokioClock;

impl Clock for TokioClock {
    type Instant = std::time::Instant;

    fn now(&self) -> Self::Instant {
        Instant::now().into_std()
    }
}

#[cfg(test)]
mod tests;
