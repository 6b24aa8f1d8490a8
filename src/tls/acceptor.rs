//! The handshake with a client, and what is known of the client after it.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::rustls::server::{Accepted, AcceptedAlert, Acceptor};
use tokio_rustls::rustls::{self, Error, InvalidMessage};
use tokio_rustls::rustls::{HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};
use tokio_rustls::server::TlsStream as ServerStream;
use tokio_rustls::{StartHandshake, TlsStream};

use super::accept_error::TlsAcceptError;
use super::certificate::subject;
use super::ordered::Challenges;
use crate::transport::Transport;
use crate::types::OverTls;

/// Makes TLS handshakes with clients, by the settings of a listener. A clone is the same.
#[derive(Clone)]
pub struct TlsAcceptor {
    config: Arc<ServerConfig>,
    challenges: Option<ChallengeAnswers>,
}

/// How authorities are answered that want a proof that we have a name (RFC 8737).
#[derive(Clone)]
pub(super) struct ChallengeAnswers {
    challenges: Arc<Challenges>,
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
    /// The host that it wants (SNI, RFC 6066 §3), the subject of its certificate, which is verified, and the version.
    pub over_tls: OverTls,
    /// The protocol that was agreed (ALPN, RFC 7301), such as `http/1.1`.
    pub protocol: Option<Vec<u8>>,
    /// The version of TLS: `1.2` or `1.3`.
    pub version: &'static str,
    /// Whether a session of before was resumed (RFC 8446 §2.2).
    pub is_resumed: bool,
}

impl TlsAcceptor {
    pub(super) fn new(config: ServerConfig, challenges: Option<ChallengeAnswers>) -> Self {
        Self {
            config: Arc::new(config),
            challenges,
        }
    }

    /// Makes the handshake. The caller limits the time.
    ///
    /// A certificate authority that wants a proof that we have a name gets it in the handshake, and no more.
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
        mut stream: S,
        give_back: impl FnOnce(S) -> Transport,
    ) -> Result<ServerStream<S>, TlsAcceptError> {
        let hello = match read_hello(&mut stream).await {
            Ok(hello) => hello,
            Err(HelloError::NotTls(error)) => {
                return Err(TlsAcceptError::not_tls(error, give_back(stream)));
            }
            Err(HelloError::Io(error)) => return Err(TlsAcceptError::of(error)),
        };
        let challenged = self.challenges.as_ref().filter(|answers| {
            let hello = hello.client_hello();
            answers.challenges.are_asked_by(&hello)
        });
        if let Some(answers) = challenged {
            let name = hello
                .client_hello()
                .server_name()
                .unwrap_or_default()
                .to_owned();
            let begun = StartHandshake::from_parts(hello, stream);
            let proven = begun.into_stream(Arc::clone(&answers.config)).await;
            let mut stream = proven.map_err(TlsAcceptError::of)?;
            let _may_be_gone = stream.shutdown().await;
            return Err(TlsAcceptError::challenge_answered(name));
        }
        let begun = StartHandshake::from_parts(hello, stream);
        let accepted = begun.into_stream(Arc::clone(&self.config)).await;
        accepted.map_err(TlsAcceptError::of)
    }
}

impl ChallengeAnswers {
    pub(super) fn new(challenges: Arc<Challenges>, config: ServerConfig) -> Self {
        Self {
            challenges,
            config: Arc::new(config),
        }
    }
}

/// Why there is no first message of a client.
enum HelloError {
    /// What came is something else. Nothing has been sent, so that there may be an answer.
    NotTls(rustls::Error),
    Io(io::Error),
}

/// The most that is read of the first message at once: it is longer only where clients have keys after quantum
/// computers in it.
const HELLO: usize = 2048;

/// Reads a client's first message.
async fn read_hello<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
) -> Result<Accepted, HelloError> {
    let mut acceptor = Acceptor::default();
    let mut buffer = [0; HELLO];
    loop {
        let length = stream.read(&mut buffer).await.map_err(HelloError::Io)?;
        if length == 0 {
            return Err(HelloError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        let mut read = &buffer[..length];
        // All of it: what stands behind the hello goes with it.
        while !read.is_empty() {
            acceptor.read_tls(&mut read).map_err(HelloError::Io)?;
        }
        match acceptor.accept() {
            Ok(Some(hello)) => return Ok(hello),
            Ok(None) => {}
            Err((error @ Error::InvalidMessage(InvalidMessage::InvalidContentType), _)) => {
                return Err(HelloError::NotTls(error));
            }
            Err((error, alert)) => {
                tell(stream, alert).await;
                let error = io::Error::new(io::ErrorKind::InvalidData, error);
                return Err(HelloError::Io(error));
            }
        }
    }
}

/// Sends an alert, if there is still somebody to hear it.
async fn tell<S: AsyncWrite + Unpin>(stream: &mut S, mut alert: AcceptedAlert) {
    let mut bytes = Vec::new();
    if alert.write_all(&mut bytes).is_ok() {
        let _may_be_gone = stream.write_all(&bytes).await;
    }
}

impl TlsClient {
    fn of(connection: &ServerConnection) -> Result<Self, TlsAcceptError> {
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "1.3",
            _ => "1.2",
        };
        let mut over_tls = OverTls::new().version(version);
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
            version,
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
