//! `[route.keepalive]`: pings to both sides.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::config::values::{As, Positive, ZeroForNever};

/// Pings to both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Keepalive {
    /// Pings to the client.
    pub client: Ping,
    /// Pings to the upstream.
    #[serde(deserialize_with = "upstream_ping")]
    #[cfg_attr(feature = "server", schemars(with = "UpstreamPing"))]
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

/// Pings to the upstream. A server of one thread may be busy for a while, and is not gone.
#[derive(Deserialize)]
#[cfg_attr(feature = "server", derive(Serialize, schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
struct UpstreamPing {
    /// A ping goes out after so long without a received byte; "0s" sends none.
    #[serde(with = "As::<ZeroForNever>")]
    interval: Option<Duration>,
    /// A peer that then sends nothing for so long is gone.
    #[serde(with = "As::<Positive>")]
    timeout: Duration,
}

fn upstream_ping<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ping, D::Error> {
    let UpstreamPing { interval, timeout } = UpstreamPing::deserialize(deserializer)?;
    Ok(Ping { interval, timeout })
}

impl Default for UpstreamPing {
    fn default() -> Self {
        Self {
            interval: Ping::default().interval,
            timeout: Duration::from_secs(60),
        }
    }
}

impl Default for Keepalive {
    fn default() -> Self {
        let UpstreamPing { interval, timeout } = UpstreamPing::default();
        Self {
            client: Ping::default(),
            upstream: Ping { interval, timeout },
        }
    }
}

impl Default for Ping {
    fn default() -> Self {
        Self {
            interval: Some(Duration::from_secs(30)),
            timeout: Duration::from_secs(15),
        }
    }
}
