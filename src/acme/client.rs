//! The HTTP client that the authority is asked with: TLS always, and a bound for everything.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONNECTION, HOST, RETRY_AFTER};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::tls::ClientTls;
use crate::transport::Transport;

/// Asks an authority, on a new connection for each request.
#[derive(Clone)]
pub(super) struct DirectoryClient {
    tls: ClientTls,
    retry_after: Arc<Mutex<Option<SystemTime>>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("the URL {0} does not begin with https://")]
    NotTls(Uri),
    #[error("{host} has no address")]
    Resolve {
        host: String,
        #[source]
        source: Option<io::Error>,
    },
    #[error("no connection to {host} port {port}")]
    Connect {
        host: String,
        port: u16,
        #[source]
        source: io::Error,
    },
    #[error("no TLS with {host}")]
    Tls {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("the connection failed")]
    Http(#[from] hyper::Error),
    #[error("the answer is longer than {MOST} bytes")]
    TooLong,
    #[error("the answer cannot be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("there is no answer after {} seconds", WHOLE.as_secs())]
    Late,
}

/// A request and its answer.
const WHOLE: Duration = Duration::from_secs(30);

/// A connection to one address.
const CONNECT: Duration = Duration::from_secs(5);

/// The addresses of a host that are tried.
const ADDRESSES: usize = 4;

/// Chains of certificates are a few KiB, and directories less.
const MOST: usize = 1024 * 1024;

impl DirectoryClient {
    pub(super) fn new(tls: ClientTls) -> Self {
        Self {
            tls,
            retry_after: Arc::default(),
        }
    }

    /// When the authority wants to be asked again, if it has refused a request since this was last called.
    pub(super) fn take_retry_after(&self) -> Option<SystemTime> {
        let retry_after = self.retry_after.lock();
        retry_after.unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn answer(
        self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Result<BytesResponse, ClientError> {
        let answer = timeout(WHOLE, exchange(&self.tls, request)).await;
        let response = answer.unwrap_or(Err(ClientError::Late))?;
        let is_refused = matches!(
            response.status(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        if is_refused && let Some(at) = retry_after(&response) {
            let kept = self.retry_after.lock();
            *kept.unwrap_or_else(PoisonError::into_inner) = Some(at);
        }
        Ok(response.into())
    }
}

impl HttpClient for DirectoryClient {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let answer = self.clone().answer(request);
        Box::pin(async move {
            let answer = answer.await;
            answer.map_err(|error| instant_acme::Error::Other(Box::new(error)))
        })
    }
}

async fn exchange(
    tls: &ClientTls,
    request: Request<BodyWrapper<Bytes>>,
) -> Result<Response<Full<Bytes>>, ClientError> {
    let (mut parts, body) = request.into_parts();
    let uri = std::mem::take(&mut parts.uri);
    let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(ClientError::NotTls(uri));
    };
    let host = authority.host().trim_matches(['[', ']']);
    let port = authority.port_u16().unwrap_or(443);
    let name = HeaderValue::from_str(authority.as_str());
    let (Ok(name), path) = (name, uri.path_and_query().cloned()) else {
        return Err(ClientError::NotTls(uri));
    };
    parts.headers.insert(HOST, name);
    parts
        .headers
        .insert(CONNECTION, HeaderValue::from_static("close"));
    parts.uri = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
    let stream = connect(host, port).await?;
    let stream = tls.secure(host, Transport::Tcp(stream)).await;
    let stream = stream.map_err(|source| ClientError::Tls {
        host: host.to_owned(),
        source,
    })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut connection = pin!(connection);
    let mut answer = pin!(async {
        let request = Request::from_parts(parts, body);
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MOST).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => ClientError::TooLong,
            false => ClientError::Body(error),
        })?;
        Ok(Response::from_parts(parts, Full::new(body.to_bytes())))
    });
    tokio::select! {
        answer = &mut answer => answer,
        // What it has read is there.
        _ended = &mut connection => answer.await,
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, ClientError> {
    let addresses = lookup_host((host, port)).await;
    let addresses: Vec<SocketAddr> = match addresses {
        Ok(addresses) => addresses.take(ADDRESSES).collect(),
        Err(source) => {
            return Err(ClientError::Resolve {
                host: host.to_owned(),
                source: Some(source),
            });
        }
    };
    let mut last = None;
    for address in addresses {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = Some(error),
            Err(_late) => last = Some(io::ErrorKind::TimedOut.into()),
        }
    }
    Err(match last {
        Some(source) => ClientError::Connect {
            host: host.to_owned(),
            port,
            source,
        },
        None => ClientError::Resolve {
            host: host.to_owned(),
            source: None,
        },
    })
}

/// Seconds or a date (RFC 9110 §10.2.3).
fn retry_after<B>(response: &Response<B>) -> Option<SystemTime> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse::<u32>() {
        Ok(seconds) => Some(SystemTime::now() + Duration::from_secs(seconds.into())),
        Err(_) => httpdate::parse_http_date(value).ok(),
    }
}
