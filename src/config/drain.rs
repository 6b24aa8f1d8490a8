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

impl Default for Drain {
    fn default() -> Self {
        Self {
            close_code: CloseCode::GOING_AWAY,
            spread: Duration::from_secs(10),
            deadline: Duration::from_secs(30),
        }
    }
}
