//! The handshake on a stream: extended CONNECT, and its answer (RFC 8441 §5).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::ext::Protocol;
use h2::{Reason, RecvStream};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::Empty;

use super::places::Place;
use super::stream::Http2Stream;
use crate::rejection::{Rejection, is_passed_on};
use crate::transport::Transport;
use crate::upstream::response::{BODY_SIZE, UpstreamResponse};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("the server has not processed the request")]
    Unprocessed(#[source] h2::Error),
    #[error("the answer did not come or cannot be read")]
    Http(#[source] h2::Error),
    #[error("the request has no authority of HTTP/2")]
    Authority,
    #[error("a 101, which HTTP/2 does not have")]
    Switching,
    #[error("more than {0} bytes of interim answers")]
    TooManyInterim(usize),
    #[error("the answer accepts the WebSocket and ends it")]
    EndedAtOnce,
    #[error("the server answered {0} instead of 2xx")]
    Not2xx(StatusCode),
}

/// Sends the handshake request, which has its `Host` and its target in origin form, and reads the answer to it.
pub(crate) async fn ask(
    place: Place,
    request: Request<Empty<Bytes>>,
    is_tls: bool,
    head_size: usize,
) -> Result<UpstreamResponse, AskError> {
    let Place { mut sender, permit } = place;
    let asked = async {
        poll_fn(|cx| sender.poll_ready(cx))
            .await
            .map_err(AskError::Unprocessed)?;
        let request = extended_connect(request, is_tls)?;
        // An error here is one before anything was sent.
        let sent = sender.send_request(request, false);
        let (mut response, send) = sent.map_err(AskError::Unprocessed)?;
        let mut interim = Interim::new(2 * head_size);
        let response = poll_fn(|cx| interim.poll_answer(cx, &mut response)).await?;
        Ok((response, send))
    };
    let (response, send) = match asked.await {
        Ok(answered) => answered,
        Err(error) => {
            match &error {
                AskError::Unprocessed(error) if error.is_reset() => permit.refused(),
                AskError::Unprocessed(_) => permit.end_connection(),
                _ => {}
            }
            return Err(error);
        }
    };
    drop(sender);
    let (mut parts, body) = response.into_parts();
    match parts.status {
        status if status.is_success() && body.is_end_stream() => Err(AskError::EndedAtOnce),
        status if status.is_success() => {
            let stream = Http2Stream::new(send, body, permit);
            Ok(UpstreamResponse::Accepted {
                parts,
                transport: Transport::custom(stream),
                early: Bytes::new(),
            })
        }
        status if is_passed_on(status) => {
            let body = read(body, &parts.headers).await?;
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.remove(header::TRAILER);
            Ok(UpstreamResponse::Refused { parts, body })
        }
        status => Err(AskError::Not2xx(status)),
    }
}

/// The same request as an extended CONNECT: `Host` becomes `:authority`.
fn extended_connect(request: Request<Empty<Bytes>>, is_tls: bool) -> Result<Request<()>, AskError> {
    let (mut parts, _) = request.into_parts();
    let host = parts.headers.remove(header::HOST);
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let uri = Uri::builder()
        .scheme(if is_tls { Scheme::HTTPS } else { Scheme::HTTP })
        .authority(authority.ok_or(AskError::Authority)?)
        .path_and_query(parts.uri.path_and_query().map_or("/", |path| path.as_str()));
    parts.uri = uri.build().map_err(|_| AskError::Authority)?;
    parts.method = Method::CONNECT;
    parts.version = Version::HTTP_2;
    parts.extensions.insert(Protocol::from_static("websocket"));
    Ok(Request::from_parts(parts, ()))
}

/// Bounds the interim answers (1xx), of which a server may send any number.
struct Interim {
    limit: usize,
    taken: usize,
}

/// What RFC 9113 §6.5.2 counts for a header beyond its name and value.
const PER_HEADER: usize = 32;

impl Interim {
    fn new(limit: usize) -> Self {
        Self { limit, taken: 0 }
    }

    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        response: &mut ResponseFuture,
    ) -> Poll<Result<Response<RecvStream>, AskError>> {
        while let Poll::Ready(Some(interim)) = response.poll_informational(cx) {
            let interim = interim.map_err(AskError::from)?;
            if interim.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Poll::Ready(Err(AskError::Switching));
            }
            self.taken = self.taken.saturating_add(size(interim.headers()));
            if self.taken > self.limit {
                return Poll::Ready(Err(AskError::TooManyInterim(self.limit)));
            }
        }
        Pin::new(response).poll(cx).map_err(AskError::from)
    }
}

/// The size of a head, with its `:status`.
fn size(headers: &HeaderMap) -> usize {
    let lines = headers.iter();
    let lines = lines.map(|(name, value)| name.as_str().len() + value.len() + PER_HEADER);
    lines.sum::<usize>() + ":status".len() + 3 + PER_HEADER
}

/// Reads the body of a refusal, unless it is longer than [`BODY_SIZE`]: the beginning of one would be taken for
/// the whole.
async fn read(mut body: RecvStream, headers: &HeaderMap) -> Result<Option<Bytes>, AskError> {
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_SIZE as u64) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(AskError::from)?;
        if data.len() > BODY_SIZE - bytes.len() {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
        // It fails where nothing is to be acknowledged any more.
        let _ = body.flow_control().release_capacity(data.len());
    }
    Ok(Some(Bytes::from(bytes)))
}

impl From<h2::Error> for AskError {
    /// A server says in two ways that it has not processed a request, which may be sent again then (RFC 9113 §8.7).
    fn from(error: h2::Error) -> Self {
        let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        match error.is_remote() && (error.is_go_away() || is_refused) {
            true => Self::Unprocessed(error),
            false => Self::Http(error),
        }
    }
}

impl AskError {
    pub(crate) fn rejection(&self) -> Rejection {
        match self {
            Self::Unprocessed(_) => Rejection::UpstreamRefused,
            Self::Http(error) if error.is_remote() || hung_up(error) => Rejection::UpstreamReset,
            Self::Http(_) | Self::Switching | Self::TooManyInterim(_) | Self::EndedAtOnce => {
                Rejection::UpstreamBadResponse
            }
            Self::Authority => Rejection::Host,
            Self::Not2xx(_) => Rejection::UpstreamNot101,
        }
    }

    /// Whether the request may be sent again: the server has not seen it, or has not looked at it.
    pub(crate) fn is_unprocessed(&self) -> bool {
        matches!(self, Self::Unprocessed(_))
    }
}

/// Whether the connection broke, rather than that something wrong came over it.
fn hung_up(error: &h2::Error) -> bool {
    let wrong = [io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput];
    let error = error.get_io();
    error.is_some_and(|error| !wrong.contains(&error.kind()))
}
