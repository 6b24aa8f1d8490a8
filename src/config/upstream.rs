//! `[upstream.NAME]`: a pool of servers.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::words::Word;

/// A pool of servers that serve the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    pub(crate) name: Arc<str>,
    /// At least one.
    pub(crate) servers: Vec<UpstreamServer>,
    pub(crate) balance: Balance,
    /// To a TCP or unix connection.
    pub(crate) connect_timeout: Duration,
    /// From the request sent to the whole response head received.
    pub(crate) handshake_timeout: Duration,
    /// Other servers tried after a failed connect; never after the request was sent.
    pub(crate) retries: u32,
    /// Sessions at once on one server; `None` is no limit.
    pub(crate) max_connections: Option<u32>,
}

/// One server of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamServer {
    /// As written in the settings (without user information): the name in logs.
    pub(crate) name: Arc<str>,
    pub(crate) address: ServerAddress,
    /// Put before every path sent there; empty, or it begins with `/` and does not end with one.
    pub(crate) base_path: String,
    /// At least 1.
    pub(crate) weight: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ServerAddress {
    /// A host name or address (IPv6 without brackets) and a port.
    Tcp {
        host: String,
        port: u16,
    },
    Unix(PathBuf),
}

/// How a pool picks the server for a new session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Balance {
    #[default]
    LeastConnections,
    RoundRobin,
    RandomTwo,
    IpHash,
}

impl Balance {
    /// The word of the settings.
    pub(crate) fn as_str(self) -> &'static str {
        Word::as_str(self)
    }
}

impl UpstreamServer {
    /// Where it is, in full: with the port and without what a URL may leave out.
    pub(crate) fn url(&self) -> String {
        let (address, base) = (&self.address, &self.base_path);
        match (address, base.as_str()) {
            (ServerAddress::Tcp { .. }, base) => format!("ws://{address}{base}"),
            (ServerAddress::Unix(_), "") => address.to_string(),
            (ServerAddress::Unix(_), base) => format!("{address}:{base}"),
        }
    }
}

/// `host:port`, or `unix:/path`.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Upstream {
    pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
    pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
    pub(crate) const RETRIES: u32 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_one_full_url() {
        let tcp = |host: &str| ServerAddress::Tcp {
            host: host.to_owned(),
            port: 80,
        };
        for (address, base_path, expected) in [
            (tcp("chat.local"), "", "ws://chat.local:80"),
            (tcp("::1"), "/a/b", "ws://[::1]:80/a/b"),
            (
                ServerAddress::Unix("/run/a.sock".into()),
                "",
                "unix:/run/a.sock",
            ),
            (
                ServerAddress::Unix("/run/a.sock".into()),
                "/a",
                "unix:/run/a.sock:/a",
            ),
        ] {
            let server = UpstreamServer {
                name: "as written".into(),
                address,
                base_path: base_path.to_owned(),
                weight: 1,
            };
            assert_eq!(server.url(), expected);
        }
    }
}
