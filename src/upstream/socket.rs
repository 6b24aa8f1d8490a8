//! The built-in way to a server: a TCP or unix socket.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout};

use super::connect_error::{ConnectError, LocalResource};
use super::target::TargetAddress;
use crate::transport::Transport;

/// Connects to a server within `limit`, which includes the name look-up.
pub(super) async fn connect(
    address: TargetAddress<'_>,
    limit: Duration,
) -> Result<Transport, ConnectError> {
    let connect = async {
        match address {
            TargetAddress::Tcp { host, port } => match host.parse::<IpAddr>() {
                // One address gets all of the time: no second timer is needed for its share.
                Ok(ip) => Ok(connect_tcp((ip, port).into()).await?),
                Err(_) => connect_name(host, port, limit).await,
            },
            TargetAddress::Unix(path) => connect_unix(path).await,
        }
    };
    match timeout(limit, connect).await {
        Ok(result) => result,
        Err(_elapsed) => Err(ConnectError::Timeout),
    }
}

async fn connect_name(host: &str, port: u16, limit: Duration) -> Result<Transport, ConnectError> {
    let started = Instant::now();
    let found = lookup_host((host, port))
        .await
        .map_err(ConnectError::resolve)?;
    let addresses: Vec<_> = found.collect();
    connect_each(&addresses, limit.saturating_sub(started.elapsed())).await
}

/// Tries one address after the other. Each gets an even share of the time that is left, so that
/// one that swallows packets does not use up the time of one that works.
async fn connect_each(
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<Transport, ConnectError> {
    let started = Instant::now();
    let mut failure = ConnectError::NoAddress;
    for (address, untried) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let left = limit.saturating_sub(started.elapsed());
        let share = left / u32::try_from(untried).unwrap_or(u32::MAX);
        failure = match timeout(share, connect_tcp(*address)).await {
            Ok(Ok(transport)) => return Ok(transport),
            Ok(Err(error)) => more_telling(failure, error.into()),
            Err(_elapsed) => ConnectError::Timeout,
        };
        if failure.is_everywhere() {
            break;
        }
    }
    Err(failure)
}

/// The failure to report of two addresses: the later one, unless this machine had no way to its
/// address (IPv6, say). That must not hide what the server did at the address before.
fn more_telling(before: ConnectError, later: ConnectError) -> ConnectError {
    match (&before, &later) {
        (ConnectError::NoAddress, _) => later,
        (_, ConnectError::LocalResource(LocalResource::LocalAddress, _)) => before,
        _ => later,
    }
}

async fn connect_tcp(address: SocketAddr) -> io::Result<Transport> {
    let stream = TcpStream::connect(address).await?;
    // A frame must go out at once, not when the one before it is acknowledged.
    stream.set_nodelay(true)?;
    Ok(Transport::Tcp(stream))
}

async fn connect_unix(path: &Path) -> Result<Transport, ConnectError> {
    Ok(Transport::Unix(UnixStream::connect(path).await?))
}

#[cfg(test)]
pub(super) mod tests;
