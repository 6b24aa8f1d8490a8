//! When the right to a session ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::close::CloseCode;

/// A moment of the wall clock at which a session ends. It may change while the session lives, so that it is
/// one atomic word.
#[derive(Debug)]
pub(crate) struct Expiry {
    /// In milliseconds since the Unix epoch.
    at: AtomicU64,
    /// What the client gets then.
    code: CloseCode,
}

/// The word for a session that does not expire.
const NEVER: u64 = u64::MAX;

/// A session looks at the wall clock at least so often, however far its expiry is.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

impl Expiry {
    /// No expiry; one that is set later closes with 4401.
    pub(crate) fn never() -> Self {
        Self::new(None, CloseCode::EXPIRED)
    }

    pub(crate) fn new(moment: Option<SystemTime>, code: CloseCode) -> Self {
        Self {
            at: AtomicU64::new(word(moment)),
            code,
        }
    }

    pub(crate) fn code(&self) -> CloseCode {
        self.code
    }

    /// The moment; `None` is never.
    pub(crate) fn moment(&self) -> Option<SystemTime> {
        match self.at.load(Ordering::Relaxed) {
            NEVER => None,
            milliseconds => UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds)),
        }
    }

    pub(super) fn set(&self, moment: Option<SystemTime>) {
        self.at.store(word(moment), Ordering::Relaxed);
    }

    /// For how long the session need not look at this wall clock again: until the expiry, but a day at most.
    pub(super) fn wait(&self, now: SystemTime) -> Option<Duration> {
        let moment = self.moment()?;
        Some(match moment.duration_since(now) {
            Ok(left) => left.min(LONGEST_WAIT),
            Err(_passed) => Duration::ZERO,
        })
    }
}

/// Rounded up, so that no session ends before its moment.
fn word(moment: Option<SystemTime>) -> u64 {
    let Some(moment) = moment else {
        return NEVER;
    };
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let milliseconds = since.as_nanos().div_ceil(1_000_000);
    u64::try_from(milliseconds).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_keeps_its_moment_to_the_millisecond_and_never_shortens_it() {
        let after = |nanoseconds| Some(UNIX_EPOCH + Duration::from_nanos(nanoseconds));
        for (moment, kept) in [
            (None, None),
            (after(0), after(0)),
            (after(1), after(1_000_000)),
            (after(5_000_000), after(5_000_000)),
            (Some(UNIX_EPOCH - Duration::from_secs(1)), after(0)),
        ] {
            let expiry = Expiry::new(moment, CloseCode::EXPIRED);
            assert_eq!(expiry.moment(), kept, "{moment:?}");
        }
    }

    #[test]
    fn a_far_expiry_is_looked_at_once_a_day_and_a_passed_one_at_once() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let wait = |seconds| {
            let moment = UNIX_EPOCH + Duration::from_secs(seconds);
            Expiry::new(Some(moment), CloseCode::EXPIRED).wait(now)
        };
        assert_eq!(wait(1_000_005), Some(Duration::from_secs(5)));
        assert_eq!(wait(1 << 40), Some(LONGEST_WAIT));
        assert_eq!(wait(999_999), Some(Duration::ZERO));
        assert_eq!(Expiry::never().wait(now), None);
    }
}
