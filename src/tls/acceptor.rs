//! The handshake with a client, and what is known of the client after it.

use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::rustls::{HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};
use tokio_rustls::server::TlsStream as ServerStream;
use tokio_rustls::{LazyConfigAcceptor, TlsStream};

use super::accept_error::TlsAcceptError;
use super::certificate::subject;
use crate::transport::Transport;
use crate::types::OverTls;

/// Makes TLS handshakes with clients, by the settings of a listener. A clone is the same.
#[derive(Clone)]
pub struct TlsAcceptor {
    config: Arc<ServerConfig>,
}

/// A connection after its handshake.
#[derive(Debug)]
#[non_exhaustive]
pub struct Secured {
    /// What HTTP is spoken on.
    pub socket: Transport,
    /// What the handshake has shown of the client.
    pub client: TlsClient,
}

/// What a handshake has shown of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsClient {
    /// The host that it wants (SNI, RFC 6066 §3), and the subject of its certificate, which is verified.
    pub over_tls: OverTls,
    /// The protocol that was agreed (ALPN, RFC 7301), such as `http/1.1`.
    pub protocol: Option<Vec<u8>>,
    /// The version of TLS: `1.2` or `1.3`.
    pub version: &'static str,
    /// Whether a session of before was resumed (RFC 8446 §2.2).
    pub is_resumed: bool,
}

impl TlsAcceptor {
    pub(super) fn new(config: ServerConfig) -> Self {
        Self {
            config: Arc::new(config),
        }
    }

    /// Makes the handshake. The caller limits the time.
    ///
    /// # Errors
    /// [`TlsAcceptError`]; the client has been told by an alert, where it speaks TLS.
    pub async fn accept(&self, socket: Transport) -> Result<Secured, TlsAcceptError> {
        // Without a box around the stream for what nearly all clients have.
        match socket {
            Transport::Tcp(stream) => {
                let stream = self.handshake(stream, Transport::Tcp).await?;
                let client = TlsClient::of(stream.get_ref().1)?;
                let socket = Transport::tls(TlsStream::Server(stream));
                Ok(Secured { socket, client })
            }
            other => {
                let stream = self.handshake(other, |socket| socket).await?;
                let client = TlsClient::of(stream.get_ref().1)?;
                let socket = Transport::custom(stream);
                Ok(Secured { socket, client })
            }
        }
    }

    async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        give_back: impl FnOnce(S) -> Transport,
    ) -> Result<ServerStream<S>, TlsAcceptError> {
        let acceptor = LazyConfigAcceptor::new(Acceptor::default(), stream);
        tokio::pin!(acceptor);
        let begun = match acceptor.as_mut().await {
            Ok(begun) => begun,
            Err(error) => {
                let socket = acceptor.take_io().map(give_back);
                return Err(TlsAcceptError::of_first_message(error, socket));
            }
        };
        let accepted = begun.into_stream(Arc::clone(&self.config)).await;
        accepted.map_err(TlsAcceptError::of)
    }
}

impl TlsClient {
    fn of(connection: &ServerConnection) -> Result<Self, TlsAcceptError> {
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        let mut over_tls = OverTls::new();
        if let Some(name) = connection.server_name() {
            over_tls = over_tls.server_name(name);
        }
        if let Some(certificate) = shown {
            let subject = subject(certificate);
            let subject = subject.ok_or_else(TlsAcceptError::unreadable_certificate)?;
            over_tls = over_tls.client_subject(subject);
        }
        Ok(Self {
            over_tls,
            protocol: connection.alpn_protocol().map(<[u8]>::to_vec),
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "1.3",
                _ => "1.2",
            },
            is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        })
    }
}

/// Keys stay out.
impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsAcceptor")
    }
}
