//! A route with its names resolved.

use std::sync::Arc;

use http::HeaderName;

use super::auth::AuthRules;
use super::channels::ChannelRules;
use super::upstream::Upstream;
use crate::close::CloseCode;
#[cfg(test)]
use crate::config::settings::upstream::UpstreamSettings;
use crate::config::settings::{
    AddressRules, Compression, EncodedSlashes, Forwarded, Keepalive, Limits, OriginRules,
    PlainHttp, Timeouts,
};
use crate::config::values::{HostPattern, PathPattern, Rewrite, Template};

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
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the program"))]
    pub(crate) http: PlainHttp,
    pub(crate) encoded_slashes: EncodedSlashes,
    pub(crate) compression: Compression,
    /// Close a session whose text is not UTF-8; only with [`Compression::Off`].
    pub(crate) validate_utf8: bool,
    /// The code for the client whose upstream vanished.
    pub(crate) upstream_lost: CloseCode,
    pub(crate) origin: OriginRules,
    pub(crate) address: AddressRules,
    /// `None` lets everybody in.
    pub(crate) auth: Option<AuthRules>,
    pub(crate) limits: Limits,
    pub(crate) channels: ChannelRules,
    pub(crate) keepalive: Keepalive,
    pub(crate) timeouts: Timeouts,
    pub(crate) headers: Headers,
}

/// Changes to the request's headers, applied in this order: remove, set, forwarding headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers {
    pub(crate) set: Vec<(HeaderName, Template)>,
    pub(crate) remove: Vec<HeaderName>,
    /// Removed unless the peer is a trusted proxy.
    pub(crate) remove_untrusted: Vec<HeaderName>,
    pub(crate) forwarded: Forwarded,
}

#[cfg(test)]
impl Route {
    /// A route with every default, to an upstream that is never used.
    pub(crate) fn for_tests(name: &str, path: &str) -> Self {
        let settings = UpstreamSettings::default();
        let upstream = Upstream {
            name: "upstream".into(),
            servers: Vec::new(),
            http: settings.http,
            balance: settings.balance,
            connect_timeout: settings.connect_timeout,
            handshake_timeout: settings.handshake_timeout,
            head_size: settings.head_size,
            retries: settings.retries,
            retry_timeout: settings.retry_timeout,
            passive: settings.passive,
            proxy_protocol: settings.proxy_protocol,
            tls: None,
            max_connections: settings.max_connections,
        };
        Self {
            name: name.into(),
            hosts: Vec::new(),
            path: path.parse().unwrap(),
            subprotocols: Vec::new(),
            upstream: Arc::new(upstream),
            rewrite: None,
            http: PlainHttp::default(),
            encoded_slashes: EncodedSlashes::default(),
            compression: Compression::default(),
            validate_utf8: false,
            upstream_lost: CloseCode::INTERNAL_ERROR,
            origin: OriginRules::default(),
            address: AddressRules::default(),
            auth: None,
            limits: Limits::default(),
            channels: ChannelRules::default(),
            keepalive: Keepalive::default(),
            timeouts: Timeouts::default(),
            headers: Headers::default(),
        }
    }
}
