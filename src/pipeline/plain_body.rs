//! The bodies of a forwarded plain request and of its response. They count their bytes and report their
//! end.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::counts::PlainTraffic;
use crate::types::Side;

pin_project! {
    /// The body of a forwarded request: [`PlainRequest::request`](crate::PlainRequest::request).
    pub struct PlainRequestBody<B> {
        #[pin]
        body: B,
        traffic: Arc<PlainTraffic>,
    }
}

pin_project! {
    /// The body of the response to a forwarded request: [`PlainRequest::respond`](crate::PlainRequest::respond).
    ///
    /// Its end is the end of the request, which is counted and logged then. If it is dropped before its end,
    /// the client has not got all of it.
    pub struct PlainResponseBody<B>
    where
        B: Body,
    {
        #[pin]
        body: B,
        // None once the end is told.
        delivery: Option<Arc<dyn Delivery>>,
        why: Option<WhyUndelivered>,
    }

    impl<B> PinnedDrop for PlainResponseBody<B>
    where
        B: Body,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(delivery) = this.delivery.take() {
                delivery.ended(match (this.body.is_end_stream(), this.why) {
                    (true, _) => Delivered::Whole,
                    (false, Some(why)) => Delivered::Dropped(why()),
                    (false, None) => Delivered::Dropped(Undelivered::ClientLost),
                });
            }
        }
    }
}

/// Says why, when it comes to that.
pub(super) type WhyUndelivered = Box<dyn Fn() -> Undelivered + Send + Sync>;

/// Why a client did not get all of a response that its server has not broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undelivered {
    /// Its connection has ended.
    ClientLost,
    /// It took nothing for too long.
    SlowClient,
    /// The host has given it up.
    Cut,
}

impl Undelivered {
    /// The word for logs: `client_lost`, `slow_client` or `cut`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientLost => "client_lost",
            Self::SlowClient => "slow_client",
            Self::Cut => "cut",
        }
    }
}

/// Who hears how a response is passed on.
pub(super) trait Delivery: Send + Sync {
    /// So much of the body has come from the server.
    fn passed(&self, bytes: u64);

    /// There is no more of it.
    fn ended(&self, how: Delivered<'_>);
}

/// How the passing on of a response ended.
#[derive(Debug)]
pub(super) enum Delivered<'a> {
    Whole,
    /// The server broke it off.
    Failed(&'a (dyn Error + 'static)),
    Dropped(Undelivered),
}

impl<B> PlainRequestBody<B> {
    pub(super) fn new(body: B, traffic: Arc<PlainTraffic>) -> Self {
        Self { body, traffic }
    }
}

impl<B: Body> PlainResponseBody<B> {
    pub(super) fn new(body: B, delivery: Arc<dyn Delivery>) -> Self {
        Self {
            body,
            delivery: Some(delivery),
            why: None,
        }
    }

    /// Calls `why` if this is dropped before its end. Otherwise the client counts as lost, which is what it
    /// is most often.
    #[must_use]
    pub fn with_cause(mut self, why: impl Fn() -> Undelivered + Send + Sync + 'static) -> Self {
        self.why = Some(Box::new(why));
        self
    }
}

impl<B: Body> Body for PlainRequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            this.traffic.add(Side::Client, length(frame));
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

impl<B> Body for PlainResponseBody<B>
where
    B: Body,
    B::Error: Error + 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        let ended = match &frame {
            Some(Ok(frame)) => {
                if let Some(delivery) = this.delivery {
                    delivery.passed(length(frame));
                }
                None
            }
            Some(Err(error)) => Some(Delivered::Failed(error)),
            None => Some(Delivered::Whole),
        };
        if let Some(ended) = ended
            && let Some(delivery) = this.delivery.take()
        {
            delivery.ended(ended);
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

fn length<D: Buf>(frame: &Frame<D>) -> u64 {
    frame.data_ref().map_or(0, |data| data.remaining() as u64)
}

impl<B> fmt::Debug for PlainRequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainRequestBody").finish_non_exhaustive()
    }
}

impl<B: Body> fmt::Debug for PlainResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainResponseBody").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use bytes::Bytes;
    use http_body_util::{BodyExt, Empty, Full, StreamBody};

    use super::*;

    /// Bytes and ends that were told.
    #[derive(Default)]
    struct Told(Mutex<(u64, Vec<String>)>);

    impl Delivery for Told {
        fn passed(&self, bytes: u64) {
            self.0.lock().unwrap().0 += bytes;
        }

        fn ended(&self, how: Delivered<'_>) {
            self.0.lock().unwrap().1.push(match how {
                Delivered::Whole => "whole".to_owned(),
                Delivered::Failed(error) => error.to_string(),
                Delivered::Dropped(why) => why.as_str().to_owned(),
            });
        }
    }

    fn told<B: Body>(body: B) -> (PlainResponseBody<B>, Arc<Told>) {
        let told = Arc::new(Told::default());
        (PlainResponseBody::new(body, told.clone()), told)
    }

    fn parts(
        parts: impl IntoIterator<Item = io::Result<&'static str>>,
    ) -> StreamBody<impl futures_util::Stream<Item = io::Result<Frame<Bytes>>>> {
        let parts: Vec<_> = parts.into_iter().collect();
        let frames = parts
            .into_iter()
            .map(|part| part.map(|text| Frame::data(Bytes::from(text))));
        StreamBody::new(futures_util::stream::iter(frames))
    }

    #[tokio::test]
    async fn the_end_of_a_body_is_told_once_with_its_bytes() {
        let (body, heard) = told(parts([Ok("two"), Ok("parts")]));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "twoparts");
        assert_eq!(*heard.0.lock().unwrap(), (8, vec!["whole".to_owned()]));

        let (body, heard) = told(parts([Ok("one"), Err(io::Error::other("gone"))]));
        body.collect().await.unwrap_err();
        assert_eq!(*heard.0.lock().unwrap(), (3, vec!["gone".to_owned()]));
    }

    #[tokio::test]
    async fn a_body_that_is_dropped_at_its_end_was_whole_and_before_it_was_not() {
        // Nobody polls what has no body: the response to HEAD.
        let (body, heard) = told(Empty::<Bytes>::new());
        drop(body);
        assert_eq!(*heard.0.lock().unwrap(), (0, vec!["whole".to_owned()]));

        // A server may stop polling at the last byte.
        let (mut body, heard) = told(Full::new(Bytes::from_static(b"all")));
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert_eq!(*heard.0.lock().unwrap(), (3, vec!["whole".to_owned()]));

        let (mut body, heard) = told(parts([Ok("one"), Ok("two")]));
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert_eq!(
            *heard.0.lock().unwrap(),
            (3, vec!["client_lost".to_owned()])
        );

        let (body, heard) = told(parts([Ok("one")]));
        drop(body.with_cause(|| Undelivered::SlowClient));
        assert_eq!(
            *heard.0.lock().unwrap(),
            (0, vec!["slow_client".to_owned()])
        );
    }
}
