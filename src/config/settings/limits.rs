//! `[route.limits]`: limits on what a client sends, and on its sessions.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::values::{As, Bytes, Counts, Rate, Size, ZeroForNone};

/// Limits on what a client sends, and on its sessions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Limits of one client address, over all its sessions on the route.
    pub per_ip: PerIp,
    /// Limits of one user, over all the user's sessions on the route.
    pub per_subject: PerSubject,
    /// Limits of one session.
    pub per_connection: PerConnection,
    /// The action for a client over its message or byte rate: close (1008), delay or drop.
    pub on_exceed: OnExceed,
    /// The largest message in either direction, fragments summed; a larger one closes the session
    /// with 1009.
    #[serde(with = "As::<Size>")]
    pub message_size: u64,
}

/// Limits of one client address, over all its sessions on the route; `None` is no limit.
///
/// [`ClientIp`](crate::config::ClientIp) defines what counts as one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PerIp {
    /// Open sessions; 0 is no limit.
    #[serde(with = "ZeroForNone")]
    pub connections: Option<u32>,
    /// Handshakes.
    #[serde(with = "Counts")]
    pub handshakes: Option<Rate>,
    /// Messages, client to upstream.
    #[serde(with = "Counts")]
    pub messages: Option<Rate>,
    /// Bytes, client to upstream.
    #[serde(with = "Bytes")]
    pub bytes: Option<Rate>,
}

/// Limits of one user, over all the user's sessions on the route; `None` is no limit.
///
/// The user is the subject of the identity that a policy has found, with the issuer of its token. A client without a
/// subject has no limit here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PerSubject {
    /// Open sessions; 0 is no limit.
    #[serde(with = "ZeroForNone")]
    pub connections: Option<u32>,
    /// Handshakes.
    #[serde(with = "Counts")]
    pub handshakes: Option<Rate>,
    /// Messages, client to upstream.
    #[serde(with = "Counts")]
    pub messages: Option<Rate>,
    /// Bytes, client to upstream.
    #[serde(with = "Bytes")]
    pub bytes: Option<Rate>,
}

/// Limits of one session, client to upstream; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PerConnection {
    /// Messages, client to upstream.
    #[serde(with = "Counts")]
    pub messages: Option<Rate>,
    /// Bytes, client to upstream.
    #[serde(with = "Bytes")]
    pub bytes: Option<Rate>,
}

/// The action for a client over its message or byte rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnExceed {
    /// The session is closed with 1008.
    #[default]
    Close,
    /// wsgate stops reading until the client is within its rate again.
    Delay,
    /// The whole message is dropped. A compressed session is closed instead, because the messages
    /// after a missing one cannot be decompressed (RFC 7692 §7.1.1).
    Drop,
}

/// The word of the settings.
impl fmt::Display for OnExceed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_ip: PerIp::default(),
            per_subject: PerSubject::default(),
            per_connection: PerConnection::default(),
            on_exceed: OnExceed::default(),
            message_size: 16 * 1024 * 1024,
        }
    }
}
