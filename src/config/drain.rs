//! `[drain]`: how sessions are sent away when the gate stops.

use std::time::Duration;

use crate::close::CloseCode;

/// How a drain goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    pub(crate) close_code: CloseCode,
    pub(crate) spread: Duration,
    pub(crate) deadline: Duration,
}

/// The part of the deadline over which closes may be spread at most, so that the last one told
/// has time to answer.
const SPREAD_SHARE: f64 = 0.75;

impl Drain {
    /// Over which time the closes are really spread, where all is over at `deadline`.
    pub(crate) fn spread_within(&self, deadline: Duration) -> Duration {
        self.spread.min(deadline.mul_f64(SPREAD_SHARE))
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            close_code: CloseCode::GOING_AWAY,
            spread: Duration::from_secs(10),
            deadline: Duration::from_secs(30),
        }
    }
}
