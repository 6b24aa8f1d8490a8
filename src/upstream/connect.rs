//! How the gate gets a stream to a server: over a socket, or in the embedder's way.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout, timeout_at};

use super::connect_error::ConnectError;
use super::proxy_header::ProxyHeader;
use super::socket;
use super::target::{ServerTarget, TargetAddress};
use crate::tls::{ClientTls, TlsFailure};
use crate::transport::Transport;

/// Opens a stream to a server of an upstream, in the place of the built-in TCP and unix sockets
/// ([`Builder::connect`](crate::Builder::connect)).
///
/// Use it to reach servers through a tunnel, or to put a pipe in the place of a server in tests. The gate
/// itself writes the PROXY header on the stream where the upstream has `proxy_protocol`, and makes TLS behind that where
/// the URL of the server begins with `wss://`. The gate calls it once for each handshake, and again for another server of the
/// upstream if it fails and the upstream has `retries`. The stream carries one HTTP/1.1 exchange
/// and then the session; the gate never reuses it. Where the upstream has `http = "h2"`, the stream is a connection of
/// HTTP/2 that many sessions share, and the gate calls this only if none has room.
///
/// The gate drops the future when `connect_timeout` is over or the client has gone.
pub trait Connect: Send + Sync + 'static {
    /// Connects to this server. Implementations write it as an `async fn`.
    ///
    /// # Errors
    /// [`ConnectError`]: its variant decides the status that the client gets.
    fn connect(
        &self,
        server: ServerTarget<'_>,
    ) -> impl Future<Output = Result<UpstreamStream, ConnectError>> + Send;
}

/// An open stream to a server.
#[derive(Debug)]
pub struct UpstreamStream(Transport);

impl UpstreamStream {
    /// Takes any stream of bytes. It travels behind a box; a TCP or unix socket that is converted
    /// with `from` does not.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Transport::custom(stream))
    }
}

impl From<TcpStream> for UpstreamStream {
    /// Consider [`TcpStream::set_nodelay`]: the gate does not set it on this socket.
    fn from(stream: TcpStream) -> Self {
        Self(Transport::Tcp(stream))
    }
}

impl From<UnixStream> for UpstreamStream {
    fn from(stream: UnixStream) -> Self {
        Self(Transport::Unix(stream))
    }
}

/// The way to the servers of every pool of a gate.
#[derive(Clone, Default)]
pub(crate) enum Connector {
    /// TCP and unix sockets. No future is boxed for them.
    #[default]
    Socket,
    Custom(Arc<dyn BoxedConnect>),
}

/// [`Connect`] as an object.
pub(crate) trait BoxedConnect: Send + Sync {
    fn connect<'a>(&'a self, server: ServerTarget<'a>) -> ConnectFuture<'a>;
}

type ConnectFuture<'a> =
    Pin<Box<dyn Future<Output = Result<UpstreamStream, ConnectError>> + Send + 'a>>;

impl<C: Connect> BoxedConnect for C {
    fn connect<'a>(&'a self, server: ServerTarget<'a>) -> ConnectFuture<'a> {
        Box::pin(Connect::connect(self, server))
    }
}

impl Connector {
    pub(crate) fn custom(connector: impl Connect) -> Self {
        Self::Custom(Arc::new(connector))
    }

    /// Connects to a server within `limit`: with the header that names the client, and behind that with TLS,
    /// where there are these.
    pub(super) async fn connect(
        &self,
        server: ServerTarget<'_>,
        header: Option<ProxyHeader>,
        tls: Option<&ClientTls>,
        limit: Duration,
    ) -> Result<Transport, ConnectError> {
        let deadline = Instant::now() + limit;
        let mut stream = self.open(server, limit).await?;
        if header.is_none() && tls.is_none() {
            return Ok(stream);
        }
        // Behind a pointer, so that a connection without all this does not hold the room for it.
        let begin = Box::pin(async {
            if let Some(header) = header {
                let peer = stream.tcp().and_then(|socket| socket.peer_addr().ok());
                stream.write_all(&header.bytes(peer)).await?;
                stream.flush().await?;
            }
            match tls {
                Some(tls) => {
                    let secured = tls.secure(host_of(server.address), stream).await;
                    secured.map_err(|error| match TlsFailure::of(&error) {
                        Some(TlsFailure::NoHttp2) => ConnectError::NoHttp2(error),
                        _ => ConnectError::Tls(error),
                    })
                }
                None => Ok(stream),
            }
        });
        match timeout_at(deadline, begin).await {
            Ok(begun) => begun,
            Err(_elapsed) => Err(ConnectError::Timeout),
        }
    }

    async fn open(
        &self,
        server: ServerTarget<'_>,
        limit: Duration,
    ) -> Result<Transport, ConnectError> {
        match self {
            Self::Socket => socket::connect(server.address, limit).await,
            Self::Custom(custom) => match timeout(limit, custom.connect(server)).await {
                Ok(connected) => connected.map(|UpstreamStream(transport)| transport),
                Err(_elapsed) => Err(ConnectError::Timeout),
            },
        }
    }
}

/// The name that TLS verifies, if the settings have no other.
fn host_of(address: TargetAddress<'_>) -> &str {
    match address {
        TargetAddress::Tcp { host, .. } => host,
        TargetAddress::Unix(_) => "localhost",
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Socket => "Socket",
            Self::Custom(_) => "Custom",
        })
    }
}

#[cfg(test)]
mod tests;
