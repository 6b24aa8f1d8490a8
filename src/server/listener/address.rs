//! Where a listener really listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::ListenAddress;

/// Where a listener really listens: with the port that the system chose for port 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoundAddress {
    /// A TCP address.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl BoundAddress {
    /// Where a listener of this setting is to listen.
    pub(crate) fn of(setting: &ListenAddress) -> Self {
        match setting {
            ListenAddress::Tcp(address) => Self::Tcp(*address),
            ListenAddress::Unix(path) => Self::Unix(path.clone()),
        }
    }

    /// Whether no other listener has one of these while the other is listened on.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(one), Self::Tcp(other)) => {
                let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
                one.port() == other.port() && (is_any || one.ip() == other.ip())
            }
            _ => self == other,
        }
    }

    /// The TCP address, where it is one.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for BoundAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
