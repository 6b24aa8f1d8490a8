//! A connection to one server.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout};

use super::failures::ServerFailure;
use crate::config::ServerAddress;
use crate::rejection::Rejection;
use crate::transport::Transport;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("the server's name could not be looked up")]
    Resolve(#[source] io::Error),
    #[error("the server's name has no address")]
    NoAddress,
    #[error("the server could not be connected to")]
    Connect(#[source] io::Error),
    #[error("no connection in time")]
    Timeout,
    #[error("there is {0}")]
    LocalResource(LocalResource, #[source] io::Error),
}

/// What this machine has not got for one more connection. It says nothing about the server, which
/// was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LocalResource {
    /// The process may open no more files (EMFILE).
    ProcessDescriptors,
    /// The system may not (ENFILE).
    SystemDescriptors,
    /// ENOMEM, ENOBUFS.
    Memory,
    /// All ports towards that address are taken (EADDRNOTAVAIL), or no address of this machine
    /// goes there: another server may be reached.
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

impl DialError {
    /// What the system says that a connection failed of.
    fn connect(error: io::Error) -> Self {
        match LocalResource::of(&error) {
            Some(lack) => Self::LocalResource(lack, error),
            None => Self::Connect(error),
        }
    }

    fn resolve(error: io::Error) -> Self {
        match LocalResource::of(&error) {
            Some(lack) => Self::LocalResource(lack, error),
            None => Self::Resolve(error),
        }
    }

    /// What the client is told.
    pub(super) fn rejection(&self) -> Rejection {
        match self {
            Self::Timeout => Rejection::UpstreamTimeout,
            // The kernel gave up before we did.
            Self::Connect(error) if error.kind() == io::ErrorKind::TimedOut => {
                Rejection::UpstreamTimeout
            }
            Self::Resolve(_) | Self::NoAddress | Self::Connect(_) => Rejection::UpstreamRefused,
            Self::LocalResource(..) => Rejection::Full,
        }
    }

    /// Whether every other server would be missed in the same way.
    pub(super) fn is_everywhere(&self) -> bool {
        match self {
            Self::LocalResource(LocalResource::LocalAddress, _) => false,
            Self::LocalResource(..) => true,
            Self::Resolve(_) | Self::NoAddress | Self::Connect(_) | Self::Timeout => false,
        }
    }

    /// What that was, for the counts.
    pub(super) fn failure(&self) -> ServerFailure {
        match self {
            Self::LocalResource(..) => ServerFailure::NotAttempted,
            Self::Resolve(_) | Self::NoAddress | Self::Connect(_) | Self::Timeout => {
                ServerFailure::Connect
            }
        }
    }

    /// The line of the log about it, where no refusal has one.
    pub(super) fn message(&self) -> &'static str {
        match self {
            Self::LocalResource(..) => "no means to connect",
            Self::Resolve(_) | Self::NoAddress | Self::Connect(_) | Self::Timeout => {
                "connect failed"
            }
        }
    }
}

/// Connects to a server, name look-up and all, within `limit`.
pub(super) async fn dial(address: &ServerAddress, limit: Duration) -> Result<Transport, DialError> {
    let connect = async {
        match address {
            ServerAddress::Tcp { host, port } => dial_name(host, *port, limit).await,
            ServerAddress::Unix(path) => dial_unix(path).await,
        }
    };
    match timeout(limit, connect).await {
        Ok(result) => result,
        Err(_elapsed) => Err(DialError::Timeout),
    }
}

async fn dial_name(host: &str, port: u16, limit: Duration) -> Result<Transport, DialError> {
    let started = Instant::now();
    let found = lookup_host((host, port))
        .await
        .map_err(DialError::resolve)?;
    let addresses: Vec<_> = found.collect();
    dial_each(&addresses, limit.saturating_sub(started.elapsed())).await
}

/// Tries one address after the other. Each gets an even share of the time that is left, so that
/// one that swallows packets does not use up the time of one that works.
async fn dial_each(addresses: &[SocketAddr], limit: Duration) -> Result<Transport, DialError> {
    let started = Instant::now();
    let mut failure = DialError::NoAddress;
    for (address, untried) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let left = limit.saturating_sub(started.elapsed());
        let share = left / u32::try_from(untried).unwrap_or(u32::MAX);
        failure = match timeout(share, dial_tcp(*address)).await {
            Ok(Ok(stream)) => return Ok(Transport::Tcp(stream)),
            Ok(Err(error)) => truer(failure, DialError::connect(error)),
            Err(_elapsed) => DialError::Timeout,
        };
        if failure.is_everywhere() {
            break;
        }
    }
    Err(failure)
}

/// The failure to tell of two addresses: the later one, but that a server's own outcome is not
/// hidden by an address that this machine has no way to (IPv6, say).
fn truer(before: DialError, later: DialError) -> DialError {
    match (&before, &later) {
        (DialError::NoAddress, _) => later,
        (_, DialError::LocalResource(LocalResource::LocalAddress, _)) => before,
        _ => later,
    }
}

async fn dial_tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // A frame is to go out when it is there, not when the one before it is acknowledged.
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn dial_unix(path: &Path) -> Result<Transport, DialError> {
    let stream = UnixStream::connect(path)
        .await
        .map_err(DialError::connect)?;
    Ok(Transport::Unix(stream))
}

#[cfg(test)]
pub(super) mod tests;
