//! The connection that a probe makes: TCP, and TLS on it.

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::error::ProbeError;
use super::url::ProbeUrl;

/// A connection with or without TLS.
pub(super) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// Connects to the server of this URL.
pub(super) async fn connect(url: &ProbeUrl) -> Result<TcpStream, ProbeError> {
    let failed = |error| ProbeError::Connect(url.authority.clone(), error);
    let connected = TcpStream::connect((&*url.host, url.port)).await;
    let stream = connected.map_err(failed)?;
    // Otherwise the times would be those of Nagle's algorithm.
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}
