//! `[upstream.NAME]`: a pool of servers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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

impl Upstream {
    pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
    pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
    pub(crate) const RETRIES: u32 = 1;
}
