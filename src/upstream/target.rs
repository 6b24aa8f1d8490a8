//! Which server to connect to.

use std::path::Path;

use crate::config::ServerAddress;

/// The server to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerTarget<'a> {
    /// The upstream's name in the settings.
    pub upstream: &'a str,
    /// The server's name in the settings.
    pub server: &'a str,
    /// The server's address.
    pub address: TargetAddress<'a>,
}

/// The address of a server, as the settings give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetAddress<'a> {
    /// A host and a TCP port.
    Tcp {
        /// A name, an IPv4 address, or an IPv6 address without brackets.
        host: &'a str,
        /// The port.
        port: u16,
    },
    /// A unix socket.
    Unix(&'a Path),
}

impl<'a> From<&'a ServerAddress> for TargetAddress<'a> {
    fn from(address: &'a ServerAddress) -> Self {
        match address {
            ServerAddress::Tcp { host, port } => Self::Tcp { host, port: *port },
            ServerAddress::Unix(path) => Self::Unix(path),
        }
    }
}
