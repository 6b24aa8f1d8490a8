//! The connection of a request.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::destination::Destination;
use super::error::ClientError;
use crate::tls::ClientTls;
use crate::transport::{Transport, race};

/// A connection to one of the addresses.
const CONNECT: Duration = Duration::from_secs(5);

/// The addresses of a host that are tried.
const ADDRESSES: usize = 4;

pub(super) async fn connect(
    destination: &Destination,
    tls: Option<&ClientTls>,
) -> Result<Transport, ClientError> {
    let host = &destination.host;
    if !destination.is_tls {
        return Ok(Transport::Tcp(connect_tcp(destination).await?));
    }
    let Some(tls) = tls else {
        return Err(ClientError::NoTls { host: host.clone() });
    };
    let stream = Transport::Tcp(connect_tcp(destination).await?);
    let secured = tls.secure(host, stream).await;
    secured.map_err(|source| ClientError::Tls {
        host: host.clone(),
        source,
    })
}

async fn connect_tcp(destination: &Destination) -> Result<TcpStream, ClientError> {
    let (host, port) = (destination.host.as_str(), destination.port);
    let unresolved = |source| ClientError::Resolve {
        host: host.to_owned(),
        source,
    };
    let found = lookup_host((host, port)).await;
    let found = found.map_err(|error| unresolved(Some(error)))?;
    let may_be = |address: &SocketAddr| !destination.is_local || address.ip().is_loopback();
    let addresses = found.filter(may_be).take(ADDRESSES);
    let connected = timeout(
        CONNECT,
        race(addresses, None, |_, error| {
            ControlFlow::Continue(Some(error))
        }),
    );
    let failure = match connected.await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(failure)) => failure,
        Err(_late) => Some(io::ErrorKind::TimedOut.into()),
    };
    Err(match failure {
        Some(source) => ClientError::Connect {
            host: host.to_owned(),
            port,
            source,
        },
        None => unresolved(None),
    })
}
