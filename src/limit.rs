//! A rate limit (GCRA) that many sessions may share without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Rate;

/// One bucket: `rate.count` per `rate.per`, `rate.burst` at once.
///
/// What it counts is up to its owner (messages, handshakes, bytes); a rate too high for whole
/// nanoseconds to be exact is counted in blocks of 1024.
///
/// The state is one atomic word: the time at which the bucket will be full again. Whoever takes
/// something moves it on by the time that so much needs to come back, and may not move it further
/// away than the whole bucket needs. That is the generic cell rate algorithm. It looks at no clock: a session
/// reads the time once for all that it does at once, and says it.
#[derive(Debug)]
pub(crate) struct Limit {
    /// When the bucket is full again, in nanoseconds from `epoch`.
    full_at: AtomicU64,
    epoch: Instant,
    /// The nanoseconds in which one cell comes back.
    period: u64,
    /// Those in which an empty bucket fills.
    fill: u64,
    /// Units in a cell, as a power of two.
    cell_bits: u32,
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

/// A century in nanoseconds: no bucket takes longer to fill, so that no time here overflows its word.
const LONGEST_FILL: u64 = 100 * 365 * 24 * 3600 * 1_000_000_000;

/// The shortest wait that is told: tokio's timers know no shorter one.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

impl Limit {
    pub(crate) fn new(rate: Rate) -> Self {
        let cell_bits = match per_second(rate) > EXACT_PER_SECOND {
            true => 10,
            false => 0,
        };
        let period = (rate.per.as_nanos() << cell_bits) / u128::from(rate.count.max(1));
        let period = period.clamp(1, LONGEST_FILL.into()) as u64;
        let burst = rate.burst.div_ceil(1 << cell_bits);
        let fill = period * burst.clamp(1, LONGEST_FILL / period);
        Self {
            full_at: AtomicU64::new(0),
            epoch: Instant::now(),
            period,
            fill,
            cell_bits,
        }
    }

    /// Takes `units` out of the bucket, or none.
    #[inline]
    pub(crate) fn take(&self, units: u64, now: Instant) -> Result<(), Exceeded> {
        let cells = units.div_ceil(1 << self.cell_bits);
        let cost = cells.checked_mul(self.period);
        let Some(cost) = cost.filter(|cost| *cost <= self.fill) else {
            return Err(Exceeded::Ever);
        };
        let now = self.since_epoch(now);
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            // Neither is more than a few centuries.
            let next = full_at.max(now) + cost;
            if next - now > self.fill {
                let wait = Duration::from_nanos(next - now - self.fill);
                return Err(Exceeded::For(wait.max(SHORTEST_WAIT)));
            }
            // The word stands for itself: nothing else is read by it.
            let (before, order) = (full_at, Ordering::Relaxed);
            match self
                .full_at
                .compare_exchange_weak(before, next, order, order)
            {
                Ok(_) => return Ok(()),
                Err(changed) => full_at = changed,
            }
        }
    }

    /// The most units that [`Limit::take`] can ever give at once.
    pub(crate) fn burst(&self) -> u64 {
        (self.fill / self.period).saturating_mul(1 << self.cell_bits)
    }

    /// Whether nothing is missing from the bucket, so that a new one would be the same.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.full_at.load(Ordering::Relaxed) <= self.since_epoch(now)
    }

    /// A time in nanoseconds; centuries of them fit.
    fn since_epoch(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.epoch);
        since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos())
    }
}

fn per_second(rate: Rate) -> u64 {
    let per = rate.per.as_nanos().max(1);
    u64::try_from(u128::from(rate.count) * 1_000_000_000 / per).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
