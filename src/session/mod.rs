//! A session: one task that relays frames between its two legs, keeps both alive and ends both
//! truthfully.
//!
//! The files: [`leg`] is a socket and what it has not taken, and [`leg_waker`] what wakes us for it;
//! [`direction`] is the framing of one way; [`pump`] joins them, when [`relay`] says; [`deadline_timer`] is the one
//! timer, which a session shares with the [`coalescing`] that it wakes up with; [`closing`] is the way out.
//! [`registry`] knows every session.

mod assembly;
mod closing;
mod coalescing;
mod deadline_timer;
mod direction;
pub(crate) mod drain;
mod filter;
mod keepalive;
mod leg;
mod leg_waker;
mod meter;
#[cfg(any(test, fuzzing, feature = "microbench"))]
mod one_way;
mod publish;
mod pump;
mod registry;
mod relay;
mod scratch;
mod stop;
mod totals;
mod utf8_bytes;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use self::assembly::Assembly;
use self::deadline_timer::DeadlineTimer;
use self::direction::Direction;
use self::keepalive::{KeepaliveAction, Pinger};
use self::leg::Leg;
use self::relay::ReadyPumps;
use crate::close::CloseReason;
use crate::config::Route;
use crate::frame::FrameRules;
use crate::types::Side;

pub use drain::Drained;
pub use filter::{Body, Message, MessageFilter, Verdict};
pub(crate) use meter::{LimitCounts, Meter};
#[cfg(any(test, fuzzing, feature = "microbench"))]
pub(crate) use one_way::OneWay;
#[cfg(any(test, fuzzing))]
pub(crate) use one_way::OneWayEnd;
pub(crate) use registry::{PermitError, Registry, SessionEntry, SessionGuard, SessionMetadata};
pub(crate) use totals::{RouteTotals, ServerTotals, Totals};
pub use utf8_bytes::Utf8Bytes;

/// One end of a session: the socket, and what had been read of it before the session began.
pub(crate) struct Endpoint<S> {
    pub(crate) io: S,
    pub(crate) early: Bytes,
}

/// What a session goes by, settled when it begins.
pub(crate) struct SessionParameters {
    pub(crate) route: Arc<Route>,
    /// `permessage-deflate` was agreed end to end.
    pub(crate) deflate: bool,
    pub(crate) meter: Option<Meter>,
    pub(crate) filter: Option<Box<dyn MessageFilter>>,
    /// When the right to the session ends.
    pub(crate) expires_at: Option<Instant>,
}

pin_project! {
    /// The session's future; it ends when both legs are shut.
    pub(crate) struct Session<C, U> {
        // For everything that the session waits for. It is set when it has woken, when something is
        // due before it, or when a ping is answered: never for a message.
        #[pin]
        timer: DeadlineTimer,
        state: SessionState<C, U>,
        // Until the end.
        guard: Option<SessionGuard>,
        // Who is woken by an order or the alarm.
        waker: Option<Waker>,
    }
}

/// Everything but the timer.
struct SessionState<C, U> {
    route: Arc<Route>,
    client: Leg<C>,
    upstream: Leg<U>,
    to_upstream: Direction,
    to_client: Direction,
    filter: Option<Box<dyn MessageFilter>>,
    /// The pumps that are to be handle_pumped, whether a socket has woken us for them or not.
    ready: ReadyPumps,
    opened: Instant,
    expires_at: Option<Instant>,
    last_data: Instant,
    /// What the registry was told of that.
    last_data_published: Instant,
    /// The first cause of the end, and when the wait for the peers is over.
    ending: Option<(CloseReason, Instant)>,
}

impl<C, U> Session<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    pub(crate) fn new(
        client: Endpoint<C>,
        upstream: Endpoint<U>,
        parameters: SessionParameters,
        guard: SessionGuard,
    ) -> Self {
        let now = Instant::now();
        let SessionParameters {
            route,
            deflate,
            meter,
            filter,
            expires_at,
        } = parameters;
        let rules = |from| FrameRules {
            from,
            deflate,
            message_size: route.limits.message_size,
        };
        let assembles = filter.is_some() || route.validate_utf8;
        let assembly = |from| assembles.then(|| Assembly::new(from, filter.is_some()));
        let pinger = |ping| Pinger::new(ping, now);
        let state = SessionState {
            to_upstream: Direction::new(
                rules(Side::Client),
                &client.early,
                meter,
                assembly(Side::Client),
            ),
            to_client: Direction::new(
                rules(Side::Upstream),
                &upstream.early,
                None,
                assembly(Side::Upstream),
            ),
            client: Leg::new(Side::Client, client.io, pinger(route.keepalive.client)),
            upstream: Leg::new(
                Side::Upstream,
                upstream.io,
                pinger(route.keepalive.upstream),
            ),
            filter,
            ready: ReadyPumps::BOTH,
            opened: now,
            expires_at,
            last_data: now,
            last_data_published: now,
            ending: None,
            route,
        };
        Self {
            timer: DeadlineTimer::new(now),
            state,
            guard: Some(guard),
            waker: None,
        }
    }
}

impl<C, U> Future for Session<C, U>
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
        // Before it is watched: what has woken needs no timer, and in a session that begins it has.
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
        if let Some(reason) = guard.take_close_request() {
            this.state.apply_close_request(reason, now);
        }
        if expired {
            this.state.check_deadlines(now);
            this.state.ready = ReadyPumps::BOTH;
        }
        this.state.relay(cx, now);
        let ended = this.state.poll_end(now);
        this.state.client.flush();
        this.state.upstream.flush();
        let entry = guard.entry();
        this.state.publish(entry);
        let look = this.state.take_answer_received() || expired;
        if look || ended.is_ready() {
            this.state.publish_pings(&entry.traffic);
        }
        if let Poll::Ready(reason) = ended {
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
            // While the alarm is set, only what has come up since can be due before it.
            this.timer.set_earlier(cx, next);
        }
        Poll::Pending
    }
}

impl<C, U> SessionState<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    /// Does what is due; called when the timer fires, which may be early.
    fn check_deadlines(&mut self, now: Instant) {
        if self.ending.is_some() {
            return;
        }
        let timeouts = self.route.timeouts;
        let passed = |since: Option<Instant>| since.is_some_and(|due| now >= due);
        if passed(self.client.write_deadline(timeouts.write)) {
            self.begin_end(CloseReason::SlowClient, now);
        } else if passed(self.upstream.write_deadline(timeouts.write)) {
            self.begin_end(CloseReason::SlowUpstream, now);
        } else if passed(self.expires_at) {
            self.begin_end(CloseReason::Expired, now);
        } else if passed(timeouts.lifetime.map(|lifetime| self.opened + lifetime)) {
            self.begin_end(CloseReason::Lifetime, now);
        } else if passed(timeouts.idle.map(|idle| self.last_data + idle)) {
            self.begin_end(CloseReason::Idle, now);
        } else {
            self.keep_alive(now);
        }
    }

    fn keep_alive(&mut self, now: Instant) {
        // A peer that is not read, by our own choice, cannot be heard.
        if self.to_upstream.resume.is_some() || self.upstream.stalled() {
            self.client.pinger.note_received(now);
        }
        if self.client.stalled() {
            self.upstream.pinger.note_received(now);
        }
        // Nor can one answer whom our ping has not reached.
        if self.client.stalled() {
            self.client.pinger.postpone(now);
        }
        if self.upstream.stalled() {
            self.upstream.pinger.postpone(now);
        }
        match self.client.pinger.action(now) {
            KeepaliveAction::Wait => {}
            KeepaliveAction::SendPing(payload) => self.client.ping(&payload, now),
            KeepaliveAction::PeerDead => {
                let reason = match self.to_upstream.source_in_frame() {
                    true => CloseReason::ClientFrameTimeout,
                    false => CloseReason::ClientPingTimeout,
                };
                return self.begin_end(reason, now);
            }
        }
        match self.upstream.pinger.action(now) {
            KeepaliveAction::Wait => {}
            KeepaliveAction::SendPing(payload) => self.upstream.ping(&payload, now),
            KeepaliveAction::PeerDead => {
                let reason = match self.to_client.source_in_frame() {
                    true => CloseReason::UpstreamFrameTimeout,
                    false => CloseReason::UpstreamPingTimeout,
                };
                return self.begin_end(reason, now);
            }
        }
        self.send_own(now);
    }

    /// Whether a peer has been heard that a ping had asked. Without another look at the timer then,
    /// a session that is idle would be woken a second time for each of its pings.
    fn take_answer_received(&mut self) -> bool {
        // Both, as each is told once.
        self.client.pinger.take_answer_received() | self.upstream.pinger.take_answer_received()
    }

    /// When the timer is to fire next.
    fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let timeouts = self.route.timeouts;
        let relaying = [
            self.next_ping(now),
            self.expires_at,
            timeouts.lifetime.map(|lifetime| self.opened + lifetime),
            timeouts.idle.map(|idle| self.last_data + idle),
        ];
        let relaying = relaying
            .into_iter()
            .flatten()
            .filter(|_| self.ending.is_none());
        // Never twice for the same moment: what is due has been done.
        relaying.chain(self.urgent_deadline()).min()
    }

    /// When either peer is to be asked, or to have answered.
    fn next_ping(&self, now: Instant) -> Option<Instant> {
        let pingers = [&self.client.pinger, &self.upstream.pinger];
        let next = pingers.iter().filter_map(|pinger| pinger.next_check(now));
        let next = next.min()?;
        match pingers.iter().any(|pinger| pinger.is_awaiting_pong()) {
            true => Some(next),
            false => Some(coalescing::coalesce(next, now)),
        }
    }

    /// What may be due before the timer, because it came up since the timer was set.
    fn urgent_deadline(&self) -> Option<Instant> {
        let write = self.route.timeouts.write;
        let deadlines = match &self.ending {
            Some((_, noted)) => [
                Some(self.end_deadline(*noted)),
                None,
                self.to_upstream.resume,
            ],
            None => [
                self.client.write_deadline(write),
                self.upstream.write_deadline(write),
                self.to_upstream.resume,
            ],
        };
        deadlines.into_iter().flatten().min()
    }

    /// Sends frames of our own to the legs that stand at a frame boundary.
    fn send_own(&mut self, now: Instant) {
        if self.client.has_own() && self.to_client.at_boundary() {
            let own = self.client.take_own(now);
            self.client.write(&own, now);
        }
        if self.upstream.has_own() && self.to_upstream.at_boundary() {
            let own = self.upstream.take_own(now);
            self.upstream.write(&own, now);
        }
    }

    fn direction_mut(&mut self, from: Side) -> &mut Direction {
        match from {
            Side::Client => &mut self.to_upstream,
            Side::Upstream => &mut self.to_client,
        }
    }
}

#[cfg(test)]
mod tests;
