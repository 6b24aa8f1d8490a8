//! The body of a request of HTTP/2.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{HeaderMap, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};

use crate::server::http::limiter::ClientState;

/// The body of a request. What is not read of it, the client may not send: its window stays closed.
pub(crate) struct Http2Body {
    stream: RecvStream,
    /// Of what is to come, where the request says so; h2 holds the client to it.
    length: Option<u64>,
    /// The client waits for a 100 (Continue), which it gets when the body is first wanted.
    expected_by: Option<Arc<ClientState>>,
    had_data: bool,
}

impl Http2Body {
    pub(crate) fn new(stream: RecvStream, head: &HeaderMap, client: &Arc<ClientState>) -> Self {
        let length = head.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let mut expectations = head.get_all(header::EXPECT).iter();
        let is_expected =
            expectations.any(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        Self {
            stream,
            length,
            expected_by: is_expected.then(|| Arc::clone(client)),
            had_data: false,
        }
    }
}

impl Body for Http2Body {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let this = self.get_mut();
        if let Some(client) = this.expected_by.take() {
            client.interim().add(StatusCode::CONTINUE, HeaderMap::new());
        }
        match ready!(this.stream.poll_data(cx)) {
            Some(Ok(data)) => {
                this.had_data = true;
                if let Some(length) = &mut this.length {
                    *length = length.saturating_sub(data.len() as u64);
                }
                // The server's socket takes it now.
                let _ = this.stream.flow_control().release_capacity(data.len());
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            // The answer was there, and the client is told to stop (RFC 9113 §8.1).
            Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => match ready!(this.stream.poll_trailers(cx)) {
                Ok(Some(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Ok(None) => Poll::Ready(None),
                Err(error) => Poll::Ready(Some(Err(error))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Some(length) => SizeHint::with_exact(length),
            None if self.stream.is_end_stream() => SizeHint::with_exact(0),
            None => SizeHint::default(),
        }
    }
}
