//! `[route.headers]`: the headers of the handshake request sent upstream.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::values::Secret;

/// The headers of the handshake request sent upstream.
///
/// Headers are removed first, then set; the forwarding headers come last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct HeaderSettings {
    /// Headers to set; values may use {client_ip}, {host}, {route}, {session}, {subject}, {claim.NAME}, {tls.subject}
    /// and {path.NAME}.
    pub set: BTreeMap<String, Secret>,
    /// Headers to remove.
    pub remove: Vec<String>,
    /// Headers that only a trusted proxy may send, beside those that proxies and CDNs are known to
    /// send; a client's are removed.
    pub remove_untrusted: Vec<String>,
    /// The headers that tell the upstream the client's address: x-forwarded (-For, -Proto and
    /// -Host), forwarded (RFC 7239), both or off.
    pub forwarded: Forwarded,
}

/// The headers that tell the upstream the client's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Forwarded {
    /// `X-Forwarded-For`, `-Proto` and `-Host`.
    #[default]
    #[serde(rename = "x-forwarded")]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    #[serde(rename = "forwarded")]
    Standard,
    /// Both of them.
    Both,
    /// None of them.
    Off,
}

impl Forwarded {
    /// Whether `X-Forwarded-*` are sent.
    pub(crate) fn has_x_forwarded(self) -> bool {
        matches!(self, Self::XForwarded | Self::Both)
    }

    /// Whether `Forwarded` is sent.
    pub(crate) fn has_standard(self) -> bool {
        matches!(self, Self::Standard | Self::Both)
    }
}
