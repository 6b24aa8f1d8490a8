//! What governor sees of the time, and of a bucket that is only looked at.

use std::cell::Cell;
use std::convert::Infallible;
use std::ops::Add;
use std::sync::OnceLock;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use tokio::time::Instant;

thread_local! {
    /// The time that was set last, and what it is in nanoseconds: a session takes out of several
    /// buckets at one time.
    static NOW: Cell<(Option<Instant>, Moment)> = const { Cell::new((None, Moment(0))) };
    static DRY_RUN: Cell<bool> = const { Cell::new(false) };
}

/// Sets the time of this thread's next check.
#[inline]
pub(super) fn set(now: Instant) -> Moment {
    let (before, moment) = NOW.get();
    if before == Some(now) {
        return moment;
    }
    let moment = Moment::of(now);
    NOW.set((Some(now), moment));
    moment
}

/// Runs a check that leaves every bucket as it is.
pub(super) fn dry_run<T>(check: impl FnOnce() -> T) -> T {
    DRY_RUN.set(true);
    let checked = check();
    DRY_RUN.set(false);
    checked
}

/// The time that the caller has just set.
#[derive(Debug)]
pub(super) struct CallersClock;

/// Nanoseconds since a day before the process began; centuries of them fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

/// A bucket that a dry run does not change.
#[derive(Debug, Default)]
pub(super) struct Bucket(InMemoryState);

impl Moment {
    pub(super) fn of(now: Instant) -> Self {
        static EPOCH: OnceLock<Instant> = OnceLock::new();
        let epoch = EPOCH.get_or_init(|| {
            // The clock that no test holds or turns, and before any time that a test begins at.
            let now = std::time::Instant::now();
            let day = Duration::from_secs(24 * 60 * 60);
            Instant::from_std(now.checked_sub(day).unwrap_or(now))
        });
        let since = now.saturating_duration_since(*epoch);
        Self(since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos()))
    }

    pub(super) fn nanos(self) -> u64 {
        self.0
    }

    /// The time since a moment in nanoseconds; none if that is to come.
    pub(super) fn since(self, moment: u64) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(moment))
    }

    /// The time to a moment that is to come.
    pub(super) fn until(self, moment: u64) -> Option<Duration> {
        let until = moment.checked_sub(self.0)?;
        (until > 0).then(|| Duration::from_nanos(until))
    }
}

impl Clock for CallersClock {
    type Instant = Moment;

    #[inline]
    fn now(&self) -> Moment {
        NOW.get().1
    }
}

impl Reference for Moment {
    #[inline]
    fn duration_since(&self, earlier: Self) -> Nanos {
        Nanos::new(self.0.saturating_sub(earlier.0))
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.as_u64()).unwrap_or(self.0))
    }
}

impl Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, duration: Nanos) -> Self {
        Self(self.0 + duration.as_u64())
    }
}

impl StateStore for Bucket {
    type Key = NotKeyed;

    #[inline]
    fn measure_and_replace<T, F, E>(&self, key: &NotKeyed, check: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if !DRY_RUN.get() {
            return self.0.measure_and_replace(key, check);
        }
        // The state is not replaced where the closure fails.
        let look = |state| Err::<(Infallible, Nanos), _>(check(state));
        match self.0.measure_and_replace(key, look) {
            Ok(never) => match never {},
            Err(checked) => checked.map(|(outcome, _)| outcome),
        }
    }
}
