//! One request to the admin interface, and its answer.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::error::{CommandError, Failure};
use super::target::TokenSource;

/// Where an admin interface listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Host and port.
    Tcp(String),
    Unix(PathBuf),
}

/// Asks one admin interface.
#[derive(Debug)]
pub(super) struct Client {
    place: Place,
    token: Option<HeaderValue>,
    token_source: TokenSource,
}

/// What was answered; never a 401.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Bytes,
    place: Place,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// From the request to the last byte of its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// A reload is answered when it is done, after a minute at most.
pub(super) const RELOAD_TIMEOUT: Duration = Duration::from_secs(75);

/// The metrics of ten thousand routes are shorter.
const LONGEST_ANSWER: usize = 64 << 20;

const DEFAULT_PORT: u16 = 80;

impl Place {
    /// Parses `http://host:port`, `host:port` or `unix:/path`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err("`unix:` without a path: write unix:/path".to_owned()),
                path => Ok(Self::Unix(PathBuf::from(path))),
            };
        }
        if text.starts_with("https://") {
            return Err("the admin interface speaks no TLS: write http://".to_owned());
        }
        let wrong = || "write http://127.0.0.1:9900 or unix:/path".to_owned();
        let (authority, has_scheme) = match text.strip_prefix("http://") {
            Some(rest) => (rest.strip_suffix('/').unwrap_or(rest), true),
            None => (text, false),
        };
        let authority: http::uri::Authority = authority.parse().map_err(|_| wrong())?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        let has_host_alone = authority.as_str() == authority.host();
        match authority.port_u16() {
            Some(0) => Err("port 0 is none to connect to".to_owned()),
            Some(_) => Ok(Self::Tcp(authority.to_string())),
            None if has_scheme && has_host_alone => {
                Ok(Self::Tcp(format!("{authority}:{DEFAULT_PORT}")))
            }
            None => Err(wrong()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Client {
    pub(super) fn new(place: Place, token: Option<HeaderValue>, token_source: TokenSource) -> Self {
        Self {
            place,
            token,
            token_source,
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The JSON that a GET is answered with.
    pub(super) async fn json(&self, target: &str) -> Result<Value, CommandError> {
        self.ask(Method::GET, target).await?.done()?.json()
    }

    pub(super) async fn ask(&self, method: Method, target: &str) -> Result<Answer, CommandError> {
        self.ask_patiently(method, target, ANSWER_TIMEOUT).await
    }

    /// The same for what takes a while. Each request has a connection of its own, so that none is
    /// found to have been closed meanwhile.
    pub(super) async fn ask_patiently(
        &self,
        method: Method,
        target: &str,
        patience: Duration,
    ) -> Result<Answer, CommandError> {
        let request = self.request(method, target)?;
        let answer = match &self.place {
            Place::Tcp(address) => {
                let stream = self.connected(TcpStream::connect(address)).await?;
                timeout(patience, self.exchange(stream, request)).await
            }
            Place::Unix(path) => {
                let stream = self.connected(UnixStream::connect(path)).await?;
                timeout(patience, self.exchange(stream, request)).await
            }
        };
        let answer = answer.map_err(|_late| Failure::Late(self.place.clone()))??;
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(Failure::Unauthorized {
                place: self.place.clone(),
                token: self.token_source.clone(),
            }
            .into());
        }
        Ok(answer)
    }

    fn request(&self, method: Method, target: &str) -> Result<Request<Empty<Bytes>>, CommandError> {
        let host = match &self.place {
            Place::Tcp(address) => address.as_str(),
            Place::Unix(_) => "localhost",
        };
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, host)
            .header(header::CONNECTION, "close");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let request = request.body(Empty::new());
        request.map_err(|error| CommandError::system(io::Error::other(error)))
    }

    async fn connected<S>(
        &self,
        connect: impl Future<Output = io::Result<S>>,
    ) -> Result<S, CommandError> {
        let failure = match timeout(CONNECT_TIMEOUT, connect).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => match error.kind() {
                io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
                    Failure::NobodyListens(self.place.clone())
                }
                _ => Failure::Connect {
                    place: self.place.clone(),
                    source: error,
                },
            },
            Err(_late) => Failure::Late(self.place.clone()),
        };
        Err(failure.into())
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: Request<Empty<Bytes>>,
    ) -> Result<Answer, CommandError> {
        let broken = |source: hyper::Error| Failure::Broken {
            place: self.place.clone(),
            source,
        };
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(broken)?;
        let mut answer = pin!(async {
            let (head, body) = sender
                .send_request(request)
                .await
                .map_err(broken)?
                .into_parts();
            let body = Limited::new(body, LONGEST_ANSWER).collect().await;
            let body = body.map_err(|error| self.unread(error))?;
            Ok(Answer {
                status: head.status,
                body: body.to_bytes(),
                place: self.place.clone(),
            })
        });
        tokio::select! {
            answer = &mut answer => answer,
            // What it still has to say has been read by then, its error included.
            _ended = connection => answer.await,
        }
    }

    fn unread(&self, error: Box<dyn std::error::Error + Send + Sync>) -> Failure {
        let place = self.place.clone();
        match error.downcast::<hyper::Error>() {
            Ok(source) => Failure::Broken {
                place,
                source: *source,
            },
            Err(error) if error.is::<LengthLimitError>() => Failure::TooLong(place),
            Err(_) => Failure::Strange(place),
        }
    }
}

impl Answer {
    /// The answer, if it says that the request was carried out.
    pub(super) fn done(self) -> Result<Self, CommandError> {
        match self.status.is_success() {
            true => Ok(self),
            false => Err(self.refusal()),
        }
    }

    pub(super) fn json(&self) -> Result<Value, CommandError> {
        let json = serde_json::from_slice(&self.body);
        json.map_err(|_| self.strange())
    }

    pub(super) fn text(&self) -> Result<&str, CommandError> {
        std::str::from_utf8(&self.body).map_err(|_| self.strange())
    }

    /// What the process says it cannot do.
    pub(super) fn refusal(&self) -> CommandError {
        let json = self.json().ok();
        let sentence = json.as_ref().and_then(|json| json["error"].as_str());
        match sentence {
            Some(sentence) => Failure::Refused {
                status: self.status,
                sentence: sentence.to_owned(),
            }
            .into(),
            None => self.strange(),
        }
    }

    /// What is answered like this is not what it ought to be.
    pub(super) fn strange(&self) -> CommandError {
        Failure::Strange(self.place.clone()).into()
    }
}

/// A path with a query, made of values that may be anything.
#[derive(Debug)]
pub(super) struct RequestTarget(String);

impl RequestTarget {
    pub(super) fn path(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// Adds a segment to the path.
    pub(super) fn segment(mut self, segment: &str) -> Self {
        self.0.push('/');
        self.0.push_str(&percent_encode(segment));
        self
    }

    /// Adds a pair to the query, if there is a value.
    pub(super) fn pair(mut self, key: &str, value: Option<impl fmt::Display>) -> Self {
        if let Some(value) = value {
            self.0.push(if self.0.contains('?') { '&' } else { '?' });
            self.0.push_str(key);
            self.0.push('=');
            self.0.push_str(&percent_encode(&value.to_string()));
        }
        self
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// All but what RFC 3986 §2.3 leaves as it is.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
