//! One request to the admin interface, and its response.

use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::address::AdminAddress;
use super::request_target::RequestTarget;
use super::tls::AdminTls;
use super::token::Token;
use crate::cli::error::{CommandError, REJECTED, SYSTEM, UNREACHABLE};

/// A client of one admin interface.
#[derive(Debug)]
pub(crate) struct Client {
    address: AdminAddress,
    tls: Option<AdminTls>,
    token: Token,
}

/// A response with any status but 401.
#[derive(Debug)]
pub(crate) struct AdminResponse {
    pub(crate) status: StatusCode,
    body: Bytes,
    address: AdminAddress,
}

/// Why there is no response, or not the expected one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("nothing listens on {0}")]
    NobodyListens(AdminAddress),
    #[error("{0} cannot be reached")]
    Connect(AdminAddress, #[source] io::Error),
    #[error("no TLS with {0}")]
    Tls(AdminAddress, #[source] io::Error),
    #[error("the connection to {0} broke")]
    Broken(AdminAddress, #[source] hyper::Error),
    #[error("no answer from {0} in time")]
    Timeout(AdminAddress),
    #[error("the answer from {0} is too long for wsgate's admin interface")]
    TooLong(AdminAddress),
    #[error("{0} is not the admin interface of this wsgate")]
    Unexpected(AdminAddress),
    #[error("the admin interface on {address} requires {}", .token.wanted())]
    Unauthorized { address: AdminAddress, token: Token },
    /// The sentence of the admin interface.
    #[error("{sentence}")]
    Refused {
        status: StatusCode,
        sentence: String,
    },
    #[error("the request cannot be made")]
    Request(#[source] http::Error),
}

/// A connection with or without TLS.
type Stream = Either<Socket, TlsStream<Socket>>;

type Socket = Either<TcpStream, UnixStream>;

/// With the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// From the request to the last byte of its response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);

/// The metrics of ten thousand routes are shorter.
const LONGEST_RESPONSE: usize = 64 << 20;

impl Client {
    /// `tls` is for an address with TLS.
    pub(super) fn new(address: AdminAddress, tls: Option<AdminTls>, token: Token) -> Self {
        Self {
            address,
            tls,
            token,
        }
    }

    /// A client of an interface that has no token.
    pub(crate) fn without_token(address: AdminAddress) -> Self {
        Self::new(address, None, Token::nowhere())
    }

    pub(crate) fn address(&self) -> &AdminAddress {
        &self.address
    }

    /// The response to a GET that succeeds.
    pub(crate) async fn get(&self, target: &RequestTarget) -> Result<AdminResponse, ClientError> {
        self.send(Method::GET, target).await?.succeeded()
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        target: &RequestTarget,
    ) -> Result<AdminResponse, ClientError> {
        self.send_within(RESPONSE_TIMEOUT, method, target).await
    }

    /// Sends a request whose response takes at most so long. Each request has a connection of its
    /// own: an idle one might have been closed.
    pub(crate) async fn send_within(
        &self,
        limit: Duration,
        method: Method,
        target: &RequestTarget,
    ) -> Result<AdminResponse, ClientError> {
        let request = self.request(method, target).map_err(ClientError::Request)?;
        let late = |_| ClientError::Timeout(self.address.clone());
        let stream = timeout(CONNECT_TIMEOUT, self.connect()).await;
        let stream = stream.map_err(late)??;
        let response = timeout(limit, self.exchange(stream, request)).await;
        let response = response.map_err(late)??;
        match response.status {
            StatusCode::UNAUTHORIZED => Err(ClientError::Unauthorized {
                address: self.address.clone(),
                token: self.token.clone(),
            }),
            _ => Ok(response),
        }
    }

    async fn connect(&self) -> Result<Stream, ClientError> {
        let stream = self.address.connect().await;
        let stream = stream.map_err(|error| self.unreachable(error))?;
        let Some(tls) = &self.tls else {
            return Ok(Either::Left(stream));
        };
        let secured = tls.connect(stream).await;
        let secured = secured.map_err(|error| ClientError::Tls(self.address.clone(), error))?;
        Ok(Either::Right(secured))
    }

    fn request(
        &self,
        method: Method,
        target: &RequestTarget,
    ) -> http::Result<Request<Empty<Bytes>>> {
        let mut request = Request::builder()
            .method(method)
            .uri(target.as_str())
            .header(header::HOST, self.address.host())
            .header(header::CONNECTION, "close");
        if let Some(authorization) = &self.token.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request.body(Empty::new())
    }

    async fn exchange(
        &self,
        stream: Stream,
        request: Request<Empty<Bytes>>,
    ) -> Result<AdminResponse, ClientError> {
        let broken = |error| ClientError::Broken(self.address.clone(), error);
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(broken)?;
        let mut response = pin!(async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, LONGEST_RESPONSE).collect().await;
            Ok(AdminResponse {
                status: head.status,
                body: body.map_err(|error| self.unread(error))?.to_bytes(),
                address: self.address.clone(),
            })
        });
        tokio::select! {
            response = &mut response => response,
            // Whatever it has read is there for the response, its error included.
            _ended = connection => response.await,
        }
    }

    fn unreachable(&self, error: io::Error) -> ClientError {
        let address = self.address.clone();
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                ClientError::NobodyListens(address)
            }
            _ => ClientError::Connect(address, error),
        }
    }

    fn unread(&self, error: Box<dyn std::error::Error + Send + Sync>) -> ClientError {
        let address = self.address.clone();
        match error.downcast::<hyper::Error>() {
            Ok(error) => ClientError::Broken(address, *error),
            Err(error) if error.is::<LengthLimitError>() => ClientError::TooLong(address),
            Err(_) => ClientError::Unexpected(address),
        }
    }
}

impl AdminResponse {
    /// The response, if its status is a success.
    pub(crate) fn succeeded(self) -> Result<Self, ClientError> {
        if self.status.is_success() {
            return Ok(self);
        }
        let json = self.json().ok();
        let sentence = json.as_ref().and_then(|json| json["error"].as_str());
        match sentence {
            Some(sentence) => Err(ClientError::Refused {
                status: self.status,
                sentence: sentence.to_owned(),
            }),
            None => Err(self.unexpected()),
        }
    }

    pub(crate) fn json(&self) -> Result<Value, ClientError> {
        serde_json::from_slice(&self.body).map_err(|_| self.unexpected())
    }

    /// A number of the JSON object.
    pub(crate) fn number(&self, key: &str) -> Result<u64, ClientError> {
        let number = self.json()?[key].as_u64();
        number.ok_or_else(|| self.unexpected())
    }

    pub(crate) fn text(&self) -> Result<&str, ClientError> {
        std::str::from_utf8(&self.body).map_err(|_| self.unexpected())
    }

    /// The error for a response that no admin interface of this version makes.
    pub(crate) fn unexpected(&self) -> ClientError {
        ClientError::Unexpected(self.address.clone())
    }
}

impl ClientError {
    /// Whether no process is there to respond, or none yet.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::NobodyListens(_))
    }

    /// Whether the next try may succeed.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Broken(..) | Self::Connect(..) | Self::Tls(..) => true,
            Self::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
            _ => false,
        }
    }
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        let exit_code = match &error {
            ClientError::NobodyListens(_)
            | ClientError::Connect(..)
            | ClientError::Tls(..)
            | ClientError::Broken(..)
            | ClientError::Timeout(_) => UNREACHABLE,
            ClientError::TooLong(_)
            | ClientError::Unexpected(_)
            | ClientError::Unauthorized { .. }
            | ClientError::Refused { .. } => REJECTED,
            ClientError::Request(_) => SYSTEM,
        };
        let help = match &error {
            ClientError::NobodyListens(_) => {
                Some("is wsgate running, and does its file have [admin]?".to_owned())
            }
            ClientError::Unexpected(_) => {
                Some(
                    "is this the address of [admin], is it https:// with [admin.tls], and is wsgate as \
                     new as this one?"
                        .to_owned(),
                )
            }
            ClientError::Tls(..) => Some(
                "is its certificate for this host? --admin-ca FILE names the authorities of a private one"
                    .to_owned(),
            ),
            ClientError::Unauthorized { token, .. } => Some(token.help()),
            _ => None,
        };
        Self::new(error, exit_code).with_help(help)
    }
}
