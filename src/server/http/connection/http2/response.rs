//! A response on its way to the client.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::response::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Body;
use jiff::Timestamp;

use crate::server::http::idle_timeout::IdleTimeout;
use crate::server::http::limiter::{ClientState, PeerState};

/// How the sending of a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Whole,
    /// The body broke off, and the client was told.
    BrokenOff,
    /// The client reset the stream, or is gone.
    Lost,
    /// The client took nothing for too long.
    Slow,
}

/// What is asked of the windows at once: a frame of DATA of the size that every peer takes.
const MOST_RESERVED: usize = 16 * 1024;

/// The head as HTTP/2 has it, and whether a body follows.
pub(super) fn head<B: Body>(response: Parts, body: &B, method: &Method) -> (Response<()>, bool) {
    let Parts {
        status,
        mut headers,
        ..
    } = response;
    for name in OF_CONNECTIONS {
        headers.remove(name);
    }
    if !headers.contains_key(header::DATE) {
        headers.extend(date().map(|date| (header::DATE, date)));
    }
    let may_have_body = !status.is_informational()
        && ![StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    if let Some(length) = body.size_hint().exact()
        && may_have_body
        && method != Method::CONNECT
        && !headers.contains_key(header::CONTENT_LENGTH)
        && (length > 0 || method != Method::HEAD)
    {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let mut head = Response::new(());
    *head.status_mut() = status;
    *head.headers_mut() = headers;
    let has_body = may_have_body && method != Method::HEAD && !body.is_end_stream();
    (head, has_body)
}

/// What only a connection of HTTP/1 has (RFC 9113 §8.2.2).
const OF_CONNECTIONS: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The time of an answer (RFC 9110 §5.6.7).
fn date() -> Option<HeaderValue> {
    let now = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    HeaderValue::try_from(now.to_string()).ok()
}

/// Sends a body to its end, as the client takes it.
pub(super) async fn send<B>(body: B, mut stream: SendStream<Bytes>, client: &ClientState) -> Sent
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    loop {
        let next = poll_fn(|cx| {
            if is_lost(&mut stream, cx) {
                return Poll::Ready(Err(Sent::Lost));
            }
            body.as_mut().poll_frame(cx).map(Ok)
        });
        let sent = match next.await {
            Err(lost) => Err(lost),
            Ok(None) => return end(stream.send_data(Bytes::new(), true)),
            Ok(Some(Err(_))) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Sent::BrokenOff;
            }
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => {
                    let is_last = body.is_end_stream();
                    let sent = send_data(data, is_last, &mut stream, client).await;
                    if is_last && sent.is_ok() {
                        return Sent::Whole;
                    }
                    sent
                }
                Err(frame) => match frame.into_trailers() {
                    Ok(trailers) => return end(stream.send_trailers(trailers)),
                    Err(_unknown) => Ok(()),
                },
            },
        };
        match sent {
            Ok(()) => {}
            Err(Sent::Slow) => {
                client.set_peer(PeerState::Slow);
                stream.send_reset(Reason::CANCEL);
                return Sent::Slow;
            }
            Err(lost) => {
                client.set_peer(PeerState::Gone);
                return lost;
            }
        }
    }
}

async fn send_data(
    mut data: Bytes,
    is_last: bool,
    stream: &mut SendStream<Bytes>,
    client: &ClientState,
) -> Result<(), Sent> {
    let mut stall = IdleTimeout::default();
    loop {
        let mut length = data.len();
        if length > 0 {
            stream.reserve_capacity(length.min(MOST_RESERVED));
            let capacity = poll_fn(|cx| {
                if let Poll::Ready(capacity) = poll_capacity(stream, cx) {
                    return Poll::Ready(capacity.ok_or(Sent::Lost));
                }
                if is_lost(stream, cx) {
                    return Poll::Ready(Err(Sent::Lost));
                }
                ready!(stall.poll_elapsed(cx, client.write_limit()));
                Poll::Ready(Err(Sent::Slow))
            });
            length = length.min(capacity.await?);
            stall.restart();
        }
        let part = data.split_to(length);
        let is_end = data.is_empty();
        (stream.send_data(part, is_last && is_end)).map_err(|_| Sent::Lost)?;
        if is_end {
            return Ok(());
        }
    }
}

/// How much may be sent; none where nothing will be any more.
fn poll_capacity(stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Option<usize>> {
    loop {
        match stream.capacity() {
            0 => {}
            capacity => return Poll::Ready(Some(capacity)),
        }
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Poll::Ready(None),
        }
    }
}

fn is_lost(stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> bool {
    stream.poll_reset(cx).is_ready()
}

fn end(ended: Result<(), h2::Error>) -> Sent {
    match ended {
        Ok(()) => Sent::Whole,
        Err(_) => Sent::Lost,
    }
}
