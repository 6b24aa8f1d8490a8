//! The body of a request to a server, and the timeouts of the exchange.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::Rejection;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// The body of a client's request, of which a further connection may be tried as long as nothing was taken.
#[derive(Debug)]
pub(super) struct Source<B>(Arc<Mutex<Shared<B>>>);

#[derive(Debug)]
struct Shared<B> {
    body: B,
    /// A client that waits for a 100 (Continue) has got it: it is sent when the body is first polled.
    is_begun: bool,
    /// Something of the body is gone.
    is_used: bool,
}

/// A request body that records its progress.
pub(super) struct Upload<B: Body> {
    source: Source<B>,
    progress: Arc<Progress>,
    /// Until then the server is waited for before the client is asked for the body.
    hold: Option<Pin<Box<Sleep>>>,
}

/// The progress of a request.
#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
    moved_on: Notify,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    since: Instant,
    /// The body is held back until the server has said that it wants it.
    is_held: bool,
    /// The server has answered without it: it is held back for good.
    is_refused: bool,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The server has to take what it was given.
    Sending,
    /// The client has to send the rest of the body.
    Receiving,
    /// The server has to answer.
    Sent,
    /// The same, without the rest of the body.
    GivenUp,
    /// The client's body broke off.
    Broken,
}

/// A client may be silent for so long in the middle of a body.
const CLIENT_PAUSE: Duration = Duration::from_secs(60);

/// A server that says nothing of an expected body gets it after so long. RFC 9110 §10.1.1 wants no endless wait, because
/// many servers ignore the expectation; curl and Go wait for as long.
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

impl<B: Body> Source<B> {
    pub(super) fn new(body: B) -> Self {
        Self(Arc::new(Mutex::new(Shared {
            body,
            is_begun: false,
            is_used: false,
        })))
    }

    /// The body for one connection. With `is_expected` it is held back until the server wants it.
    pub(super) fn upload(&self, is_expected: bool) -> (Upload<B>, Arc<Progress>) {
        let stage = match self.is_empty() {
            true => Stage::Sent,
            false => Stage::Sending,
        };
        let progress = Arc::new(Progress {
            state: Mutex::new(State {
                stage,
                since: Instant::now(),
                is_held: is_expected,
                is_refused: false,
                waker: None,
            }),
            moved_on: Notify::new(),
        });
        let upload = Upload {
            source: Self(Arc::clone(&self.0)),
            progress: Arc::clone(&progress),
            hold: None,
        };
        (upload, progress)
    }

    /// Whether there is no body.
    pub(super) fn is_empty(&self) -> bool {
        self.shared().body.is_end_stream()
    }

    /// Whether there is a body, and nobody knows how long it is.
    pub(super) fn is_of_unknown_length(&self) -> bool {
        let body = &self.shared().body;
        !body.is_end_stream() && body.size_hint().exact().is_none()
    }

    /// Whether the client was asked for the body.
    pub(super) fn is_begun(&self) -> bool {
        self.shared().is_begun
    }

    /// Whether the whole body can still be sent.
    pub(super) fn is_whole(&self) -> bool {
        !self.shared().is_used
    }

    // Nothing waits while it holds this.
    fn shared(&self) -> MutexGuard<'_, Shared<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Body + Unpin> Body for Upload<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.get_mut();
        if this.progress.poll_held(cx) {
            let hold = this
                .hold
                .get_or_insert_with(|| Box::pin(sleep(CONTINUE_TIMEOUT)));
            if hold.as_mut().poll(cx).is_pending() || !this.progress.give_in() {
                return Poll::Pending;
            }
        }
        let mut shared = this.source.shared();
        shared.is_begun = true;
        let polled = Pin::new(&mut shared.body).poll_frame(cx);
        let Poll::Ready(frame) = polled else {
            drop(shared);
            this.progress.move_to(Stage::Receiving);
            return Poll::Pending;
        };
        shared.is_used = true;
        drop(shared);
        this.progress.move_to(match &frame {
            Some(Ok(frame)) if frame.is_data() => Stage::Sending,
            Some(Err(_)) => Stage::Broken,
            // There is nothing behind trailers.
            Some(Ok(_)) | None => Stage::Sent,
        });
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.shared().body.size_hint()
    }
}

impl<B: Body> Drop for Upload<B> {
    fn drop(&mut self) {
        // Hyper does not ask for the end of a body whose length it knows.
        if self.source.is_empty() {
            self.progress.move_to(Stage::Sent);
        }
        self.progress.move_to(Stage::GivenUp);
    }
}

impl Progress {
    /// Restarts the clock: the request can only be sent now, or the rest of it has to be.
    pub(super) fn restart(&self) {
        self.state().since = Instant::now();
    }

    /// Resolves when one side takes too long: a server that does not take the body or does not answer
    /// `within` its time, or a client that does not continue its body.
    pub(super) async fn overdue(&self, within: Duration) -> Rejection {
        loop {
            let (stage, since) = self.stage();
            let (limit, rejection) = match stage {
                Stage::Receiving => (CLIENT_PAUSE, Rejection::BodyTimeout),
                Stage::Sending | Stage::Sent | Stage::GivenUp | Stage::Broken => {
                    (within, Rejection::UpstreamTimeout)
                }
            };
            tokio::select! {
                () = sleep_until(since + limit) => {
                    if self.stage() == (stage, since) {
                        return rejection;
                    }
                }
                () = self.moved_on.notified() => {}
            }
        }
    }

    /// Resolves when the response is `over` and the server does not take the rest of the body `within` its time.
    pub(super) async fn stalls(&self, over: &Notify, within: Duration) {
        over.notified().await;
        // A client that was not asked for its body is not any more.
        if !self.is_held() {
            self.restart();
            self.overdue(within).await;
        }
    }

    /// Whether the client's body ended before its end.
    pub(super) fn is_broken(&self) -> bool {
        self.state().stage == Stage::Broken
    }

    /// Whether the whole request has been sent.
    pub(super) fn is_sent(&self) -> bool {
        self.state().stage == Stage::Sent
    }

    /// Whether the client was not asked for its body.
    pub(super) fn is_held(&self) -> bool {
        self.state().is_held
    }

    /// The server has answered: a client that was not asked for its body is not any more. Tells whether that is so.
    pub(super) fn refuse_held(&self) -> bool {
        let mut state = self.state();
        state.is_refused = state.is_held;
        state.is_refused
    }

    /// The server has been silent for long enough: its body is sent, unless there is an answer.
    fn give_in(&self) -> bool {
        let mut state = self.state();
        state.is_held = state.is_refused;
        !state.is_held
    }

    /// The server wants the body.
    pub(super) fn release(&self) {
        let mut state = self.state();
        state.is_held = false;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn poll_held(&self, cx: &Context<'_>) -> bool {
        let mut state = self.state();
        if state.is_held {
            state.waker = Some(cx.waker().clone());
        }
        state.is_held
    }

    fn stage(&self) -> (Stage, Instant) {
        let state = self.state();
        (state.stage, state.since)
    }

    fn move_to(&self, stage: Stage) {
        let mut state = self.state();
        let moved = state.stage != stage;
        // A body that is sent or broken is dropped too, and stays so.
        let is_over = matches!(state.stage, Stage::Sent | Stage::Broken);
        if is_over || (!moved && stage != Stage::Sending) {
            return;
        }
        state.stage = stage;
        state.since = Instant::now();
        if moved {
            self.moved_on.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
