//! The settings: what they mean and what they default to.
//!
//! This is the only door for settings. [`Settings`] is what a file holds, or a program builds; the
//! types of its tables are the reference of every key. [`Config`] is what has been
//! checked.

mod check;
mod checked;
mod credentials;
mod errors;
mod load;
mod named_file;
mod report;
#[cfg(feature = "server")]
mod schema;
mod settings;
#[cfg(feature = "server")]
mod shown;
mod summary;
mod values;

pub use checked::Config;
pub use errors::{ConfigError, ConfigErrors};
#[cfg(feature = "server")]
pub use load::admin::{AdminToken, acme_state_dir, admin_listener, publish_listener};
#[cfg(feature = "server")]
pub use schema::schema;
pub use settings::Settings;
pub use settings::acme::AcmeSettings;
pub use settings::address::AddressRules;
pub use settings::auth::{ForwardAuth, KeyFile, RouteAuth, TicketSettings};
pub use settings::channels::{ChannelSettings, OnSlow};
pub use settings::client_ip::{ClientIp, ForwardingHeader};
pub use settings::drain::Drain;
pub use settings::headers::{Forwarded, HeaderSettings};
pub use settings::http_versions::{HttpVersion, HttpVersions};
pub use settings::issuer::{IssuerSettings, TokenAlgorithm};
pub use settings::keepalive::{Keepalive, Ping};
pub use settings::limits::{Limits, OnExceed, PerConnection, PerIp, PerSubject};
pub use settings::listen_tls::{CertificateFiles, ClientAuth, ListenTls, TlsVersion};
pub use settings::origin::OriginRules;
pub use settings::plain_http::{HttpMode, HttpOrigin, PlainHttp};
pub use settings::program::{Admin, Listen, Log, LogFormat, Server};
pub use settings::proxy_protocol::ProxyProtocol;
pub use settings::publish::{Publish, PublishToken};
pub use settings::route::{Compression, EncodedSlashes, RouteSettings};
pub use settings::shared::{OnFailure, SharedLimit, SharedSettings};
pub use settings::timeouts::Timeouts;
pub use settings::upstream::{
    Balance, Passive, SentProxyProtocol, ServerEntry, UpstreamHttp, UpstreamSettings, UpstreamTls,
};
pub use values::channel_name::ChannelName;
pub use values::channel_pattern::ChannelPattern;
pub use values::claim_values::{ClaimValue, ClaimValues};
pub use values::credential_source::CredentialSource;
#[cfg(feature = "server")]
pub use values::duration::parse_duration;
pub use values::error::ValueError;
pub use values::host::HostPattern;
pub use values::listen::ListenAddress;
pub use values::network::{Network, parse_network};
pub use values::on_expiry::OnExpiry;
pub use values::origin::{ExactOrigin, OriginPattern};
pub use values::path::PathPattern;
pub use values::rate::Rate;
pub use values::retries::Retries;
pub use values::secret::Secret;
pub use values::server_url::ServerUrl;
pub use values::shared_url::SharedUrl;

#[cfg(feature = "acme")]
pub(crate) use checked::acme::AcmeOrder;
#[cfg(feature = "auth")]
pub(crate) use checked::auth::{
    AuthRules, AuthServer, Issuer, IssuerKeys, RequiredValue, Requirement,
};
pub(crate) use checked::route::Route;
pub(crate) use checked::rule::Rule;
#[cfg(feature = "shared")]
pub(crate) use checked::shared::{Engine, SharedRules};
pub(crate) use checked::upstream::{Upstream, UpstreamServer};
#[cfg(feature = "server")]
pub(crate) use load::file::{FileError, can_be_read_again, read_again};
#[cfg(feature = "server")]
pub(crate) use named_file::{Fingerprint, NamedFile};
pub(crate) use values::channel_template::ChannelTemplate;
pub(crate) use values::network::networks_contain;
pub(crate) use values::normal_path::{
    has_dot_segment, has_encoded_slash, normal_path, with_reserved_decoded, with_slashes_decoded,
};
pub(crate) use values::origin::Origin;
pub(crate) use values::server_url::ServerAddress;
#[cfg(feature = "shared")]
pub(crate) use values::shared_url::EngineLayout;
pub(crate) use values::template::{Template, Values};

#[cfg(test)]
pub(crate) use values::rewrite::Rewrite;
