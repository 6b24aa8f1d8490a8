//! A connection to one server.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout};

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
}

impl DialError {
    /// What the client is told. A descriptor that we ran out of counts as refused: no server took
    /// the connection either way, and the log says why.
    pub(super) fn rejection(&self) -> Rejection {
        match self {
            Self::Timeout => Rejection::UpstreamTimeout,
            // The kernel gave up before we did.
            Self::Connect(error) if error.kind() == io::ErrorKind::TimedOut => {
                Rejection::UpstreamTimeout
            }
            Self::Resolve(_) | Self::NoAddress | Self::Connect(_) => Rejection::UpstreamRefused,
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
        .map_err(DialError::Resolve)?;
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
            Ok(Err(error)) => DialError::Connect(error),
            Err(_elapsed) => DialError::Timeout,
        };
    }
    Err(failure)
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
        .map_err(DialError::Connect)?;
    Ok(Transport::Unix(stream))
}

#[cfg(test)]
pub(super) mod tests;
