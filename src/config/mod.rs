//! The settings: what they mean and what they default to.
//!
//! This is the only door for settings. The typed values stand here, one small file a topic, with
//! their defaults; reading them from TOML, with every error at once, is the business of
//! `file.rs` and `resolve.rs`.

mod address;
mod client_ip;
mod drain;
mod duration;
mod error;
mod file;
mod headers;
mod host;
mod interpolate;
mod keepalive;
mod limits;
mod load;
mod log;
mod network;
mod number;
mod origin;
mod path;
mod rate;
mod reader;
mod resolve;
#[cfg(feature = "server")]
mod resolved;
mod route;
#[cfg(feature = "server")]
mod schema;
mod secret;
mod server;
mod server_url;
mod size;
mod summary;
mod table;
mod text;
mod timeouts;
mod upstream;
mod value;
mod words;

use std::sync::Arc;

pub use address::parse_network;
pub use client_ip::{ClientIp, ForwardingHeader};
pub use drain::Drain;
#[cfg(feature = "server")]
pub use duration::parse_duration;
pub use error::{ConfigError, ConfigErrors};
pub use keepalive::{Keepalive, Ping};
pub use limits::{Limits, OnExceed, PerConnection, PerIp};
#[cfg(feature = "server")]
pub use load::{AdminToken, admin_listener};
pub use rate::Rate;
#[cfg(feature = "server")]
pub use schema::schema;
pub use secret::Secret;
pub use server::{Admin, ListenAddress};
pub use value::ValueError;

pub(crate) use address::{AddressRules, networks_contain};
pub(crate) use headers::{Forwarded, Headers, Template, Values};
pub(crate) use host::HostPattern;
pub(crate) use log::{Log, LogFormat};
pub(crate) use origin::{Origin, OriginPattern, OriginRules};
pub(crate) use path::{Captures, PathPattern, Rewrite, is_dot_segment};
pub(crate) use route::{Compression, PlainHttp, Route};
pub(crate) use server::{Listen, Server};
pub(crate) use timeouts::Timeouts;
pub(crate) use upstream::{Balance, ServerAddress, Upstream, UpstreamServer};

/// A whole, checked set of settings.
///
/// There is no way to make one with a contradiction in it: every value has been parsed, every
/// name resolved, every route's defaults filled in.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub(crate) listen: Vec<Listen>,
    pub(crate) client_ip: ClientIp,
    pub(crate) admin: Option<Admin>,
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the program"))]
    pub(crate) log: Log,
    pub(crate) drain: Drain,
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the program"))]
    pub(crate) server: Server,
    /// In file order; names are unique.
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    /// In file order, which is the order of matching; names are unique.
    pub(crate) routes: Vec<Arc<Route>>,
    /// What is allowed but probably not meant, for `check` and the log.
    pub(crate) warnings: Vec<String>,
}
