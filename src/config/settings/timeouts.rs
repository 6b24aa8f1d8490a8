//! `[route.timeouts]`: the time limits of a session.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::values::{As, Positive, ZeroForNever};

/// The time limits of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Close a session without a data frame in either direction for this time; "0s" is no limit.
    #[serde(with = "As::<ZeroForNever>")]
    pub idle: Option<Duration>,
    /// The longest duration of a session; "0s" is no limit.
    #[serde(with = "As::<ZeroForNever>")]
    pub lifetime: Option<Duration>,
    /// A peer that reads no byte for this time is closed as a slow reader.
    #[serde(with = "As::<Positive>")]
    pub write: Duration,
    /// The longest wait for a peer's answer to a close frame.
    #[serde(with = "As::<Positive>")]
    pub close: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            idle: None,
            lifetime: None,
            write: Duration::from_secs(60),
            close: Duration::from_secs(5),
        }
    }
}
