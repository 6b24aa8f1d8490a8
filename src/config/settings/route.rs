//! `[[route]]`: which requests match, where they go, and the rules for them.

use serde::{Deserialize, Serialize};

use super::address::AddressRules;
use super::auth::RouteAuth;
use super::channels::ChannelSettings;
use super::headers::HeaderSettings;
use super::keepalive::Keepalive;
use super::limits::Limits;
use super::origin::OriginRules;
use super::plain_http::PlainHttp;
use super::timeouts::Timeouts;
use crate::close::CloseCode;
use crate::config::values::{As, HostPattern, Name, OneOrMany, PathPattern};

/// Which requests match, where they go, and the rules for them.
///
/// `name`, `path` and `upstream` have no default: without one of them the settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "server",
    schemars(extend("required" = ["name", "path", "upstream"]))
)]
#[serde(default, deny_unknown_fields)]
pub struct RouteSettings {
    /// The unique name in logs and the admin interface.
    #[serde(with = "As::<Name>")]
    pub name: String,
    /// "chat.example.com", "*.example.com" or a list of them; by default every host.
    #[serde(with = "OneOrMany::<HostPattern>")]
    pub host: Vec<HostPattern>,
    /// "/ws" (this path only), "/ws/*" (all paths below it), "/rooms/{id}" or "/*" (all).
    #[cfg_attr(feature = "server", schemars(with = "PathPattern"))]
    pub path: Option<PathPattern>,
    /// Match only handshakes that offer one of these; empty matches all.
    pub subprotocols: Vec<String>,
    /// The name of the pool that serves the route.
    pub upstream: String,
    /// The path sent upstream; by default the request's path.
    #[cfg_attr(feature = "server", schemars(with = "String"))]
    pub rewrite: Option<String>,
    /// The action for a plain HTTP request: refuse (426), forward to the same upstream, or a table.
    #[cfg_attr(feature = "server", schemars(extend("default" = "refuse")))]
    pub http: PlainHttp,
    /// The action for a path with an encoded slash (%2F): refuse (400), or pass it on as it is, as a
    /// character of a segment.
    pub encoded_slashes: EncodedSlashes,
    /// The action for an offer of permessage-deflate: passthrough or off; off by default with
    /// validate_utf8.
    #[cfg_attr(
        feature = "server",
        schemars(with = "Compression", extend("default" = Compression::default()))
    )]
    pub compression: Option<Compression>,
    /// Close a session with 1007 if its text is not UTF-8; not allowed with compression passthrough.
    pub validate_utf8: bool,
    /// The close code for the client if the upstream's connection is lost.
    pub upstream_lost: CloseCode,
    /// Which web pages may open a session.
    pub origin: OriginRules,
    /// Which client addresses are allowed.
    pub address: AddressRules,
    /// Who may come in, and for how long; without this table everybody may.
    #[cfg_attr(feature = "server", schemars(with = "RouteAuth"))]
    pub auth: Option<RouteAuth>,
    /// Limits on what a client sends, and on its sessions.
    pub limits: Limits,
    /// The channels of its sessions, and what waits for one of them.
    pub channels: ChannelSettings,
    /// Pings to both sides.
    pub keepalive: Keepalive,
    /// The time limits of a session.
    pub timeouts: Timeouts,
    /// The headers of the handshake request sent upstream.
    pub headers: HeaderSettings,
}

/// The keys that only a route has: `[defaults]` cannot have them.
pub(in crate::config) const OWN_KEYS: [&str; 6] = [
    "name",
    "host",
    "path",
    "subprotocols",
    "upstream",
    "rewrite",
];

/// The action for a path with an encoded slash (`%2F`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EncodedSlashes {
    /// The request is refused, and so is one whose path belongs to the route if `%2F` is read as `/`.
    #[default]
    Refuse,
    /// It is an ordinary character of a segment, and goes upstream as `%2F`.
    Pass,
}

/// The action for an offer of `permessage-deflate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// It is forwarded: client and upstream negotiate it.
    #[default]
    Passthrough,
    /// It is removed.
    Off,
}

impl Default for RouteSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            host: Vec::new(),
            path: None,
            subprotocols: Vec::new(),
            upstream: String::new(),
            rewrite: None,
            http: PlainHttp::default(),
            encoded_slashes: EncodedSlashes::default(),
            compression: None,
            validate_utf8: false,
            upstream_lost: CloseCode::INTERNAL_ERROR,
            origin: OriginRules::default(),
            address: AddressRules::default(),
            auth: None,
            limits: Limits::default(),
            channels: ChannelSettings::default(),
            keepalive: Keepalive::default(),
            timeouts: Timeouts::default(),
            headers: HeaderSettings::default(),
        }
    }
}
