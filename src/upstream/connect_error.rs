//! Why there is no connection to a server, and what follows from that.

use std::fmt;
use std::io;

use super::failures::ServerFailure;
use crate::rejection::Rejection;
use crate::tls::TlsFailure;

/// Why there is no connection to a server.
///
/// What the client gets, and whether another server is tried, depends on the variant. A [`Connect`](crate::Connect)
/// makes one from an [`io::Error`] with `?`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name look-up failed. The client gets 502.
    #[error("the server's name could not be looked up")]
    Resolve(#[source] io::Error),
    /// The name look-up found no address. The client gets 502.
    #[error("the server's name has no address")]
    NoAddress,
    /// The server, or the network on the way to it, refused the connection. The client gets 502,
    /// or 504 if the error is [`io::ErrorKind::TimedOut`].
    #[error("the server could not be connected to")]
    Connect(#[source] io::Error),
    /// The server took the connection, and there is no TLS with it. The client gets 502.
    #[error("there is no TLS with the server")]
    Tls(#[source] io::Error),
    /// The server took the connection, and what is to be HTTP/2 on it is not (`http = "h2"`). The client gets 502.
    #[error("the server does not speak HTTP/2")]
    NoHttp2(#[source] io::Error),
    /// The server speaks HTTP/2 without WebSockets (RFC 8441 §3). The client gets 502.
    #[error("the server has not enabled WebSockets over HTTP/2 (SETTINGS_ENABLE_CONNECT_PROTOCOL)")]
    NoWebSockets,
    /// The server speaks HTTP/2 and takes no streams. The client gets 502.
    #[error("the server takes no streams (SETTINGS_MAX_CONCURRENT_STREAMS)")]
    NoStreams,
    /// There was no connection within `connect_timeout`. The client gets 504.
    #[error("no connection in time")]
    Timeout,
    /// This machine lacks something that every connection needs. The client gets 503, and the
    /// failure is not counted as the server's.
    #[error("there is {0}")]
    LocalResource(LocalResource, #[source] io::Error),
}

/// What this machine lacks for one more connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalResource {
    /// The process may open no more files (`EMFILE`).
    ProcessDescriptors,
    /// The system may open no more files (`ENFILE`).
    SystemDescriptors,
    /// The system has no memory for a socket (`ENOMEM`, `ENOBUFS`).
    Memory,
    /// No local port is left towards that address, or no local address leads there
    /// (`EADDRNOTAVAIL`). Another server may still be reachable.
    LocalAddress,
}

impl LocalResource {
    fn of(error: &io::Error) -> Option<Self> {
        match error.raw_os_error()? {
            libc::EMFILE => Some(Self::ProcessDescriptors),
            libc::ENFILE => Some(Self::SystemDescriptors),
            libc::ENOMEM | libc::ENOBUFS => Some(Self::Memory),
            libc::EADDRNOTAVAIL => Some(Self::LocalAddress),
            _ => None,
        }
    }
}

impl fmt::Display for LocalResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProcessDescriptors => "no file descriptor left in the process",
            Self::SystemDescriptors => "no file descriptor left in the system",
            Self::Memory => "no memory left for a socket",
            Self::LocalAddress => "no local port or address left to connect from",
        })
    }
}

impl From<io::Error> for ConnectError {
    /// [`ConnectError::LocalResource`] if the error code means that, otherwise
    /// [`ConnectError::Connect`].
    fn from(error: io::Error) -> Self {
        match LocalResource::of(&error) {
            Some(resource) => Self::LocalResource(resource, error),
            None => Self::Connect(error),
        }
    }
}

impl ConnectError {
    pub(super) fn resolve(error: io::Error) -> Self {
        match LocalResource::of(&error) {
            Some(resource) => Self::LocalResource(resource, error),
            None => Self::Resolve(error),
        }
    }

    /// The answer to the client.
    pub(super) fn rejection(&self) -> Rejection {
        match self {
            Self::Timeout => Rejection::UpstreamTimeout,
            // The kernel gave up before we did.
            Self::Connect(error) if error.kind() == io::ErrorKind::TimedOut => {
                Rejection::UpstreamTimeout
            }
            Self::Tls(error) => match TlsFailure::of(error) {
                Some(failure) => failure.rejection(),
                None => Rejection::UpstreamTls,
            },
            Self::NoHttp2(_) => Rejection::UpstreamNoHttp2,
            Self::NoWebSockets => Rejection::UpstreamNoWebSockets,
            Self::Resolve(_) | Self::NoAddress | Self::Connect(_) | Self::NoStreams => {
                Rejection::UpstreamRefused
            }
            Self::LocalResource(..) => Rejection::Full,
        }
    }

    /// Whether a connection to any other server would fail in the same way.
    pub(super) fn is_everywhere(&self) -> bool {
        match self {
            Self::LocalResource(LocalResource::LocalAddress, _) => false,
            Self::LocalResource(..) => true,
            Self::Resolve(_)
            | Self::NoAddress
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::NoHttp2(_)
            | Self::NoWebSockets
            | Self::NoStreams
            | Self::Timeout => false,
        }
    }

    /// What it counts as.
    pub(super) fn failure(&self) -> ServerFailure {
        match self {
            Self::LocalResource(..) => ServerFailure::NotAttempted,
            Self::Resolve(_)
            | Self::NoAddress
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::NoHttp2(_)
            | Self::NoWebSockets
            | Self::NoStreams
            | Self::Timeout => ServerFailure::Connect,
        }
    }

    /// The log message, where no refusal is logged.
    pub(super) fn message(&self) -> &'static str {
        match self {
            Self::LocalResource(..) => "no resources left to connect",
            Self::Resolve(_)
            | Self::NoAddress
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::NoHttp2(_)
            | Self::NoWebSockets
            | Self::NoStreams
            | Self::Timeout => "connect failed",
        }
    }
}
