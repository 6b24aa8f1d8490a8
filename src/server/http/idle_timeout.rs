//! How long somebody is waited for.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A wait that ends when nothing happened for too long.
///
/// What does happen costs no timer: it is only noted, and the timer asks when it fires. The first
/// timer is made at the first wait.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// Something happened.
    pub(crate) fn rest(&mut self) {
        self.waiting_since = None;
    }

    /// Nothing happened yet; ready once that has been so for `limit`.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let began = self.waiting_since.is_none();
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let deadline = since + limit;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        // One that is due before the deadline may stay as it is: it is set anew when it fires.
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
        let mut patience = Patience::default();
        let began = Instant::now();
        poll_fn(|cx| patience.poll_over(cx, LIMIT)).await;
        assert_eq!(began.elapsed(), LIMIT);

        for _ in 0..5 {
            patience.rest();
            let over = poll_fn(|cx| patience.poll_over(cx, LIMIT));
            assert!(tokio::time::timeout(LIMIT / 2, over).await.is_err());
        }
        patience.rest();
        let began = Instant::now();
        poll_fn(|cx| patience.poll_over(cx, LIMIT)).await;
        assert_eq!(began.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_limit_holds_from_the_next_wait_on() {
        let mut patience = Patience::default();
        let over = poll_fn(|cx| patience.poll_over(cx, LIMIT));
        assert!(tokio::time::timeout(LIMIT / 10, over).await.is_err());
        patience.rest();
        let began = Instant::now();
        poll_fn(|cx| patience.poll_over(cx, LIMIT / 10)).await;
        assert_eq!(began.elapsed(), LIMIT / 10);
    }
}
