//! A rate limit that many sessions may share without a lock: governor, on the caller's clock.

#[allow(dead_code, reason = "only gates that share limits use all of it")]
mod borrowed;
mod clock;
mod exceeded;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::state::NotKeyed;
use governor::{NotUntil, Quota, RateLimiter};
use tokio::time::Instant;

use self::borrowed::Borrowed;
use self::clock::{Bucket, CallersClock, Moment};
use crate::config::Rate;

#[allow(unused_imports, reason = "only gates that share limits use all of it")]
pub(crate) use self::borrowed::{Account, Lender, Loan, Standing};
pub(crate) use self::exceeded::Exceeded;

/// One token bucket: `rate.count` per `rate.per`, `rate.burst` at once.
///
/// Its owner decides what it counts: messages, handshakes or bytes. A rate that is too high for
/// whole nanoseconds to be exact is counted in blocks of 1024 units.
///
/// Its state is one atomic word (GCRA), and it reads no clock: a session reads the time once for
/// all that it does at once, and passes it on.
#[derive(Debug)]
pub(crate) struct Limit {
    limiter: RateLimiter<NotKeyed, Bucket, CallersClock, NoOpMiddleware<Moment>>,
    /// In cells.
    burst: NonZeroU32,
    /// Units in a cell, as a power of two.
    cell_bits: u32,
    /// Where several gates share the limit. Behind a pointer, because few do.
    borrowed: Option<Box<Borrowed>>,
}

/// Above this many a second a nanosecond clock cannot tell two units apart to a percent.
const EXACT_PER_SECOND: u64 = 10_000_000;

/// A century in nanoseconds. No bucket takes longer to fill, because governor multiplies and adds
/// nanoseconds without a check.
const LONGEST_FILL: u64 = 100 * 365 * 24 * 3600 * 1_000_000_000;

/// The shortest wait: tokio's timers know no shorter one.
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
        let burst = burst.min(LONGEST_FILL / period).min(u32::MAX.into()) as u32;
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(Duration::from_nanos(period));
        // A period is never zero: see above.
        let quota = quota.unwrap_or(Quota::per_second(NonZeroU32::MIN));
        clock::set(Instant::now());
        Self {
            limiter: RateLimiter::new(quota.allow_burst(burst), Bucket::default(), CallersClock),
            burst,
            cell_bits,
            borrowed: None,
        }
    }

    /// A limit that this gate shares with others. Where nothing is lent, it is one like any other.
    pub(crate) fn shared(rate: Rate, lender: Arc<dyn Lender>) -> Self {
        Self {
            borrowed: Some(Box::new(Borrowed::new(rate, lender))),
            ..Self::new(rate)
        }
    }

    /// Takes `units` out of the bucket, or none.
    // Inlined, governor's nested results take no memory: a third fewer instructions.
    #[inline(always)]
    pub(crate) fn take(&self, units: u64, now: Instant) -> Result<(), Exceeded> {
        if let Some(borrowed) = &self.borrowed {
            return self.take_borrowed(borrowed, units, now);
        }
        self.take_own(units, now)
    }

    #[inline(always)]
    fn take_own(&self, units: u64, now: Instant) -> Result<(), Exceeded> {
        let cells = units.div_ceil(1 << self.cell_bits);
        if cells > self.burst.get().into() {
            return Err(Exceeded::Ever);
        }
        // At most the burst, see above.
        let Some(cells) = NonZeroU32::new(cells as u32) else {
            return Ok(());
        };
        let now = clock::set(now);
        match self.limiter.check_n(cells) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => Err(refusal(&refused, cells, now)),
            Err(_more_than_the_burst) => Err(Exceeded::Ever),
        }
    }

    #[cold]
    #[inline(never)]
    fn take_borrowed(&self, borrowed: &Borrowed, units: u64, now: Instant) -> Result<(), Exceeded> {
        borrowed.take(units, Moment::of(now), || self.take_own(units, now))
    }

    /// The most units that [`Limit::take`] can give at once without a wait for more.
    pub(crate) fn portion(&self) -> u64 {
        let burst = u64::from(self.burst.get()) << self.cell_bits;
        match &self.borrowed {
            Some(borrowed) => borrowed.portion().min(burst),
            None => burst,
        }
    }

    /// Whether [`Limit::take`] may have to wait for what is not known yet.
    pub(crate) fn is_shared(&self) -> bool {
        self.borrowed.is_some()
    }

    /// The loan that comes with a handshake, if this gate shares the limit and needs one.
    #[allow(dead_code, reason = "only gates that share limits need one")]
    pub(crate) fn first_loan(&self, now: Instant) -> Option<Loan> {
        self.borrowed.as_ref()?.first_loan(Moment::of(now))
    }

    /// Whether nothing is missing from the bucket, so that a new one would be the same.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        let now = clock::set(now);
        let is_full = clock::dry_run(|| matches!(self.limiter.check_n(self.burst), Ok(Ok(()))));
        is_full && (self.borrowed.as_ref()).is_none_or(|borrowed| borrowed.is_full(now))
    }
}

#[cold]
fn refusal(refused: &NotUntil<Moment>, cells: NonZeroU32, now: Moment) -> Exceeded {
    // A time from before the bucket was made counts as its beginning.
    let longest = refused.quota().replenish_interval() * cells.get();
    let wait = refused.wait_time_from(now).min(longest);
    Exceeded::For(wait.max(SHORTEST_WAIT))
}

fn per_second(rate: Rate) -> u64 {
    let per = rate.per.as_nanos().max(1);
    u64::try_from(u128::from(rate.count) * 1_000_000_000 / per).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
