//! `[drain]`: how sessions are sent away when the gate stops.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::close::CloseCode;
use crate::config::values::{AnyDuration, As};

/// How sessions are sent away when the gate stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Drain {
    /// The close code that they get.
    pub close_code: CloseCode,
    /// The closes are spread evenly over this time, but over three quarters of the deadline at
    /// most.
    #[serde(with = "As::<AnyDuration>")]
    pub spread: Duration,
    /// What is still open after this time is cut.
    #[serde(with = "As::<AnyDuration>")]
    pub deadline: Duration,
}

/// The part of the deadline over which closes may be spread at most, so that the last peer to be
/// closed has time to answer.
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
