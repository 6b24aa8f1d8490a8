//! The handshake on a stream: extended CONNECT, and its answer (RFC 8441 §5).

use std::future::poll_fn;
use std::io;

use bytes::Bytes;
use h2::RecvStream;
use h2::ext::Protocol;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::Empty;

use super::interim::{Awaited, InterimError};
use super::places::Place;
use super::request::{NoAuthority, on_stream};
use super::unprocessed::is_unprocessed;
use crate::rejection::{Rejection, is_passed_on};
use crate::transport::{Http2Stream, Transport};
use crate::upstream::response::{BODY_SIZE, UpstreamResponse};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("the server has not processed the request")]
    Unprocessed(#[source] h2::Error),
    #[error("the answer did not come or cannot be read")]
    Http(#[source] h2::Error),
    #[error(transparent)]
    Authority(#[from] NoAuthority),
    #[error("the answer is none of HTTP/2")]
    Interim(#[source] InterimError),
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
    let Place {
        mut sender, permit, ..
    } = place;
    let (parts, _) = request.into_parts();
    let mut request = on_stream(parts, is_tls)?;
    *request.method_mut() = Method::CONNECT;
    let websocket = Protocol::from_static("websocket");
    request.extensions_mut().insert(websocket);
    let sent = sender.send_request(request, false);
    let (response, send) = sent.map_err(|error| {
        permit.end_connection();
        // Nothing was sent.
        AskError::Unprocessed(error)
    })?;
    drop(sender);
    let mut awaited = Awaited::new(response, 2 * head_size);
    let answered = poll_fn(|cx| awaited.poll(cx, |_| {})).await;
    let response = answered.map_err(|error| match error {
        InterimError::Http(error) => {
            permit.note_failure(&error);
            AskError::from(error)
        }
        error => AskError::Interim(error),
    })?;
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
        match is_unprocessed(&error) {
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
            Self::Http(_) | Self::Interim(_) | Self::EndedAtOnce => Rejection::UpstreamBadResponse,
            Self::Authority(_) => Rejection::Host,
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
