//! The body of a request to a server, and the timeouts of the exchange.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::Rejection;
use hyper::body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

pin_project! {
    /// A request body that records its progress.
    pub(super) struct Upload<B> {
        #[pin]
        body: B,
        progress: Arc<Progress>,
    }

    impl<B> PinnedDrop for Upload<B> {
        fn drop(this: Pin<&mut Self>) {
            this.project().progress.move_to(Stage::Sent);
        }
    }
}

/// The progress of a request.
#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
    moved_on: Notify,
}

#[derive(Clone, Copy, Debug)]
struct State {
    stage: Stage,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The server has to take what it was given.
    Sending,
    /// The client has to send the rest of the body.
    Receiving,
    /// The server has to answer.
    Sent,
    /// The client's body broke off.
    Broken,
}

/// A client may be silent for so long in the middle of a body.
const CLIENT_PAUSE: Duration = Duration::from_secs(60);

impl<B: Body> Upload<B> {
    pub(super) fn new(body: B) -> (Self, Arc<Progress>) {
        let stage = match body.is_end_stream() {
            true => Stage::Sent,
            false => Stage::Sending,
        };
        let progress = Arc::new(Progress {
            state: Mutex::new(State {
                stage,
                since: Instant::now(),
            }),
            moved_on: Notify::new(),
        });
        let upload = Self {
            body,
            progress: progress.clone(),
        };
        (upload, progress)
    }
}

impl<B: Body> Body for Upload<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Poll::Ready(frame) = this.body.poll_frame(cx) else {
            this.progress.move_to(Stage::Receiving);
            return Poll::Pending;
        };
        this.progress.move_to(match &frame {
            Some(Ok(_)) => Stage::Sending,
            Some(Err(_)) => Stage::Broken,
            None => Stage::Sent,
        });
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Progress {
    /// Restarts the clock: the request can only be sent now.
    pub(super) fn restart(&self) {
        self.state().since = Instant::now();
    }

    /// Resolves when one side takes too long: a server that does not take the body or does not answer
    /// `within` its time, or a client that does not continue its body.
    pub(super) async fn overdue(&self, within: Duration) -> Rejection {
        loop {
            let State { stage, since } = *self.state();
            let (limit, rejection) = match stage {
                Stage::Receiving => (CLIENT_PAUSE, Rejection::BodyTimeout),
                Stage::Sending | Stage::Sent | Stage::Broken => {
                    (within, Rejection::UpstreamTimeout)
                }
            };
            tokio::select! {
                () = sleep_until(since + limit) => {
                    let now = *self.state();
                    if now.stage == stage && now.since == since {
                        return rejection;
                    }
                }
                () = self.moved_on.notified() => {}
            }
        }
    }

    /// Whether the client's body ended before its end.
    pub(super) fn is_broken(&self) -> bool {
        self.state().stage == Stage::Broken
    }

    fn move_to(&self, stage: Stage) {
        let mut state = self.state();
        let moved = state.stage != stage;
        // A broken body is dropped too, and stays broken.
        if state.stage == Stage::Broken || (!moved && stage != Stage::Sending) {
            return;
        }
        *state = State {
            stage,
            since: Instant::now(),
        };
        if moved {
            self.moved_on.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use bytes::Bytes;
    use http_body_util::{Empty, Full, StreamBody};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_server_has_its_time_to_answer_from_when_the_request_could_be_sent() {
        let (_upload, progress) = Upload::new(Empty::<Bytes>::new());
        tokio::time::advance(3 * SECOND).await;
        progress.restart();
        let began = Instant::now();
        assert_eq!(
            progress.overdue(5 * SECOND).await,
            Rejection::UpstreamTimeout
        );
        assert_eq!(began.elapsed(), 5 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_takes_no_body_is_late_too() {
        let (mut upload, progress) = Upload::new(Full::new(Bytes::from_static(b"body")));
        tokio::time::advance(SECOND).await;
        next(&mut upload).await.unwrap().unwrap();
        let began = Instant::now();
        assert_eq!(
            progress.overdue(5 * SECOND).await,
            Rejection::UpstreamTimeout
        );
        assert_eq!(began.elapsed(), 5 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_pauses_is_waited_for_longer_and_is_then_at_fault() {
        let (mut upload, progress) = Upload::new(StreamBody::new(futures_util::stream::pending::<
            Result<Frame<Bytes>, std::io::Error>,
        >()));
        let began = Instant::now();
        let rejection = tokio::select! {
            rejection = progress.overdue(5 * SECOND) => rejection,
            _ = next(&mut upload) => panic!("nothing comes"),
        };
        assert_eq!(rejection, Rejection::BodyTimeout);
        assert_eq!(began.elapsed(), CLIENT_PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_long_upload_starts_the_servers_time() {
        let (upload, progress) = Upload::new(Full::new(Bytes::from_static(b"body")));
        progress.move_to(Stage::Receiving);
        let began = Instant::now();
        let upload_ends = async {
            tokio::time::sleep(20 * SECOND).await;
            drop(upload);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            rejection = progress.overdue(5 * SECOND) => {
                assert_eq!(rejection, Rejection::UpstreamTimeout);
            }
            () = upload_ends => {}
        }
        assert_eq!(began.elapsed(), 25 * SECOND);
    }

    #[tokio::test]
    async fn a_body_that_breaks_stays_broken() {
        let error = Err::<Frame<Bytes>, _>(std::io::Error::other("gone"));
        let (mut upload, progress) =
            Upload::new(StreamBody::new(futures_util::stream::iter([error])));
        assert!(!progress.is_broken());
        assert!(next(&mut upload).await.unwrap().is_err());
        drop(upload);
        assert!(progress.is_broken());
    }

    async fn next<B: Body + Unpin>(
        body: &mut Upload<B>,
    ) -> Option<Result<Frame<B::Data>, B::Error>> {
        poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
    }
}
