//! A session: one task that relays frames between its two legs, keeps both alive and ends both
//! truthfully.
//!
//! The files: [`leg`] is a socket and what it has not taken, and [`leg_waker`] wakes the task for it;
//! [`direction`] is the framing of one way; [`pump`] joins them, when [`relay`] runs it; [`state`] holds
//! them together, and says what is due when; [`deadline_timer`] is the one timer, which [`coalescing`]
//! lets idle sessions share; [`closing`] is the way out. [`delivery`] writes publications between the messages. [`registry`] knows every session by its
//! [`entry`], where [`expiry`] is when its right ends.

mod assembly;
mod closing;
mod coalescing;
mod deadline_timer;
mod delivery;
mod direction;
pub(crate) mod drain;
mod entry;
mod expiry;
mod filter;
mod keepalive;
mod leg;
mod leg_waker;
mod meter;
#[cfg(any(test, fuzzing, feature = "microbench"))]
mod one_way;
mod outbox;
mod parameters;
mod publish;
mod pump;
mod registry;
mod relay;
mod revocations;
mod scratch;
mod state;
mod stop;
mod totals;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use self::deadline_timer::DeadlineTimer;
use self::entry::Attention;
use self::pump::ReadyPumps;
use self::state::SessionState;

pub use drain::Drained;
pub(crate) use entry::{MailSettings, SessionEntry, SessionMetadata};
pub(crate) use expiry::Expiry;
pub use filter::{Message, MessageFilter, Verdict};
pub(crate) use meter::{LimitCounts, Meter};
#[cfg(any(test, fuzzing, feature = "microbench"))]
pub(crate) use one_way::OneWay;
#[cfg(any(test, fuzzing))]
pub(crate) use one_way::OneWayEnd;
pub(crate) use parameters::{Endpoint, SessionParameters};
pub(crate) use registry::{PermitError, Registry, SessionGuard};
pub use revocations::Revocation;
pub(crate) use revocations::Revocations;
pub(crate) use totals::{RouteTotals, ServerTotals, Totals};

pin_project! {
    /// The session's future; it ends when both legs are shut.
    pub(crate) struct Session<C, U, H> {
        // For everything that the session waits for. It is set when it has expired, when something is
        // due before it, or when a ping is answered: never for a message.
        #[pin]
        timer: DeadlineTimer,
        state: SessionState<C, U>,
        // What the session holds until its end. It is given back before the end is reported: a reader of
        // that line finds it free.
        held: Option<H>,
        // Until the end.
        guard: Option<SessionGuard>,
        // The task, which a close request or the timer wakes.
        waker: Option<Waker>,
    }
}

impl<C, U, H> Session<C, U, H>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    pub(crate) fn new(
        client: Endpoint<C>,
        upstream: Endpoint<U>,
        parameters: SessionParameters,
        guard: SessionGuard,
        held: H,
    ) -> Self {
        let now = Instant::now();
        let state = SessionState::new(client, upstream, parameters, now);
        Self {
            timer: DeadlineTimer::new(now),
            state,
            held: Some(held),
            guard: Some(guard),
            waker: None,
        }
    }
}

impl<C, U, H> Future for Session<C, U, H>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(guard) = this.guard.as_ref() else {
            return Poll::Ready(());
        };
        let now = Instant::now();
        // Before it is registered: a timer that has expired needs none, as in a session that begins.
        let expired = this.timer.as_mut().take_expired(now);
        let waker = this.waker.as_ref();
        if !waker.is_some_and(|waker| waker.will_wake(cx.waker())) {
            *this.waker = Some(cx.waker().clone());
            guard.set_waker(cx.waker());
            this.state.client.set_task(cx.waker());
            this.state.upstream.set_task(cx.waker());
            if this.timer.is_set() {
                this.timer.as_mut().register(cx);
            }
        }
        let attention = guard.take_attention();
        let asked = attention.is_some_and(Attention::has_request);
        if attention.is_some_and(Attention::has_mail) {
            this.state.expect_mail(guard.entry());
        }
        if asked && let Some(reason) = guard.close_requested() {
            this.state.apply_close_request(reason, now);
        }
        if expired || asked {
            // Each time: the expiry or the wall clock may have been set.
            this.state.expires_at = guard.next_expiry_check(now);
            this.state.check_deadlines(now, guard.entry().expiry.code());
        }
        if expired {
            this.state.ready = ReadyPumps::BOTH;
        }
        this.state.relay(cx, now);
        if this.state.client.has_mail() {
            this.state.deliver(cx, now);
        }
        let ended = this.state.poll_end(now);
        this.state.client.flush();
        this.state.upstream.flush();
        let entry = guard.entry();
        this.state.publish(entry);
        let look = this.state.take_answer_received() || expired || asked;
        if look || ended.is_ready() {
            this.state.publish_pings(&entry.traffic);
        }
        if let Poll::Ready(reason) = ended {
            drop(this.held.take());
            if let Some(guard) = this.guard.take() {
                guard.finish(reason);
            }
            return Poll::Ready(());
        }
        if look {
            if let Some(next) = this.state.next_deadline(now) {
                this.timer.reset(cx, next);
            }
        } else if let Some(next) = this.state.urgent_deadline() {
            // While the timer is set, only what has come up since can be due before it.
            this.timer.set_earlier(cx, next);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
