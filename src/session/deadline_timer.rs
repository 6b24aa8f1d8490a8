//! The one timer of a session.

use std::pin::{Pin, pin};
use std::task::Context;

use pin_project_lite::pin_project;
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

pin_project! {
    /// Wakes the session's task at a time. To check it costs a comparison; only setting it costs more.
    pub(super) struct DeadlineTimer {
        #[pin]
        timer: Sleep,
        at: Option<Instant>,
    }
}

impl DeadlineTimer {
    /// A timer that is due now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            timer: sleep_until(now),
            at: Some(now),
        }
    }

    /// Returns whether its time has come, and then turns it off until it is set again.
    pub(super) fn take_expired(self: Pin<&mut Self>, now: Instant) -> bool {
        self.project().at.take_if(|at| now >= *at).is_some()
    }

    /// Sets it for this time, unless it is set for an earlier one.
    pub(super) fn set_earlier(self: Pin<&mut Self>, cx: &mut Context<'_>, at: Instant) {
        if self.at.is_none_or(|before| at < before) {
            self.reset(cx, at);
        }
    }

    /// Sets it for this time, whatever it was set for before.
    pub(super) fn reset(mut self: Pin<&mut Self>, cx: &mut Context<'_>, at: Instant) {
        let this = self.as_mut().project();
        if this.at.replace(at) != Some(at) {
            this.timer.reset(at);
            self.register(cx);
        }
    }

    /// Wakes this task from now on.
    pub(super) fn register(self: Pin<&mut Self>, cx: &mut Context<'_>) {
        // Outside of the task's budget: when that is used up, the timer does not register the waker.
        if pin!(unconstrained(self.project().timer))
            .poll(cx)
            .is_ready()
        {
            // The time has come meanwhile, or the timer is off and this wakes the task once too often.
            cx.waker().wake_by_ref();
        }
    }

    /// Whether it is set for a time.
    pub(super) fn is_set(&self) -> bool {
        self.at.is_some()
    }
}
