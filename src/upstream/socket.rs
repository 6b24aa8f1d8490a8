//! The built-in way to a server: a TCP or unix socket.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use super::connect_error::{ConnectError, LocalResource};
use super::target::TargetAddress;
use crate::transport::Transport;

/// How long an address has before the next one is tried beside it (RFC 8305 §8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to a server within `limit`, which includes the name look-up.
pub(super) async fn connect(
    address: TargetAddress<'_>,
    limit: Duration,
) -> Result<Transport, ConnectError> {
    let connect = async {
        match address {
            TargetAddress::Tcp { host, port } => match host.parse::<IpAddr>() {
                Ok(ip) => Ok(connect_tcp((ip, port).into()).await?),
                Err(_) => connect_name(host, port).await,
            },
            TargetAddress::Unix(path) => connect_unix(path).await,
        }
    };
    match timeout(limit, connect).await {
        Ok(result) => result,
        Err(_elapsed) => Err(ConnectError::Timeout),
    }
}

async fn connect_name(host: &str, port: u16) -> Result<Transport, ConnectError> {
    let found = lookup_host((host, port))
        .await
        .map_err(ConnectError::resolve)?;
    race(by_turns(found)).await
}

/// The addresses with their families by turns, so that a family that leads nowhere holds the other
/// up only once. The resolver's first address stays the first (RFC 8305 §4).
fn by_turns(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut found = found.peekable();
    let first_is_v6 = found.peek().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        found.partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut addresses = Vec::with_capacity(first.len() + second.len());
    loop {
        let before = addresses.len();
        addresses.extend(first.next());
        addresses.extend(second.next());
        if addresses.len() == before {
            return addresses;
        }
    }
}

/// Connects to the addresses, each a little later than the one before, or at once when that has
/// failed (RFC 8305 §5). The first connection wins, and the others are dropped.
async fn race(addresses: Vec<SocketAddr>) -> Result<Transport, ConnectError> {
    let mut attempts = FuturesUnordered::new();
    let mut failure = ConnectError::NoAddress;
    let mut addresses = addresses.into_iter();
    loop {
        match addresses.next() {
            Some(address) => attempts.push(connect_tcp(address)),
            None if attempts.is_empty() => return Err(failure),
            None => {}
        }
        let result = match addresses.len() {
            0 => attempts.next().await,
            // Without a result in time, the next attempt begins beside this one.
            _ => timeout(ATTEMPT_DELAY, attempts.next())
                .await
                .unwrap_or(None),
        };
        match result {
            Some(Ok(transport)) => return Ok(transport),
            Some(Err(error)) => failure = more_telling(failure, error.into()),
            None => {}
        }
        if failure.is_everywhere() {
            return Err(failure);
        }
    }
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
