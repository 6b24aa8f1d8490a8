//! A timeout on a peer that does nothing.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Elapses when a wait is not interrupted for too long.
///
/// Progress costs no timer: it is only noted, and checked when the timer fires. The timer is made at
/// the first wait.
#[derive(Debug, Default)]
pub(crate) struct IdleTimeout {
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl IdleTimeout {
    /// There was progress: the next wait begins anew.
    pub(crate) fn restart(&mut self) {
        self.waiting_since = None;
    }

    /// There is no progress yet; ready once that has been so for `limit`.
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let began = self.waiting_since.is_none();
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let deadline = since + limit;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        // A timer that fires before the deadline stays as it is: it is reset when it has fired.
        if began && timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        if Instant::now() >= deadline {
            return Poll::Ready(());
        }
        timer.as_mut().reset(deadline);
        timer.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn only_an_unbroken_wait_is_over() {
        let mut idle_timeout = IdleTimeout::default();
        let began = Instant::now();
        poll_fn(|cx| idle_timeout.poll_elapsed(cx, LIMIT)).await;
        assert_eq!(began.elapsed(), LIMIT);

        for _ in 0..5 {
            idle_timeout.restart();
            let over = poll_fn(|cx| idle_timeout.poll_elapsed(cx, LIMIT));
            assert!(tokio::time::timeout(LIMIT / 2, over).await.is_err());
        }
        idle_timeout.restart();
        let began = Instant::now();
        poll_fn(|cx| idle_timeout.poll_elapsed(cx, LIMIT)).await;
        assert_eq!(began.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_limit_holds_from_the_next_wait_on() {
        let mut idle_timeout = IdleTimeout::default();
        let over = poll_fn(|cx| idle_timeout.poll_elapsed(cx, LIMIT));
        assert!(tokio::time::timeout(LIMIT / 10, over).await.is_err());
        idle_timeout.restart();
        let began = Instant::now();
        poll_fn(|cx| idle_timeout.poll_elapsed(cx, LIMIT / 10)).await;
        assert_eq!(began.elapsed(), LIMIT / 10);
    }
}
