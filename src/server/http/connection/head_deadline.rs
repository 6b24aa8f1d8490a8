//! The deadline of the request for which a connection waits.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::server::http::limiter::ConnectionState;

/// How long a connection may wait for the head of a request.
///
/// It is ours, because hyper's timeout has one length for a head that has begun and for a connection
/// that is kept alive without a request. A head that comes at once costs no timer, and a timer that fires
/// before the deadline is set again then: most requests set none.
#[derive(Debug)]
pub(super) struct HeadDeadline {
    limits: HeadLimits,
    /// When the head of a later request began.
    head_began: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// The limits of the settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadLimits {
    /// From the accept to the end of the first head, and from the first byte of a later head to its end.
    pub(super) handshake_timeout: Duration,
    /// From the end of a response to the first byte of the next request.
    pub(super) keepalive_timeout: Duration,
}

impl HeadDeadline {
    pub(super) fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            head_began: None,
            timer: None,
        }
    }

    /// Ready if the next request is late: the connection is idle, and its client has not sent what is
    /// read next. `in_head` says whether a part of a head has come.
    pub(super) fn poll_elapsed(
        &mut self,
        cx: &mut Context<'_>,
        state: &ConnectionState,
        in_head: bool,
    ) -> Poll<()> {
        let deadline = self.deadline(state, in_head);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(cx));
        if Instant::now() >= deadline {
            return Poll::Ready(());
        }
        timer.as_mut().reset(deadline);
        timer.as_mut().poll(cx)
    }

    fn deadline(&mut self, state: &ConnectionState, in_head: bool) -> Instant {
        let idle_since = state.idle_since();
        if !state.had_request() {
            return idle_since + self.limits.handshake_timeout;
        }
        if !in_head {
            return idle_since + self.limits.keepalive_timeout;
        }
        // A beginning that was seen before this wait belongs to an earlier head.
        let seen = self.head_began.filter(|began| *began >= idle_since);
        let began = *self.head_began.insert(seen.unwrap_or_else(Instant::now));
        began + self.limits.handshake_timeout
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use tokio::time::timeout;

    use super::*;
    use crate::server::http::limiter::ConnectionState;

    const HANDSHAKE: Duration = Duration::from_secs(10);
    const KEEPALIVE: Duration = Duration::from_secs(75);

    fn waiting() -> (HeadDeadline, Arc<ConnectionState>) {
        let state = ConnectionState::idle_alone();
        let limits = HeadLimits {
            handshake_timeout: HANDSHAKE,
            keepalive_timeout: KEEPALIVE,
        };
        (HeadDeadline::new(limits), state)
    }

    fn answer_one_request(state: &Arc<ConnectionState>) {
        state.request_began();
        state.response_written();
        state.response_flushed();
    }

    /// How long it waits, if nothing comes.
    async fn wait(deadline: &mut HeadDeadline, state: &ConnectionState, in_head: bool) -> Duration {
        let began = Instant::now();
        poll_fn(|cx| deadline.poll_elapsed(cx, state, in_head)).await;
        began.elapsed()
    }

    /// Waits for a part of the time, in which nothing is late.
    async fn wait_a_while(
        deadline: &mut HeadDeadline,
        state: &ConnectionState,
        in_head: bool,
        time: Duration,
    ) {
        let late = poll_fn(|cx| deadline.poll_elapsed(cx, state, in_head));
        assert!(timeout(time, late).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_head_has_its_time_from_the_accept_whatever_has_come_of_it() {
        let (mut deadline, state) = waiting();
        wait_a_while(&mut deadline, &state, false, HANDSHAKE / 2).await;
        assert_eq!(wait(&mut deadline, &state, true).await, HANDSHAKE / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_head_has_its_time_from_its_first_byte() {
        let (mut deadline, state) = waiting();
        for _ in 0..2 {
            answer_one_request(&state);
            wait_a_while(&mut deadline, &state, false, KEEPALIVE / 2).await;
            wait_a_while(&mut deadline, &state, true, HANDSHAKE / 2).await;
        }
        assert_eq!(wait(&mut deadline, &state, true).await, HANDSHAKE / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn each_answer_begins_the_wait_for_a_request_anew() {
        let (mut deadline, state) = waiting();
        for _ in 0..3 {
            answer_one_request(&state);
            wait_a_while(&mut deadline, &state, false, KEEPALIVE / 2).await;
        }
        assert_eq!(wait(&mut deadline, &state, false).await, KEEPALIVE / 2);
    }
}
