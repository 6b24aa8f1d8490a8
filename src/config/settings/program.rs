//! `[[listen]]`, `[admin]`, `[log]` and `[server]`: settings of the program, not of the library.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::http_versions::HttpVersions;
use super::listen_tls::ListenTls;
use super::proxy_protocol::ProxyProtocol;
use crate::config::values::{
    As, HeadSize, HealthPath, ListenAddress, LogFilter, Number, Positive, Secret, token,
};

/// One listener of the program.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// `127.0.0.1:8080`, `[::]:8080` or `unix:/run/wsgate.sock`.
    pub address: ListenAddress,
    /// The versions of HTTP that clients may speak: "h1", "h2" or both. With TLS they are offered by ALPN, and the default is
    /// both. Without TLS it is "h1" alone, and a client of HTTP/2 has to know that it is spoken (RFC 9113 §3.3).
    #[serde(default)]
    pub http: Option<HttpVersions>,
    /// Whether connections begin with a PROXY header, and from whom: "off" or a table.
    #[serde(default)]
    pub proxy_protocol: ProxyProtocol,
    /// TLS with its clients; without this table they speak plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenTls>,
}

impl Listen {
    /// The versions of HTTP that it speaks.
    pub fn http(&self) -> HttpVersions {
        self.http.unwrap_or(match self.tls {
            Some(_) => HttpVersions::ALL,
            None => HttpVersions::H1,
        })
    }
}

impl From<ListenAddress> for Listen {
    fn from(address: ListenAddress) -> Self {
        Self {
            address,
            http: None,
            proxy_protocol: ProxyProtocol::default(),
            tls: None,
        }
    }
}

/// The admin listener.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// The address to listen on; any but a loopback address or a unix socket needs a token.
    pub address: ListenAddress,
    /// The bearer token that a request must carry.
    #[serde(default, deserialize_with = "token")]
    #[cfg_attr(feature = "server", schemars(with = "Secret"))]
    pub token: Option<Secret>,
    /// TLS with its clients; without this table they speak plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenTls>,
}

/// The program's log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// error, warn, info, debug, trace, off, or a filter such as "info,wsgate=debug".
    #[serde(with = "As::<LogFilter>")]
    pub level: String,
    /// text or json.
    pub format: LogFormat,
    /// Log a line when a session opens, when it closes, and for each forwarded plain request.
    pub access: bool,
    /// Log who the client is, with these lines and those of refused requests: the subject of its identity. It is
    /// personal data.
    pub subject: bool,
}

/// The format of a line of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For a person.
    #[default]
    Text,
    /// For a program.
    Json,
}

/// The program's process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The number of threads; 0 is one for each core.
    #[serde(with = "Number::<0, 1024>")]
    pub workers: usize,
    /// The limit on sessions; 0 derives it from the limit on open files, which no other value exceeds.
    #[serde(with = "Number::<0, 1_000_000_000>")]
    pub sessions: usize,
    /// The time limit for the request head, from the accept to its end; for a later request from its first
    /// byte.
    #[serde(with = "As::<Positive>")]
    pub handshake_timeout: Duration,
    /// The longest wait for the next request on a connection that is kept alive.
    #[serde(with = "As::<Positive>")]
    pub keepalive_timeout: Duration,
    /// The path of the health answer for load balancers, on every listener and host; "" is none.
    #[serde(with = "As::<HealthPath>")]
    pub health_path: String,
    /// The largest request head, from 8KiB to 1MiB.
    #[serde(with = "As::<HeadSize>")]
    pub head_size: usize,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::default(),
            access: true,
            subject: false,
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            workers: 0,
            sessions: 0,
            handshake_timeout: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(75),
            health_path: String::new(),
            head_size: 16 * 1024,
        }
    }
}
