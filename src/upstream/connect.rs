//! How the gate gets a stream to a server: over a socket, or in the embedder's way.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout, timeout_at};

use super::connect_error::ConnectError;
use super::socket;
use super::target::{ServerTarget, TargetAddress};
use crate::tls::ClientTls;
use crate::transport::Transport;

/// Opens a stream to a server of an upstream, in the place of the built-in TCP and unix sockets
/// ([`Builder::connect`](crate::Builder::connect)).
///
/// Use it to reach servers through a tunnel, or to put a pipe in the place of a server in tests. The gate
/// itself makes TLS on the stream where the URL of the server begins with `wss://`. The gate calls it once for each handshake, and again for another server of the
/// upstream if it fails and the upstream has `retries`. The stream carries one HTTP/1.1 exchange
/// and then the session; the gate never reuses it.
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

    /// Connects to a server within `limit`, with TLS where there is some.
    pub(super) async fn connect(
        &self,
        server: ServerTarget<'_>,
        tls: Option<&ClientTls>,
        limit: Duration,
    ) -> Result<Transport, ConnectError> {
        let Some(tls) = tls else {
            return self.open(server, limit).await;
        };
        let deadline = Instant::now() + limit;
        let stream = self.open(server, limit).await?;
        let host = match server.address {
            TargetAddress::Tcp { host, .. } => host,
            TargetAddress::Unix(_) => "localhost",
        };
        match timeout_at(deadline, tls.secure(host, stream)).await {
            Ok(secured) => secured.map_err(ConnectError::Tls),
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
