//! `[[route]]`: what a request must look like, where it goes and under which rules.

use serde::{Deserialize, Serialize};

use super::address::AddressRules;
use super::headers::HeaderSettings;
use super::keepalive::Keepalive;
use super::limits::Limits;
use super::origin::OriginRules;
use super::timeouts::Timeouts;
use crate::close::CloseCode;
use crate::config::values::{As, HostPattern, Name, OneOrMany, PathPattern};

/// What a request must look like, where it goes and under which rules.
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
    /// The name in logs and the admin interface; each has its own.
    #[serde(with = "As::<Name>")]
    pub name: String,
    /// "chat.example.com", "*.example.com" or a list of them; every host if absent.
    #[serde(with = "OneOrMany::<HostPattern>")]
    pub host: Vec<HostPattern>,
    /// "/ws" (this path only), "/ws/*" (all below it), "/rooms/{id}" or "/*" (all).
    #[cfg_attr(feature = "server", schemars(with = "PathPattern"))]
    pub path: Option<PathPattern>,
    /// Match only handshakes that offer one of these; empty matches all.
    pub subprotocols: Vec<String>,
    /// The name of the pool that serves the route.
    pub upstream: String,
    /// The path sent upstream; the request's own if absent.
    #[cfg_attr(feature = "server", schemars(with = "String"))]
    pub rewrite: Option<String>,
    /// Plain HTTP requests: refuse (426) or forward to the same upstream.
    pub http: PlainHttp,
    /// permessage-deflate: passthrough or off; off by default where validate_utf8 is true.
    #[cfg_attr(
        feature = "server",
        schemars(with = "Compression", extend("default" = Compression::default()))
    )]
    pub compression: Option<Compression>,
    /// Close a session whose text is not UTF-8 with 1007; not with compression passthrough.
    pub validate_utf8: bool,
    /// The close code for the client when the upstream vanishes.
    pub upstream_lost: CloseCode,
    /// Which web pages may open a session.
    pub origin: OriginRules,
    /// Which client addresses are let in.
    pub address: AddressRules,
    /// How much a client may do.
    pub limits: Limits,
    /// Pings to both sides.
    pub keepalive: Keepalive,
    /// How long a session may do nothing, or anything.
    pub timeouts: Timeouts,
    /// What the handshake request sent upstream carries.
    pub headers: HeaderSettings,
}

/// The keys of a route that are its own: `[defaults]` cannot hold them.
pub(in crate::config) const OWN_KEYS: [&str; 6] = [
    "name",
    "host",
    "path",
    "subprotocols",
    "upstream",
    "rewrite",
];

/// What becomes of a plain HTTP request on a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PlainHttp {
    /// It is refused with 426.
    #[default]
    Refuse,
    /// It goes to the same upstream.
    Forward,
}

/// What becomes of an offer of `permessage-deflate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Client and upstream agree on it.
    #[default]
    Passthrough,
    /// It is taken out.
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
            compression: None,
            validate_utf8: false,
            upstream_lost: CloseCode::INTERNAL_ERROR,
            origin: OriginRules::default(),
            address: AddressRules::default(),
            limits: Limits::default(),
            keepalive: Keepalive::default(),
            timeouts: Timeouts::default(),
            headers: HeaderSettings::default(),
        }
    }
}
