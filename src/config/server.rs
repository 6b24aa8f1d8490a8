//! `[[listen]]`, `[server]` and `[admin]`: the standalone program's own settings.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) address: ListenAddress,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// `127.0.0.1:8080`: an address and a port; port 0 is one that the system chooses.
    Tcp(SocketAddr),
    /// `unix:/path`: a socket file.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens.
    pub address: ListenAddress,
    /// Requests have to carry it. Always there unless the address is loopback or a unix socket.
    pub token: Option<Secret>,
}

/// The process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Worker threads; 0 is one a core.
    pub(crate) workers: usize,
    /// Sessions at once; 0 is what the descriptor limit allows.
    pub(crate) sessions: usize,
    /// From accept to the end of the request head, in total.
    pub(crate) handshake_timeout: Duration,
    /// The largest request head in bytes.
    pub(crate) head_size: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            workers: 0,
            sessions: 0,
            handshake_timeout: Duration::from_secs(10),
            head_size: 16 * 1024,
        }
    }
}
