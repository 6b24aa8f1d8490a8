//! The body of a request: read as it is, or by serde.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use utoipa::IntoResponses;

use super::response::{Error, Refusal};

/// The body of a request in JSON, of which each key is a field of `T`.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

/// The query or the body is wrong; nothing has changed.
#[derive(IntoResponses)]
#[response(status = 400)]
#[expect(dead_code, reason = "only described: it is made as a Refusal")]
pub(crate) struct WrongBody(Error);

/// What a type is read from, for the sentence of a refusal.
pub(crate) trait Described {
    /// What the body must be: `an object with …`.
    const FORM: &'static str;
}

/// The body of a request on its way in, whose end is seen.
pub(crate) struct Arriving {
    body: Incoming,
    has_ended: Arc<AtomicBool>,
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body has more than {0} bytes")]
    TooLong(usize),
    #[error("the body did not arrive in time")]
    Late,
    #[error("the body broke off")]
    Broken(#[source] axum::Error),
}

/// More than any body in JSON has that is right.
const LONGEST: usize = 4096;

/// The longest wait for more of a body.
const SILENCE: Duration = Duration::from_secs(10);

/// From the head of a request to the end of its body.
const LONGEST_TIME: Duration = Duration::from_secs(60);

impl BodyError {
    /// The status of a request that is refused for it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Late | Self::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl Arriving {
    /// The body, and what says whether its end has been read.
    pub(super) fn new(body: Incoming) -> (Self, Arc<AtomicBool>) {
        let has_ended = Arc::new(AtomicBool::new(body.is_end_stream()));
        let end = Arc::clone(&has_ended);
        (Self { body, has_ended }, end)
    }
}

impl hyper::body::Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let is_last = !matches!(frame, Some(Err(_))) && self.body.is_end_stream();
        if frame.is_none() || is_last {
            self.has_ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The pieces of a body as they come, with a bound on their bytes and on the time.
pub(crate) struct Pieces {
    body: Body,
    longest: usize,
    left: usize,
    deadline: Instant,
}

impl Pieces {
    /// Of at most so many bytes altogether.
    pub(crate) fn new(body: Body, longest: usize) -> Self {
        Self {
            body,
            longest,
            left: longest,
            deadline: Instant::now() + LONGEST_TIME,
        }
    }

    /// The next piece; `None` is the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        if self.body.size_hint().lower() > self.left as u64 {
            return Err(BodyError::TooLong(self.longest));
        }
        loop {
            let deadline = self.deadline.min(Instant::now() + SILENCE);
            let frame = timeout_at(deadline, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_elapsed| BodyError::Late)? else {
                return Ok(None);
            };
            let frame = frame.map_err(BodyError::Broken)?;
            // Trailers are passed over.
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            let left = self.left.checked_sub(piece.len());
            self.left = left.ok_or(BodyError::TooLong(self.longest))?;
            return Ok(Some(piece));
        }
    }
}

/// A body of at most so many bytes.
pub(crate) async fn whole(body: Body, longest: usize) -> Result<Bytes, BodyError> {
    let mut pieces = Pieces::new(body, longest);
    let Some(first) = pieces.next().await? else {
        return Ok(Bytes::new());
    };
    // Most are one piece, which is not copied.
    let Some(second) = pieces.next().await? else {
        return Ok(first);
    };
    let mut whole = BytesMut::from(first);
    whole.extend_from_slice(&second);
    while let Some(piece) = pieces.next().await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

impl<T: DeserializeOwned + Described, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Response> {
        read(request.into_body())
            .await
            .map(Self)
            .map_err(IntoResponse::into_response)
    }
}

/// The bytes of a body of at most so many, for a handler.
pub(crate) async fn bytes_of(body: Body, longest: usize) -> Result<Bytes, Refusal> {
    let refusal = |error: BodyError| Refusal::new(StatusCode::BAD_REQUEST, error.to_string());
    whole(body, longest).await.map_err(refusal)
}

async fn read<T: DeserializeOwned + Described>(body: Body) -> Result<T, Refusal> {
    let refusal = |sentence: String| Refusal::new(StatusCode::BAD_REQUEST, sentence);
    let body = bytes_of(body, LONGEST).await?;
    // serde's own sentence repeats what the client wrote.
    serde_json::from_slice(&body).map_err(|error| match error.is_data() {
        true => refusal(format!("the body must be {}", T::FORM)),
        false => refusal(format!(
            "the body is not JSON: it must be {} (line {}, column {})",
            T::FORM,
            error.line(),
            error.column()
        )),
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::StreamExt;
    use futures_util::stream;

    use super::*;

    /// A body of pieces that come after so many seconds each, and of no end if it is open.
    fn body(pieces: &[(&'static str, u64)], is_open: bool) -> Body {
        let pieces = stream::iter(pieces.to_vec()).then(|(piece, seconds)| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok::<_, Infallible>(piece)
        });
        match is_open {
            true => Body::from_stream(pieces.chain(stream::pending())),
            false => Body::from_stream(pieces),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_whole_however_it_comes_within_its_bounds() {
        for (pieces, expected) in [
            (&[][..], Some("")),
            (&[("abc", 0)], Some("abc")),
            (&[("a", 9), ("b", 9), ("c", 9), ("d", 9)], Some("abcd")),
            (&[("abcd", 0), ("e", 0)], None),
            (&[("abcde", 0)], None),
        ] {
            let found = whole(body(pieces, false), 4).await.ok();
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{pieces:?}");
        }
        let long = whole(Body::from("abcde"), 4).await.unwrap_err();
        assert_eq!(long.to_string(), "the body has more than 4 bytes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_waited_for_no_longer_than_its_time() {
        let slow = [("a", 9); 7];
        for (pieces, expected) in [
            (&[][..], SILENCE),
            (&[("a", 9)], SILENCE + Duration::from_secs(9)),
            (&slow, LONGEST_TIME),
        ] {
            let began = Instant::now();
            let late = whole(body(pieces, true), 100).await;
            assert!(matches!(late, Err(BodyError::Late)), "{pieces:?}");
            assert_eq!(began.elapsed(), expected, "{pieces:?}");
        }
    }
}
