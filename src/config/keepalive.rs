//! `[route.keepalive]`: pings to both sides.

use std::time::Duration;

/// The pings of both legs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    pub(crate) client: Ping,
    pub(crate) upstream: Ping,
}

/// The pings of one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// A ping goes out after so long without a received byte; `None` sends none.
    pub(crate) interval: Option<Duration>,
    /// A peer that then sends nothing for so long is gone.
    pub(crate) timeout: Duration,
}

impl Default for Ping {
    fn default() -> Self {
        Self {
            interval: Some(Duration::from_secs(30)),
            timeout: Duration::from_secs(15),
        }
    }
}
