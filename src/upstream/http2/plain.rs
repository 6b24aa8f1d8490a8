//! A plain request and its response, on a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use tokio_util::task::AbortOnDropHandle;

use super::interim::{Awaited, InterimError};
use super::places::{Place, StreamPermit};
use super::request::{NoAuthority, on_stream};
use super::unprocessed::is_unprocessed;

/// A place for one plain request on a connection of HTTP/2 that it shares with others:
/// [`PlainRequest::connect_http2`](crate::PlainRequest::connect_http2).
#[derive(Debug)]
pub struct Http2Sender {
    place: Place,
    is_tls: bool,
}

/// The body of a response over HTTP/2.
pub struct Http2Body {
    receive: RecvStream,
    /// What is left of a length that the response has announced.
    left: Option<u64>,
    has_data: bool,
    /// The request's body, as long as that belongs to this one.
    _upload: Option<AbortOnDropHandle<()>>,
    _permit: Arc<StreamPermit>,
}

/// Why there is no response over HTTP/2, or not all of one.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Http2Error(#[from] Cause);

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("the server has not processed the request")]
    Unprocessed(#[source] h2::Error),
    #[error("the stream broke")]
    Stream(#[source] h2::Error),
    #[error("the answer is none of HTTP/2")]
    Interim(#[source] InterimError),
    #[error(transparent)]
    Authority(#[from] NoAuthority),
}

/// A response that has not come yet. Dropped, it resets the stream.
pub(crate) struct Answer {
    awaited: Awaited,
    permit: Arc<StreamPermit>,
}

/// The body of a request on its way. Dropped before its end, it resets the stream.
pub(crate) struct Uploading<B: Body> {
    body: Pin<Box<B>>,
    /// What the stream has no room for yet, and whether it is the last.
    waiting: Option<(Bytes, bool)>,
    send: SendStream<Bytes>,
    _permit: Arc<StreamPermit>,
}

/// What interim answers may take ahead of the answer.
const INTERIM: usize = 32 * 1024;

impl Http2Sender {
    pub(crate) fn new(place: Place, is_tls: bool) -> Self {
        Self { place, is_tls }
    }

    /// Sends a request, which has its `Host`, and waits for the head of the response. Interim answers (1xx) are
    /// passed over. What is left of the request's body goes out beside the response's, and ends with that.
    ///
    /// # Errors
    /// [`Http2Error`] if there is none. It tells whether the request may be sent again.
    pub async fn send<B>(self, request: Request<B>) -> Result<Response<Http2Body>, Http2Error>
    where
        B: Body + Send + 'static,
        B::Data: Send,
    {
        let tasks = self.place.tasks.clone();
        let (mut answer, uploading) = self.start(request)?;
        let upload = uploading.map(|body| AbortOnDropHandle::new(tasks.spawn(body)));
        let mut response = poll_fn(|cx| answer.poll(cx, |_| {})).await?;
        response.body_mut()._upload = upload;
        Ok(response)
    }

    /// Sends the head. The answer and the body have to be polled beside each other.
    pub(crate) fn start<B: Body>(
        self,
        request: Request<B>,
    ) -> Result<(Answer, Option<Uploading<B>>), Http2Error> {
        let Place {
            mut sender, permit, ..
        } = self.place;
        let (parts, body) = request.into_parts();
        let request = on_stream(parts, self.is_tls).map_err(Cause::from)?;
        let is_empty = body.is_end_stream();
        let sent = sender.send_request(request, is_empty);
        let (response, send) = sent.map_err(|error| {
            permit.end_connection();
            // Nothing was sent.
            Cause::Unprocessed(error)
        })?;
        let permit = Arc::new(permit);
        let uploading = (!is_empty).then(|| Uploading {
            body: Box::pin(body),
            waiting: None,
            send,
            _permit: Arc::clone(&permit),
        });
        let awaited = Awaited::new(response, INTERIM);
        Ok((Answer { awaited, permit }, uploading))
    }
}

impl Answer {
    /// Resolves with the head of the response; calls `each` with every interim answer before it.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        each: impl FnMut(&Response<()>),
    ) -> Poll<Result<Response<Http2Body>, Http2Error>> {
        let answered = ready!(self.awaited.poll(cx, each));
        let response = match answered {
            Ok(response) => response,
            Err(error) => return Poll::Ready(Err(self.failure(error).into())),
        };
        let length = response.headers().get(header::CONTENT_LENGTH);
        let left = length.and_then(|length| length.to_str().ok()?.parse().ok());
        Poll::Ready(Ok(response.map(|receive| Http2Body {
            receive,
            left,
            has_data: true,
            _upload: None,
            _permit: Arc::clone(&self.permit),
        })))
    }

    fn failure(&self, error: InterimError) -> Cause {
        match error {
            InterimError::Http(error) => {
                self.permit.note_failure(&error);
                match is_unprocessed(&error) {
                    true => Cause::Unprocessed(error),
                    false => Cause::Stream(error),
                }
            }
            error => Cause::Interim(error),
        }
    }
}

impl<B: Body> Future for Uploading<B> {
    type Output = ();

    /// How it ends is for the response to tell: a body that breaks off resets the stream, and a stream that
    /// is reset takes nothing more.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            if this.send.poll_reset(cx).is_ready() {
                return Poll::Ready(());
            }
            let Some((mut data, is_last)) = this.waiting.take() else {
                match ready!(this.body.as_mut().poll_frame(cx)) {
                    // Trailers of a client are dropped: a server may merge them into the headers.
                    Some(Ok(frame)) => {
                        if let Ok(mut data) = frame.into_data() {
                            let data = data.copy_to_bytes(data.remaining());
                            this.waiting = Some((data, this.body.is_end_stream()));
                        }
                    }
                    Some(Err(_)) => {
                        this.send.send_reset(Reason::CANCEL);
                        return Poll::Ready(());
                    }
                    None => this.waiting = Some((Bytes::new(), true)),
                }
                continue;
            };
            if data.is_empty() {
                if is_last {
                    let _ = this.send.send_data(data, true);
                    return Poll::Ready(());
                }
                continue;
            }
            while this.send.capacity() == 0 {
                this.send.reserve_capacity(data.len());
                match this.send.poll_capacity(cx) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => {
                        this.waiting = Some((data, is_last));
                        return Poll::Pending;
                    }
                }
            }
            let part = data.split_to(data.len().min(this.send.capacity()));
            let ends = is_last && data.is_empty();
            if this.send.send_data(part, ends).is_err() || ends {
                return Poll::Ready(());
            }
            this.waiting = Some((data, is_last)).filter(|(data, _)| !data.is_empty());
        }
    }
}

impl Body for Http2Body {
    type Data = Bytes;
    type Error = Http2Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Http2Error>>> {
        let this = self.get_mut();
        let broken = |error| Some(Err(Cause::Stream(error).into()));
        if this.has_data {
            match ready!(this.receive.poll_data(cx)) {
                Some(Ok(data)) => {
                    // Who asks for more has taken what was before.
                    let _ = this.receive.flow_control().release_capacity(data.len());
                    if let Some(left) = &mut this.left {
                        *left = left.saturating_sub(data.len() as u64);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(broken(error)),
                None => this.has_data = false,
            }
        }
        Poll::Ready(match ready!(this.receive.poll_trailers(cx)) {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) => broken(error),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.receive.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Some(left) => SizeHint::with_exact(left),
            None if self.is_end_stream() => SizeHint::with_exact(0),
            None => SizeHint::default(),
        }
    }
}

impl Http2Error {
    /// Whether the server has not processed the request (RFC 9113 §8.7): if its body is still whole, it may be sent
    /// again, on what [`PlainRequest::connect_http2_again`](crate::PlainRequest::connect_http2_again) brings.
    pub fn is_unprocessed(&self) -> bool {
        matches!(self.0, Cause::Unprocessed(_))
    }

    /// Whether the server answered with something that is wrong in HTTP/2, rather than that it hung up.
    pub fn is_malformed(&self) -> bool {
        match &self.0 {
            Cause::Stream(error) => error.is_library(),
            Cause::Interim(_) => true,
            Cause::Unprocessed(_) | Cause::Authority(_) => false,
        }
    }
}

/// The data stays out.
impl fmt::Debug for Http2Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Body")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
