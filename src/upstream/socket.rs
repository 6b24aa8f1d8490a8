//! The built-in way to a server: a TCP or unix socket.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use tokio::net::{UnixStream, lookup_host};
use tokio::time::timeout;

use super::connect_error::{ConnectError, LocalResource};
use super::target::TargetAddress;
use crate::transport::{Transport, race};

/// Connects to a server within `limit`, which includes the name look-up.
pub(super) async fn connect(
    address: TargetAddress<'_>,
    limit: Duration,
) -> Result<Transport, ConnectError> {
    let connect = async {
        match address {
            TargetAddress::Tcp { host, port } => match host.parse::<IpAddr>() {
                Ok(ip) => connect_one([(ip, port).into()].into_iter()).await,
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
    connect_one(found).await
}

/// Connects to one of the addresses, unless this machine lacks something for any connection.
async fn connect_one(
    addresses: impl Iterator<Item = SocketAddr>,
) -> Result<Transport, ConnectError> {
    let next = |before, error: io::Error| {
        let failure = more_telling(before, error.into());
        match failure.is_everywhere() {
            true => ControlFlow::Break(failure),
            false => ControlFlow::Continue(failure),
        }
    };
    let stream = race(addresses, ConnectError::NoAddress, next).await?;
    Ok(Transport::Tcp(stream))
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

async fn connect_unix(path: &Path) -> Result<Transport, ConnectError> {
    Ok(Transport::Unix(UnixStream::connect(path).await?))
}

#[cfg(test)]
pub(super) mod tests;
