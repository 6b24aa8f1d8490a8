//! `[publish]`: the listener for publishers, a setting of the program and not of the library.

use serde::{Deserialize, Serialize};

use super::listen_tls::ListenTls;
use crate::config::values::{
    As, ChannelPattern, ListenAddress, Name, Secret, Size, required_token,
};

/// The listener for applications that publish to sessions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "server", schemars(extend("required" = ["address", "tokens"])))]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The address to listen on. Every request needs a token, also on a loopback address and a unix socket.
    pub address: ListenAddress,
    /// The bearer tokens that requests may carry, at least one.
    #[serde(default)]
    pub tokens: Vec<PublishToken>,
    /// The largest publication.
    #[serde(default = "message_size", with = "As::<Size>")]
    pub message_size: u64,
    /// TLS with its clients; without this table they speak plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenTls>,
}

/// The token of a publisher, and what it allows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishToken {
    /// The unique name of the token in logs.
    #[serde(with = "As::<Name>")]
    pub name: String,
    /// The bearer token itself.
    #[serde(deserialize_with = "required_token")]
    pub token: Secret,
    /// The channels that it publishes to, reads and changes: "room.42", "user.*" (one segment), "user.**" (one or more) or
    /// "**" (all).
    #[serde(default)]
    pub channels: Vec<ChannelPattern>,
    /// Whether it publishes to single sessions and to subjects, and adds sessions to its channels.
    #[serde(default)]
    pub direct: bool,
    /// Whether it issues one-time tickets.
    #[serde(default)]
    pub tickets: bool,
}

impl PublishToken {
    /// Whether it allows anything.
    pub(in crate::config) fn allows_nothing(&self) -> bool {
        self.channels.is_empty() && !self.direct && !self.tickets
    }
}

fn message_size() -> u64 {
    1024 * 1024
}
