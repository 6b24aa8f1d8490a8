//! The body of a response from a server.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::Notify;
use tokio::time::timeout;

pin_project! {
    /// A response body that has begun, or did not begin at once.
    pub(crate) struct Download<B>
    where
        B: Body,
    {
        #[pin]
        body: B,
        // The first part, which came with the head.
        first: Option<Frame<B::Data>>,
        // Why there is no more of it.
        failure: Option<B::Error>,
        // The same, before it may be told.
        broken_off: Option<B::Error>,
        on_failure: Option<OnFailure>,
        over: Option<Over>,
    }
}

/// Tells that a response is over when it is dropped.
struct Over(Arc<Notify>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

type OnFailure = Box<dyn FnOnce(&(dyn Error + 'static)) + Send + Sync>;

/// The head waits for so long for the first part of the body. Most servers send both at once; a stream
/// whose first event is still to come is delayed by no more than this.
const FIRST_PART: Duration = Duration::from_millis(10);

impl<B> Download<B>
where
    B: Body + Unpin,
{
    /// Waits a moment for the first part.
    ///
    /// # Errors
    /// The body's, if it is malformed or broken off from the start: the client can still be told. With it comes
    /// what there is.
    pub(super) async fn begin(mut body: B) -> Result<Self, (B::Error, Self)> {
        let mut first = None;
        if !body.is_end_stream()
            && let Ok(Some(part)) = timeout(FIRST_PART, body.frame()).await
        {
            first = Some(part);
        }
        let (first, error) = match first.transpose() {
            Ok(first) => (first, None),
            Err(error) => (None, Some(error)),
        };
        let begun = Self {
            body,
            first,
            failure: None,
            broken_off: None,
            on_failure: None,
            over: None,
        };
        match error {
            None => Ok(begun),
            Some(error) => Err((error, begun)),
        }
    }

    /// Breaks off with this error when the head has been written.
    pub(super) fn broken_off(mut self, error: B::Error) -> Self {
        self.broken_off = Some(error);
        self
    }
}

impl<B: Body> Download<B> {
    /// Calls `report` with the error if the body fails when it has begun.
    pub(super) fn on_failure(
        mut self,
        report: impl FnOnce(&(dyn Error + 'static)) + Send + Sync + 'static,
    ) -> Self {
        self.on_failure = Some(Box::new(report));
        self
    }

    /// Notifies `over` when nothing more is taken of the body.
    pub(super) fn notify_at_end(mut self, over: Arc<Notify>) -> Self {
        self.over = Some(Over(over));
        self
    }
}

impl<B> Body for Download<B>
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
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if let Some(failure) = this.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        let part = match this.broken_off.take() {
            Some(failure) => Some(Err(failure)),
            None => ready!(this.body.poll_frame(cx)),
        };
        match part {
            Some(Err(failure)) => {
                if let Some(report) = this.on_failure.take() {
                    report(&failure);
                }
                // Hyper drops what it has not written yet when it learns of the failure. It writes that
                // while it waits for another part, so it learns of the failure at its next poll.
                *this.failure = Some(failure);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            part => Poll::Ready(part),
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_broken = self.failure.is_some() || self.broken_off.is_some();
        self.first.is_none() && !is_broken && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().and_then(Frame::data_ref);
        let first = first.map_or(0, |data| data.remaining() as u64);
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(first.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper() {
            hint.set_upper(first.saturating_add(upper));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io;

    use bytes::Bytes;
    use futures_util::{Stream, StreamExt, stream};
    use http_body_util::{Empty, Full, StreamBody};
    use tokio::time::{Instant, sleep};

    use super::*;

    type Part = io::Result<Frame<Bytes>>;

    fn data(text: &'static str) -> Part {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    fn broken() -> Part {
        Err(io::Error::other("broken"))
    }

    fn body(
        parts: impl Stream<Item = Part> + Unpin,
    ) -> StreamBody<impl Stream<Item = Part> + Unpin> {
        StreamBody::new(parts)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_broken_from_the_start_does_not_begin() {
        let error = Download::begin(body(stream::iter([broken(), data("x")]))).await;
        let error = error.err().map(|(error, _)| error.to_string());
        assert_eq!(error.unwrap(), "broken");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_part_is_waited_for_a_moment_only() {
        let began = Instant::now();
        let parts = stream::pending().boxed();
        let download = Download::begin(body(parts)).await.ok().unwrap();
        assert_eq!(began.elapsed(), FIRST_PART);
        assert!(!download.is_end_stream());

        let late = stream::iter(["first", "second"]).then(|text| async move {
            sleep(2 * FIRST_PART).await;
            data(text)
        });
        let download = Download::begin(body(late.boxed())).await.ok().unwrap();
        let text = download.collect().await.unwrap().to_bytes();
        assert_eq!(text, "firstsecond");
    }

    #[tokio::test]
    async fn nothing_of_the_body_or_of_its_length_is_lost() {
        let download = Download::begin(Full::new(Bytes::from_static(b"body"))).await;
        let download = download.ok().unwrap();
        assert_eq!(download.size_hint().exact(), Some(4));
        assert!(!download.is_end_stream());
        assert_eq!(download.collect().await.unwrap().to_bytes(), "body");

        let download = Download::begin(Empty::<Bytes>::new()).await.ok().unwrap();
        assert!(download.is_end_stream());
        assert_eq!(download.size_hint().exact(), Some(0));

        let download = Download::begin(body(stream::iter([]))).await.ok().unwrap();
        assert_eq!(download.collect().await.unwrap().to_bytes(), "");
    }

    #[tokio::test]
    async fn what_came_before_a_failure_can_be_written_first() {
        let (sender, reported) = std::sync::mpsc::channel();
        let parts = stream::iter([data("first"), data("second"), broken()]);
        let mut download = Download::begin(body(parts))
            .await
            .ok()
            .unwrap()
            .on_failure(move |error| sender.send(error.to_string()).unwrap());
        let mut polls = Vec::new();
        while polls.last().is_none_or(|poll: &String| poll != "broken") {
            let poll = poll_fn(|cx| Poll::Ready(Pin::new(&mut download).poll_frame(cx))).await;
            polls.push(match poll {
                Poll::Pending => "pending".to_owned(),
                Poll::Ready(None) => "end".to_owned(),
                Poll::Ready(Some(Err(error))) => error.to_string(),
                Poll::Ready(Some(Ok(part))) => {
                    String::from_utf8(part.into_data().unwrap().to_vec()).unwrap()
                }
            });
        }
        assert_eq!(polls, ["first", "second", "pending", "broken"]);
        assert_eq!(reported.try_recv().unwrap(), "broken");
    }
}
