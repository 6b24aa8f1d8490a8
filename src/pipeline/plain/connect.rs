//! The connection that a plain request goes out on.

use std::error::Error;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};

use super::PlainRequest;
use crate::pipeline::proxied::proxied_connection;
use crate::rejection::Rejection;
use crate::transport::Transport;
use crate::upstream::{Connected, Http2Error, Purpose, ServerConnection, Tries};

/// TCP keep-alive of a connection to a server: the first probe after this silence, the next ones after
/// that.
const SILENCE: Duration = Duration::from_secs(60);
const PROBE_INTERVAL: Duration = Duration::from_secs(15);

impl PlainRequest {
    /// Connects to its server, or to another one where that fails; its place is on that server
    /// then.
    ///
    /// # Errors
    /// The [`Rejection`] to answer with where no server took the connection, which is
    /// [`Rejection::UpstreamNoHttp2`] where the upstream speaks HTTP/2 ([`PlainRequest::is_http2`]); it is counted and
    /// logged.
    pub async fn connect(
        self,
    ) -> Result<(Self, impl AsyncRead + AsyncWrite + Send + Unpin + 'static), Rejection> {
        if self.is_http2() {
            return Err(self.refuse(Rejection::UpstreamNoHttp2));
        }
        match self.reach(None::<Http2Error>).await? {
            (request, ServerConnection::Http1(transport)) => {
                set_keepalive(&transport);
                Ok((request, transport))
            }
            (request, ServerConnection::Http2(_)) => {
                Err(request.refuse(Rejection::UpstreamNoHttp2))
            }
        }
    }

    /// Connects to its server, or to another one where that fails or has not processed it, which is the error.
    pub(super) async fn reach(
        mut self,
        unprocessed: Option<impl Error + Send + Sync + 'static>,
    ) -> Result<(Self, ServerConnection), Rejection> {
        let handshake = self.forwarding.handshake();
        let (client, proxied) = (handshake.client(), proxied_connection(handshake));
        let tries = self.tries.take();
        let tries = tries.unwrap_or_else(|| Tries::new(client, proxied, Purpose::Plain));
        let span = self.forwarding.parents().begin_connect();
        let connected = match unprocessed {
            None => self.pool.connect_from(self.lease, tries).await,
            Some(error) => self.pool.connect_again(self.lease, tries, error).await,
        };
        let server = connected.as_ref();
        let server = server.map(|connected| &**connected.lease.server());
        span.ended(server.map_err(|error| error.rejection.reason()));
        match connected {
            Ok(Connected {
                lease,
                connection,
                tries,
            }) => {
                let tries = Some(tries);
                Ok((
                    Self {
                        lease,
                        tries,
                        ..self
                    },
                    connection,
                ))
            }
            Err(error) => Err(self.forwarding.refuse(error)),
        }
    }
}

/// Lets the kernel find a server that is gone: a response may be silent for as long as it likes, and plain
/// HTTP has no pings.
fn set_keepalive(transport: &Transport) {
    if let Some(stream) = transport.tcp() {
        let probes = TcpKeepalive::new()
            .with_time(SILENCE)
            .with_interval(PROBE_INTERVAL);
        if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&probes) {
            tracing::debug!(%error, "no TCP keep-alive on a connection to a server");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn a_server_that_is_gone_is_found_by_the_kernel() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let transport = Transport::Tcp(stream.unwrap());
        set_keepalive(&transport);
        let Transport::Tcp(stream) = &transport else {
            unreachable!("{transport:?}");
        };
        assert!(SockRef::from(stream).keepalive().unwrap());
        assert_eq!(SockRef::from(stream).tcp_keepalive_time().unwrap(), SILENCE);
    }
}
