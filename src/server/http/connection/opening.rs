//! What comes before the first request of a connection: a PROXY header, TLS.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::end::{End, Limits};
use super::lingering_close::{Linger, linger_until_evicted};
use crate::config::{HttpVersion, HttpVersions, ListenAddress, ProxyProtocol};
use crate::server::http::last_answer::plain_on_tls;
use crate::server::http::limiter::ConnectionPermit;
use crate::server::http::tls_handshakes::TlsHandshakes;
use crate::server::listener::proxy_header::{self, Client, ProxyHeaderError};
use crate::tls::{TlsAcceptError, TlsAcceptor};
use crate::{ClientAddr, ErrorReport, Gate, Transport};

/// What the connections of one listener begin with.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(super) proxies: ProxyProtocol,
    pub(super) tls: Option<TlsAcceptor>,
    /// The versions of HTTP that are spoken behind all that.
    pub(super) http: HttpVersions,
    pub(super) access: Arc<Access>,
}

/// The openings of all listeners, by their addresses in the settings.
pub(super) type Openings = Arc<[(ListenAddress, Arc<Opening>)]>;

/// That of one listener.
pub(super) fn opening_of<'a>(
    openings: &'a Openings,
    listener: &ListenAddress,
) -> Option<&'a Arc<Opening>> {
    let mut openings = openings.iter();
    let found = openings.find(|(address, _)| address == listener);
    found.map(|(_, opening)| opening)
}

/// A connection that HTTP can be spoken on, and who its client is.
pub(super) struct Opened {
    pub(super) socket: Transport,
    pub(super) client: Client,
    /// The versions of HTTP that may come on it: one alone where TLS has agreed on it.
    pub(super) http: HttpVersions,
}

/// How ALPN names HTTP/2 (RFC 9113 §3.3).
pub(super) const HTTP_2: &[u8] = b"h2";

/// Why a connection ends before its first request.
#[derive(Debug, thiserror::Error)]
enum OpeningError {
    #[error(transparent)]
    Proxy(#[from] ProxyHeaderError),
    #[error(transparent)]
    Tls(#[from] TlsAcceptError),
}

impl Opening {
    /// What ends its connections: with the token of the listener, and when a reload changes who may connect.
    pub(crate) fn closing(&self, listener: &CancellationToken) -> CancellationToken {
        self.access.closing(listener)
    }

    /// Opens a new connection within the time for its first head; none if the connection ends here.
    /// A connection that ends is counted, and logged where it was wrong.
    pub(super) async fn open(
        &self,
        socket: Transport,
        peer: ClientAddr,
        permit: &ConnectionPermit,
        limits: &Limits,
        gate: &Gate,
        closing: &CancellationToken,
    ) -> Option<Opened> {
        if self.tls.is_none() && self.proxies == ProxyProtocol::Off {
            return Some(Opened {
                socket,
                client: Client::of(peer),
                http: self.http,
            });
        }
        let state = permit.state();
        let deadline = state.idle_since() + limits.head.handshake_timeout;
        let handshakes = &permit.limiter().counts().tls;
        // Behind a pointer: a connection without all this would hold the room for it as long as it lives.
        let begin = Box::pin(self.begin(socket, peer, handshakes));
        let opened = tokio::select! {
            biased;
            () = closing.cancelled() => return None,
            () = state.evicted() => {
                End::evicted(false).count(permit.limiter());
                return None;
            }
            opened = timeout_at(deadline, begin) => opened,
        };
        let error = match opened {
            Ok(Ok(opened)) => return Some(opened),
            Err(_late) => {
                End::Silent.count(permit.limiter());
                return None;
            }
            Ok(Err(error)) => error,
        };
        if let Some(reason) = error.reason() {
            tracing::debug!(client = %peer, error = %ErrorReport(&error), "connection not opened");
            gate.handle().report_malformed(peer, reason);
        }
        if let Some(mut socket) = error.into_plain_socket() {
            let _may_be_gone = socket.write_all(plain_on_tls().as_bytes()).await;
            linger_until_evicted(&mut socket, None, Linger::SHORT, state, closing).await;
        }
        None
    }

    async fn begin(
        &self,
        mut socket: Transport,
        peer: ClientAddr,
        handshakes: &TlsHandshakes,
    ) -> Result<Opened, OpeningError> {
        let client = proxy_header::read(&self.proxies, &mut socket, peer).await?;
        let Some(tls) = &self.tls else {
            let http = self.http;
            return Ok(Opened {
                socket,
                client,
                http,
            });
        };
        let handshake = handshakes.begin();
        let secured = match tls.accept(socket).await {
            Ok(secured) => secured,
            Err(error) => {
                handshake.fail(&error);
                return Err(error.into());
            }
        };
        handshake.finish(&secured.client);
        Ok(Opened {
            http: match secured.client.protocol.as_deref() {
                Some(HTTP_2) => HttpVersions::H2,
                // A client that agrees on nothing speaks HTTP/1.1.
                _ if self.http.has(HttpVersion::H1) => HttpVersions::H1,
                _ => self.http,
            },
            socket: secured.socket,
            client: Client {
                // A proxy that speaks TLS to us may also say that its client does.
                over_tls: Some(secured.client.over_tls),
                ..client
            },
        })
    }
}

impl OpeningError {
    /// The word of the log line; none for checks of a load balancer, which connect and go.
    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Proxy(ProxyHeaderError::Ended(_)) => None,
            Self::Proxy(ProxyHeaderError::UnknownPeer) => Some("proxy_denied"),
            Self::Proxy(ProxyHeaderError::Malformed) => Some("bad_proxy_header"),
            Self::Tls(error) => error.reason(),
        }
    }

    fn into_plain_socket(self) -> Option<Transport> {
        match self {
            Self::Tls(error) => error.into_plain_socket(),
            Self::Proxy(_) => None,
        }
    }
}
