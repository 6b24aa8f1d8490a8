//! The one timer of a session.

use std::pin::{Pin, pin};
use std::task::Context;

use pin_project_lite::pin_project;
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

pin_project! {
    /// Wakes the session's task at a time. Looking at it costs a comparison; only setting it costs
    /// more.
    pub(super) struct DeadlineTimer {
        #[pin]
        timer: Sleep,
        at: Option<Instant>,
    }
}

impl DeadlineTimer {
    /// An alarm that is due now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            timer: sleep_until(now),
            at: Some(now),
        }
    }

    /// Whether its time has come; then it is off until it is set again.
    pub(super) fn take_expired(self: Pin<&mut Self>, now: Instant) -> bool {
        self.project().at.take_if(|at| now >= *at).is_some()
    }

    /// Sets it for a time, unless it is to ring before that anyway.
    pub(super) fn set_earlier(self: Pin<&mut Self>, cx: &mut Context<'_>, at: Instant) {
        if self.at.is_none_or(|before| at < before) {
            self.reset(cx, at);
        }
    }

    /// Sets it for a time, in the place of any other.
    pub(super) fn reset(mut self: Pin<&mut Self>, cx: &mut Context<'_>, at: Instant) {
        let this = self.as_mut().project();
        if this.at.replace(at) != Some(at) {
            this.timer.reset(at);
            self.register(cx);
        }
    }

    /// Wakes this task from now on.
    pub(super) fn register(self: Pin<&mut Self>, cx: &mut Context<'_>) {
        // Not within the task's budget: out of it, the timer would forget whom to wake.
        if pin!(unconstrained(self.project().timer))
            .poll(cx)
            .is_ready()
        {
            // The time has come meanwhile, or the alarm is off and this wakes once for nothing.
            cx.waker().wake_by_ref();
        }
    }

    /// Whether there is a time to ring at.
    pub(super) fn is_set(&self) -> bool {
        self.at.is_some()
    }
}
