//! `[upstream.NAME]`: a pool of servers.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

use crate::config::values::{
    As, FilePath, HeadSize, Number, Positive, Retries, ServerName, ServerUrl, Text, ValueError,
    ZeroForNone, schema,
};

/// A pool of interchangeable servers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "server", schemars(extend("required" = ["servers"])))]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamSettings {
    /// URLs of the servers: ws://host:port, ws://host:port/base, wss:// for TLS, unix:/path or
    /// unix:/path:/base.
    pub servers: Vec<ServerEntry>,
    /// The version of HTTP that is spoken with the servers.
    pub http: UpstreamHttp,
    /// How the server for a new session is selected.
    pub balance: Balance,
    /// The longest wait for a connection to a server.
    #[serde(with = "As::<Positive>")]
    pub connect_timeout: Duration,
    /// The longest wait for a server's answer to the handshake.
    #[serde(with = "As::<Positive>")]
    pub handshake_timeout: Duration,
    /// The largest head of a server's answer to the handshake, from 8KiB to 1MiB.
    #[serde(with = "As::<HeadSize>")]
    pub head_size: usize,
    /// Other servers to try after a failed connect: "all" or a number; none after the request was sent.
    pub retries: Retries,
    /// No other server is tried after this time.
    #[serde(with = "As::<Positive>")]
    pub retry_timeout: Duration,
    /// The limit on sessions of one server; 0 is no limit.
    #[serde(with = "ZeroForNone")]
    pub max_connections: Option<u32>,
    /// Whether a connection to a server begins with a PROXY header that names the client: off, v1 or v2.
    pub proxy_protocol: SentProxyProtocol,
    /// A server that has failed is tried last for a while.
    pub passive: Passive,
    /// TLS with servers whose URLs begin with wss://.
    pub tls: UpstreamTls,
}

/// Whether a connection to a server begins with a header of the PROXY protocol, which names the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SentProxyProtocol {
    /// It does not.
    #[default]
    Off,
    /// It does, in version 1, which is a line of text.
    V1,
    /// It does, in version 2, which is binary.
    V2,
}

/// When a server that fails is tried after the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Passive {
    /// Failures within the time after which a server is tried last; 0 counts none.
    #[serde(with = "ZeroForNone")]
    pub failures: Option<u32>,
    /// The time in which failures are counted, and for which the server is then tried last.
    #[serde(with = "As::<Positive>")]
    pub within: Duration,
}

/// TLS with the servers of a pool. They are always verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamTls {
    /// The file of the certificate authorities (PEM) that the servers are verified with; "" is those of the
    /// system.
    #[serde(with = "As::<FilePath>")]
    pub ca: Option<PathBuf>,
    /// The file of the certificate (PEM) that wsgate shows to the servers; "" is none.
    #[serde(with = "As::<FilePath>")]
    pub cert: Option<PathBuf>,
    /// The file of the private key (PEM) of that certificate.
    #[serde(with = "As::<FilePath>")]
    pub key: Option<PathBuf>,
    /// The name that a server's certificate must have; "" is the host of the server's URL.
    #[serde(with = "As::<ServerName>")]
    pub server_name: Option<String>,
}

/// A server of a pool: its URL, or a table with its weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServerEntry {
    /// The URL of the server.
    pub url: ServerUrl,
    /// Its share of the sessions relative to the other servers of the pool; at least 1.
    #[serde(with = "Number::<1, 65_535>")]
    pub weight: u32,
}

/// A server with a weight.
#[derive(Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct WeightedServer {
    /// The URL of the server.
    url: ServerUrl,
    /// Its share of the sessions relative to the other servers of the pool.
    #[serde(default = "one", with = "Number::<1, 65_535>")]
    weight: u32,
}

/// The version of HTTP that is spoken with servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UpstreamHttp {
    /// HTTP/1.1: a connection for each session.
    #[default]
    H1,
    /// HTTP/2 (RFC 8441): sessions share connections.
    H2,
}

/// How a pool selects the server for a new session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// The server with the fewest sessions for its weight.
    #[default]
    LeastConnections,
    /// One after the other.
    RoundRobin,
    /// Two at random, then the one with fewer sessions.
    RandomTwo,
    /// The same server for the same client.
    IpHash,
}

impl Balance {
    /// The word of the settings.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::LeastConnections => "least_connections",
            Self::RoundRobin => "round_robin",
            Self::RandomTwo => "random_two",
            Self::IpHash => "ip_hash",
        }
    }
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            http: UpstreamHttp::default(),
            balance: Balance::default(),
            connect_timeout: Duration::from_secs(3),
            handshake_timeout: Duration::from_secs(30),
            head_size: 16 * 1024,
            retries: Retries::All,
            retry_timeout: Duration::from_secs(10),
            max_connections: None,
            proxy_protocol: SentProxyProtocol::default(),
            passive: Passive::default(),
            tls: UpstreamTls::default(),
        }
    }
}

impl Default for Passive {
    fn default() -> Self {
        Self {
            failures: Some(1),
            within: Duration::from_secs(10),
        }
    }
}

impl From<ServerUrl> for ServerEntry {
    fn from(url: ServerUrl) -> Self {
        Self { url, weight: one() }
    }
}

impl FromStr for ServerEntry {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.parse::<ServerUrl>().map(Self::from)
    }
}

impl<'de> Deserialize<'de> for ServerEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> de::Visitor<'de> for EntryVisitor {
    type Value = ServerEntry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ServerUrl::FORM)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ServerEntry, E> {
        text.parse().map_err(ValueError::into_serde)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, table: A) -> Result<ServerEntry, A::Error> {
        let WeightedServer { url, weight } =
            WeightedServer::deserialize(MapAccessDeserializer::new(table))?;
        Ok(ServerEntry { url, weight })
    }
}

fn one() -> u32 {
    1
}

schema!([] ServerEntry, |generator| json_schema!({ "anyOf": [
    ServerUrl::json_schema(generator),
    WeightedServer::json_schema(generator),
] }));
