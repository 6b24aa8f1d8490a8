//! `[drain]`: how sessions are closed when the gate stops.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::close::CloseCode;
use crate::config::values::{AnyDuration, As};

/// How sessions are closed when the gate stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Drain {
    /// The close code for both sides.
    pub close_code: CloseCode,
    /// The closes are spread evenly over this time, or over three quarters of the deadline if that
    /// is shorter.
    #[serde(with = "As::<AnyDuration>")]
    pub spread: Duration,
    /// Sessions still open after this time are aborted.
    #[serde(with = "As::<AnyDuration>")]
    pub deadline: Duration,
}

/// The longest part of the deadline over which closes are spread, so that the last peer has time to
/// answer.
const SPREAD_SHARE: f64 = 0.75;

impl Drain {
    /// The time over which the closes are spread if the drain ends at `deadline`.
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
