//! One request to an interface, and its response.

use std::fmt;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::address::InterfaceAddress;
use super::kind::Interface;
use super::request_target::RequestTarget;
use super::tls::InterfaceTls;
use super::token::Token;
use crate::cli::error::{CommandError, REJECTED, SYSTEM, UNREACHABLE};

/// A client of one interface.
#[derive(Debug)]
pub(crate) struct Client {
    endpoint: Endpoint,
    tls: Option<InterfaceTls>,
    token: Token,
}

/// Which interface, and where.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    interface: Interface,
    address: InterfaceAddress,
}

/// A body of a request, and its headers.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A response with any status but 401.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    body: Bytes,
    endpoint: Endpoint,
}

/// Why there is no response, or not the expected one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("nothing listens on {0}")]
    NobodyListens(Endpoint),
    #[error("{0} cannot be reached")]
    Connect(Endpoint, #[source] io::Error),
    #[error("no TLS with {0}")]
    Tls(Endpoint, #[source] io::Error),
    #[error("the connection to {0} broke")]
    Broken(Endpoint, #[source] hyper::Error),
    #[error("no answer from {0} in time")]
    Timeout(Endpoint),
    #[error("the answer from {0} is too long for wsgate's {kind}", kind = .0.interface)]
    TooLong(Endpoint),
    #[error("{0} is not the {kind} of this wsgate", kind = .0.interface)]
    Unexpected(Endpoint),
    #[error("the {kind} on {endpoint} requires {}", .token.wanted(), kind = .endpoint.interface)]
    Unauthorized { endpoint: Endpoint, token: Token },
    /// The sentence of the interface.
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

/// The same with a body.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(90);

/// The metrics of ten thousand routes are shorter.
const LONGEST_RESPONSE: usize = 64 << 20;

impl Client {
    /// `tls` is for an address with TLS.
    pub(crate) fn new(address: InterfaceAddress, tls: Option<InterfaceTls>, token: Token) -> Self {
        let interface = token.interface();
        let endpoint = Endpoint { interface, address };
        Self {
            endpoint,
            tls,
            token,
        }
    }

    /// A client of an admin interface that has no token.
    pub(crate) fn without_token(address: InterfaceAddress) -> Self {
        Self::new(address, None, Token::nowhere(Interface::Admin))
    }

    pub(crate) fn address(&self) -> &InterfaceAddress {
        &self.endpoint.address
    }

    /// The response to a GET that succeeds.
    pub(crate) async fn get(&self, target: &RequestTarget) -> Result<Response, ClientError> {
        self.send(Method::GET, target).await?.succeeded()
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        target: &RequestTarget,
    ) -> Result<Response, ClientError> {
        self.send_within(RESPONSE_TIMEOUT, method, target).await
    }

    /// Sends a request whose response takes at most so long.
    pub(crate) async fn send_within(
        &self,
        limit: Duration,
        method: Method,
        target: &RequestTarget,
    ) -> Result<Response, ClientError> {
        self.exchange(limit, method, target, Message::default())
            .await
    }

    /// The response to a POST with a body.
    pub(crate) async fn post(
        &self,
        target: &RequestTarget,
        message: Message,
    ) -> Result<Response, ClientError> {
        let (limit, method) = (UPLOAD_TIMEOUT, Method::POST);
        let response = self.exchange(limit, method, target, message).await?;
        response.succeeded()
    }

    /// Each request has a connection of its own: an idle one might have been closed.
    async fn exchange(
        &self,
        limit: Duration,
        method: Method,
        target: &RequestTarget,
        message: Message,
    ) -> Result<Response, ClientError> {
        let request = self.request(method, target, message);
        let request = request.map_err(ClientError::Request)?;
        let late = |_| ClientError::Timeout(self.endpoint.clone());
        let stream = timeout(CONNECT_TIMEOUT, self.connect()).await;
        let stream = stream.map_err(late)??;
        let response = timeout(limit, self.exchange_on(stream, request)).await;
        let response = response.map_err(late)??;
        match response.status {
            StatusCode::UNAUTHORIZED => Err(ClientError::Unauthorized {
                endpoint: self.endpoint.clone(),
                token: self.token.clone(),
            }),
            _ => Ok(response),
        }
    }

    async fn connect(&self) -> Result<Stream, ClientError> {
        let stream = self.endpoint.address.connect().await;
        let stream = stream.map_err(|error| self.unreachable(error))?;
        let Some(tls) = &self.tls else {
            return Ok(Either::Left(stream));
        };
        let secured = tls.connect(stream).await;
        let secured = secured.map_err(|error| ClientError::Tls(self.endpoint.clone(), error))?;
        Ok(Either::Right(secured))
    }

    fn request(
        &self,
        method: Method,
        target: &RequestTarget,
        message: Message,
    ) -> http::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(method)
            .uri(target.as_str())
            .header(header::HOST, self.endpoint.address.host())
            .header(header::CONNECTION, "close");
        if let Some(authorization) = &self.token.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let mut request = request.body(Full::new(message.body))?;
        request.headers_mut().extend(message.headers);
        Ok(request)
    }

    async fn exchange_on(
        &self,
        stream: Stream,
        request: Request<Full<Bytes>>,
    ) -> Result<Response, ClientError> {
        let broken = |error| ClientError::Broken(self.endpoint.clone(), error);
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(broken)?;
        let mut response = pin!(async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, LONGEST_RESPONSE).collect().await;
            Ok(Response {
                status: head.status,
                body: body.map_err(|error| self.unread(error))?.to_bytes(),
                endpoint: self.endpoint.clone(),
            })
        });
        tokio::select! {
            response = &mut response => response,
            // Whatever it has read is there for the response, its error included.
            _ended = connection => response.await,
        }
    }

    fn unreachable(&self, error: io::Error) -> ClientError {
        let endpoint = self.endpoint.clone();
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                ClientError::NobodyListens(endpoint)
            }
            _ => ClientError::Connect(endpoint, error),
        }
    }

    fn unread(&self, error: Box<dyn std::error::Error + Send + Sync>) -> ClientError {
        let endpoint = self.endpoint.clone();
        match error.downcast::<hyper::Error>() {
            Ok(error) => ClientError::Broken(endpoint, *error),
            Err(error) if error.is::<LengthLimitError>() => ClientError::TooLong(endpoint),
            Err(_) => ClientError::Unexpected(endpoint),
        }
    }
}

impl Response {
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

    /// The error for a response that no such interface of this version makes.
    pub(crate) fn unexpected(&self) -> ClientError {
        ClientError::Unexpected(self.endpoint.clone())
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

/// Its address.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
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
            ClientError::NobodyListens(endpoint) => Some(format!(
                "is wsgate running, and does its file have {}?",
                endpoint.interface.table()
            )),
            ClientError::Unexpected(endpoint) => Some(format!(
                "is this the address of {}, is it https:// with {}, and is wsgate as new as this one?",
                endpoint.interface.table(),
                endpoint.interface.tls_table()
            )),
            ClientError::Tls(endpoint, _) => Some(format!(
                "is its certificate for this host? {} FILE names the authorities of a private one",
                endpoint.interface.ca_option()
            )),
            ClientError::Unauthorized { token, .. } => Some(token.help()),
            _ => None,
        };
        Self::new(error, exit_code).with_help(help)
    }
}
