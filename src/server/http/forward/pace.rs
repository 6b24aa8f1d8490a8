//! A timeout on the pauses in a body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::server::http::idle_timeout::IdleTimeout;

pin_project! {
    /// A body that ends in an error when its next part does not come in time.
    ///
    /// Only the time counts in which that part is polled for: a slow reader is not the sender's fault.
    pub(crate) struct Paced<B> {
        #[pin]
        body: B,
        idle_timeout: IdleTimeout,
        // None lets it pause for ever.
        limit: Option<Duration>,
    }
}

/// Why a paced body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PaceError<E> {
    /// The body itself failed.
    #[error(transparent)]
    Body(E),
    /// It paused for too long.
    #[error("no data for {0:?}")]
    Paused(Duration),
}

impl<B> Paced<B> {
    pub(super) fn new(body: B, limit: Option<Duration>) -> Self {
        Self {
            body,
            idle_timeout: IdleTimeout::default(),
            limit,
        }
    }
}

impl<B> Body for Paced<B>
where
    B: Body,
    B::Error: std::error::Error + 'static,
{
    type Data = B::Data;
    type Error = PaceError<B::Error>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let this = self.project();
        if let Poll::Ready(frame) = this.body.poll_frame(cx) {
            this.idle_timeout.restart();
            return Poll::Ready(frame.map(|frame| frame.map_err(PaceError::Body)));
        }
        let Some(limit) = *this.limit else {
            return Poll::Pending;
        };
        ready!(this.idle_timeout.poll_elapsed(cx, limit));
        Poll::Ready(Some(Err(PaceError::Paused(limit))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use tokio::time::{Instant, sleep};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_as_slow_as_its_pauses_may_be_long() {
        let frames = stream::iter(0..5).then(|_| async {
            sleep(LIMIT - Duration::from_secs(1)).await;
            Ok::<_, io::Error>(Frame::data(Bytes::from_static(b"x")))
        });
        let body = Paced::new(StreamBody::new(Box::pin(frames)), Some(LIMIT));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "xxxxx");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_pauses_too_long_ends() {
        let frames = stream::pending::<Result<Frame<Bytes>, io::Error>>();
        let body = Paced::new(StreamBody::new(frames), Some(LIMIT));
        let began = Instant::now();
        let error = body.collect().await.unwrap_err();
        assert_eq!(began.elapsed(), LIMIT);
        assert_eq!(error.to_string(), "no data for 60s");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_a_body_may_be_silent_for_ever() {
        let frames = stream::pending::<Result<Frame<Bytes>, io::Error>>();
        let body = Paced::new(StreamBody::new(frames), None);
        let silent = tokio::time::timeout(1000 * LIMIT, body.collect()).await;
        assert!(silent.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_pauses_is_not_the_bodys_fault() {
        let frames = stream::iter([b"a", b"b"])
            .map(|data| Ok::<_, io::Error>(Frame::data(Bytes::from_static(data))));
        let mut body = Paced::new(StreamBody::new(frames), Some(LIMIT));
        body.frame().await.unwrap().unwrap();
        sleep(2 * LIMIT).await;
        body.frame().await.unwrap().unwrap();
    }
}
