//! Settings as a file, or a program in Rust, writes them: every key is a field.
//!
//! The doc comment of a field is what the JSON schema says of its key. Tests hold
//! `config/full.toml` and `docs/configuration.md` to the fields.

pub(super) mod acme;
pub(super) mod address;
pub(super) mod auth;
pub(super) mod channels;
pub(super) mod client_ip;
pub(super) mod drain;
pub(super) mod headers;
pub(super) mod http_versions;
pub(super) mod issuer;
pub(super) mod keepalive;
pub(super) mod limits;
pub(super) mod listen_tls;
pub(super) mod origin;
pub(super) mod plain_http;
pub(super) mod program;
pub(super) mod proxy_protocol;
pub(super) mod publish;
pub(super) mod route;
pub(super) mod shared;
pub(super) mod timeouts;
pub(super) mod upstream;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(super) use acme::AcmeSettings;
pub(super) use address::AddressRules;
#[cfg(feature = "auth")]
pub(super) use auth::{ForwardAuth, KeyFile, RouteAuth};
pub(super) use channels::{ChannelSettings, OnSlow};
pub(super) use client_ip::ClientIp;
pub(super) use drain::Drain;
pub(super) use headers::{Forwarded, HeaderSettings};
pub(super) use issuer::IssuerSettings;
#[cfg(feature = "auth")]
pub(super) use issuer::TokenAlgorithm;
pub(super) use keepalive::Keepalive;
pub(super) use limits::{Limits, OnExceed};
#[cfg(feature = "tls")]
pub(super) use listen_tls::{CertificateFiles, ClientAuth, ListenTls, TlsVersion};
pub(super) use origin::OriginRules;
pub(super) use plain_http::PlainHttp;
pub(super) use program::{Admin, Listen, Log, Server};
pub(super) use proxy_protocol::ProxyProtocol;
pub(super) use publish::Publish;
pub(super) use route::{Compression, EncodedSlashes, OWN_KEYS, RouteSettings};
pub(super) use shared::SharedSettings;
#[cfg(feature = "shared")]
pub(super) use shared::{OnFailure, SharedLimit};
pub(super) use timeouts::Timeouts;
pub(super) use upstream::{
    Balance, Passive, SentProxyProtocol, ServerEntry, UpstreamHttp, UpstreamSettings, UpstreamTls,
};

/// Settings of wsgate.
///
/// They have the content of a file. They can also be built in Rust or read from any serde format.
/// [`Config::new`](crate::Config::new) checks them.
///
/// ```
/// use std::time::Duration;
/// use wsgate::config::{RouteSettings, Timeouts, UpstreamSettings};
/// use wsgate::{Config, Settings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let chat = UpstreamSettings {
///     servers: vec!["ws://127.0.0.1:9001".parse()?],
///     ..Default::default()
/// };
/// let route = RouteSettings {
///     name: "chat".to_owned(),
///     path: Some("/ws/*".parse()?),
///     upstream: "chat".to_owned(),
///     timeouts: Timeouts {
///         idle: Some(Duration::from_secs(300)),
///         ..Default::default()
///     },
///     ..Default::default()
/// };
/// let config = Config::new(Settings {
///     upstream: [("chat".to_owned(), chat)].into(),
///     route: vec![route],
///     ..Default::default()
/// })?;
/// # let _ = config;
/// # Ok(()) }
/// ```
///
/// A later release adds a key as a field with a default. End every literal of these types with
/// `..Default::default()`: it still compiles then, with the same meaning.
///
/// `[defaults]` is a table of files only: in Rust, make a route with the common settings and end the
/// others with `..common.clone()`.
///
/// Serialized, they show `***` in the place of the tokens of the admin interface and of publishers, of the secrets of
/// issuers, of the engine's password and of the values of headers that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "server", schemars(description = "Settings of wsgate."))]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The listeners of the program; 127.0.0.1:8080 if there is none. The library ignores them.
    pub listen: Vec<Listen>,
    /// Certificates that authorities are asked for, by name.
    pub acme: BTreeMap<String, AcmeSettings>,
    /// Who signs the tokens that clients show, by name.
    pub issuer: BTreeMap<String, IssuerSettings>,
    /// How the client's address is found behind trusted proxies, and what counts as one client.
    pub client_ip: ClientIp,
    /// The admin listener; without this table there is none.
    #[cfg_attr(feature = "server", schemars(with = "Admin"))]
    pub admin: Option<Admin>,
    /// The listener for publishers; without this table there is none. The library ignores it.
    #[cfg_attr(feature = "server", schemars(with = "Publish"))]
    pub publish: Option<Publish>,
    /// The engine that several processes share; without this table each is alone.
    #[cfg_attr(feature = "server", schemars(with = "SharedSettings"))]
    pub shared: Option<SharedSettings>,
    /// The program's log.
    pub log: Log,
    /// How sessions are closed when the gate stops.
    pub drain: Drain,
    /// The program's process.
    pub server: Server,
    /// Pools of servers, by name.
    pub upstream: BTreeMap<String, UpstreamSettings>,
    /// The routes; the first that matches a request handles it.
    pub route: Vec<RouteSettings>,
}
