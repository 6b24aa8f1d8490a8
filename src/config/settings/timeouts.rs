//! `[route.timeouts]`: how long a session may do nothing, or anything.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::values::{As, Positive, ZeroForNever};

/// How long a session may do nothing, or anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Without a data frame in either direction; "0s" is for ever.
    #[serde(with = "As::<ZeroForNever>")]
    pub idle: Option<Duration>,
    /// Of the whole session; "0s" is for ever.
    #[serde(with = "As::<ZeroForNever>")]
    pub lifetime: Option<Duration>,
    /// A peer that takes no byte for so long is a slow reader.
    #[serde(with = "As::<Positive>")]
    pub write: Duration,
    /// How long a peer may take to answer a close frame.
    #[serde(with = "As::<Positive>")]
    pub close: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            idle: None,
            lifetime: None,
            write: Duration::from_secs(10),
            close: Duration::from_secs(5),
        }
    }
}
