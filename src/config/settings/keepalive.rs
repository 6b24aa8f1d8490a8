//! `[route.keepalive]`: pings to both sides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::values::{As, Positive, ZeroForNever};

/// Pings to both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Keepalive {
    /// Pings to the client.
    pub client: Ping,
    /// Pings to the upstream.
    pub upstream: Ping,
}

/// Pings to one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Ping {
    /// A peer that has sent nothing for this time is pinged; "0s" turns pings off.
    #[serde(with = "As::<ZeroForNever>")]
    pub interval: Option<Duration>,
    /// If the peer then sends nothing for this time, the session is closed.
    #[serde(with = "As::<Positive>")]
    pub timeout: Duration,
}

impl Default for Ping {
    fn default() -> Self {
        Self {
            interval: Some(Duration::from_secs(30)),
            timeout: Duration::from_secs(15),
        }
    }
}
