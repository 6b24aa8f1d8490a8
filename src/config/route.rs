//! `[[route]]`: what a request must look like, where it goes and under which rules.

use std::sync::Arc;

use super::{
    AddressRules, Headers, HostPattern, Keepalive, Limits, OriginRules, PathPattern, Rewrite,
    Timeouts, Upstream,
};
use crate::close::CloseCode;

/// One route.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route {
    /// Unique; the name in logs.
    pub(crate) name: Arc<str>,
    /// Empty matches every host.
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) path: PathPattern,
    /// Match only offers that hold one of these; empty matches all.
    pub(crate) subprotocols: Vec<String>,
    pub(crate) upstream: Arc<Upstream>,
    /// The path sent upstream; `None` sends the request's own.
    pub(crate) rewrite: Option<Rewrite>,
    /// The rewrite holds an environment variable, which may be a secret of the upstream's paths.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the program"))]
    pub(crate) rewrite_is_filled: bool,
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the program"))]
    pub(crate) http: PlainHttp,
    pub(crate) compression: Compression,
    /// Close a session whose text is not UTF-8; only with [`Compression::Off`].
    pub(crate) validate_utf8: bool,
    /// The code for the client whose upstream vanished.
    pub(crate) upstream_lost: CloseCode,
    pub(crate) origin: OriginRules,
    pub(crate) address: AddressRules,
    pub(crate) limits: Limits,
    pub(crate) keepalive: Keepalive,
    pub(crate) timeouts: Timeouts,
    pub(crate) headers: Headers,
}

/// What becomes of a plain HTTP request on a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PlainHttp {
    #[default]
    Refuse,
    Forward,
}

/// What becomes of an offer of `permessage-deflate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Compression {
    #[default]
    Passthrough,
    Off,
}

#[cfg(test)]
impl Route {
    /// A route with every default, to an upstream that nobody asks.
    pub(crate) fn for_tests(name: &str, path: &str) -> Self {
        let upstream = Upstream {
            name: "upstream".into(),
            servers: Vec::new(),
            balance: Default::default(),
            connect_timeout: Upstream::CONNECT_TIMEOUT,
            handshake_timeout: Upstream::HANDSHAKE_TIMEOUT,
            retries: Upstream::RETRIES,
            max_connections: None,
        };
        Self {
            name: name.into(),
            hosts: Vec::new(),
            path: path.parse().unwrap(),
            subprotocols: Vec::new(),
            upstream: Arc::new(upstream),
            rewrite: None,
            rewrite_is_filled: false,
            http: PlainHttp::default(),
            compression: Compression::default(),
            validate_utf8: false,
            upstream_lost: CloseCode::INTERNAL_ERROR,
            origin: OriginRules::default(),
            address: AddressRules::default(),
            limits: Limits::default(),
            keepalive: Keepalive::default(),
            timeouts: Timeouts::default(),
            headers: Headers::default(),
        }
    }
}
