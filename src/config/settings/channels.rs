//! `[route.channels]`: the channels of a route's sessions, and what waits for one of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::values::{As, Number, Size};

/// The channels of a route's sessions. A client never names one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ChannelSettings {
    /// The channels that a session is in from its start; a segment may be a placeholder of headers.set.
    pub join: Vec<String>,
    /// Whether the upstream's answer to the handshake may name more of them, in the header Wsgate-Channels.
    pub upstream_header: bool,
    /// The bytes of publications that may wait for a session whose client does not read; one always may. Until its socket has
    /// refused something, up to 1 MiB may wait.
    #[serde(with = "As::<Size>")]
    pub queue: u64,
    /// The action for a session whose queue is full: close (1008), drop_oldest or latest.
    pub on_slow: OnSlow,
    /// The last publications of a channel that a session gets when it joins, 100 at most.
    #[serde(with = "Number::<0, 100>")]
    pub retain: usize,
}

/// The action for a session that does not read what is published to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnSlow {
    /// The session is closed with 1008.
    #[default]
    Close,
    /// The publications that have waited longest are dropped.
    DropOldest,
    /// Of each channel only the newest publication waits.
    Latest,
}

/// The word of the settings.
impl fmt::Display for OnSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Default for ChannelSettings {
    fn default() -> Self {
        Self {
            join: Vec::new(),
            upstream_header: false,
            queue: 64 * 1024,
            on_slow: OnSlow::default(),
            retain: 0,
        }
    }
}
