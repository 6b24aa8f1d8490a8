//! A session: one task that relays frames between its two legs, keeps both alive and ends both
//! truthfully.
//!
//! The files: [`leg`] is a socket and what it has not taken, and [`bell`] what wakes us for it;
//! [`direction`] is the framing of one way; [`pump`] joins them, when [`relay`] says; [`alarm`] is the one
//! timer, which a session shares with the [`cohort`] that it wakes up with; [`closing`] is the way out.
//! [`registry`] knows every session.

mod alarm;
mod assembly;
mod bell;
mod closing;
mod cohort;
mod direction;
mod filter;
mod keepalive;
mod leg;
mod meter;
#[cfg(any(test, fuzzing, feature = "microbench"))]
mod one_way;
mod publish;
mod pump;
mod registry;
mod relay;
mod scratch;
mod stop;
#[cfg(feature = "server")]
mod told;
mod totals;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use self::alarm::Alarm;
use self::assembly::Assembly;
use self::direction::Direction;
use self::keepalive::{Pinger, Pulse};
use self::leg::Leg;
use self::relay::Due;
use crate::close::CloseReason;
use crate::config::Route;
use crate::frame::Rules;
use crate::types::Side;

pub use filter::{Body, Message, MessageFilter, Verdict};
pub(crate) use meter::{Limited, Meter};
#[cfg(any(test, fuzzing))]
pub(crate) use one_way::End as OneWayEnd;
#[cfg(any(test, fuzzing, feature = "microbench"))]
pub(crate) use one_way::OneWay;
pub(crate) use registry::{NoPlace, Place, Record, Registry, Subject};
pub(crate) use totals::{RouteTotals, ServerTotals, Totals};

/// One end of a session: the socket, and what had been read of it before the session began.
pub(crate) struct End<S> {
    pub(crate) io: S,
    pub(crate) early: Bytes,
}

/// What a session goes by, settled when it begins.
pub(crate) struct Terms {
    pub(crate) route: Arc<Route>,
    /// `permessage-deflate` was agreed end to end.
    pub(crate) deflate: bool,
    pub(crate) meter: Option<Meter>,
    pub(crate) filter: Option<Box<dyn MessageFilter>>,
}

pin_project! {
    /// The session's future; it ends when both legs are shut.
    pub(crate) struct Session<C, U> {
        // For everything that the session waits for. It is set when it has rung, when something is
        // due before it, or when a ping is answered: never for a message.
        #[pin]
        alarm: Alarm,
        state: State<C, U>,
        // Until the end.
        place: Option<Place>,
        // Who is woken by an order or the alarm.
        waker: Option<Waker>,
    }
}

/// Everything but the timer.
struct State<C, U> {
    route: Arc<Route>,
    client: Leg<C>,
    upstream: Leg<U>,
    to_upstream: Direction,
    to_client: Direction,
    filter: Option<Box<dyn MessageFilter>>,
    /// The pumps that are to be turned, whether a socket has woken us for them or not.
    due: Due,
    opened: Instant,
    last_data: Instant,
    /// What the registry was told of that.
    last_data_told: Instant,
    /// The first cause of the end, and when the wait for the peers is over.
    ending: Option<(CloseReason, Instant)>,
}

impl<C, U> Session<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    pub(crate) fn new(client: End<C>, upstream: End<U>, terms: Terms, place: Place) -> Self {
        let now = Instant::now();
        let Terms {
            route,
            deflate,
            meter,
            filter,
        } = terms;
        let rules = |from| Rules {
            from,
            deflate,
            message_size: route.limits.message_size,
        };
        let assembles = filter.is_some() || route.validate_utf8;
        let assembly = |from| assembles.then(|| Assembly::new(from, filter.is_some()));
        let pinger = |ping| Pinger::new(ping, now);
        let state = State {
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
            due: Due::BOTH,
            opened: now,
            last_data: now,
            last_data_told: now,
            ending: None,
            route,
        };
        Self {
            alarm: Alarm::due(now),
            state,
            place: Some(place),
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
        let Some(place) = this.place.as_ref() else {
            return Poll::Ready(());
        };
        let now = Instant::now();
        // Before it is watched: what has rung needs no timer, and in a session that begins it has.
        let rang = this.alarm.as_mut().rings(now);
        let waker = this.waker.as_ref();
        if !waker.is_some_and(|waker| waker.will_wake(cx.waker())) {
            *this.waker = Some(cx.waker().clone());
            place.register(cx.waker());
            this.state.client.wakes(cx.waker());
            this.state.upstream.wakes(cx.waker());
            if this.alarm.is_set() {
                this.alarm.as_mut().watch(cx);
            }
        }
        if let Some(reason) = place.take_order() {
            this.state.obey(reason, now);
        }
        if rang {
            this.state.tick(now);
            this.state.due = Due::BOTH;
        }
        this.state.relay(cx, now);
        let ended = this.state.poll_end(now);
        this.state.client.flush();
        this.state.upstream.flush();
        let record = place.record();
        this.state.publish(record);
        let look = this.state.take_relieved() || rang;
        if look || ended.is_ready() {
            this.state.publish_pings(&record.traffic);
        }
        if let Poll::Ready(reason) = ended {
            if let Some(place) = this.place.take() {
                place.leave(reason);
            }
            return Poll::Ready(());
        }
        if look {
            if let Some(next) = this.state.next_tick(now) {
                this.alarm.move_to(cx, next);
            }
        } else if let Some(next) = this.state.pressing() {
            // While the alarm is set, only what has come up since can be due before it.
            this.alarm.set(cx, next);
        }
        Poll::Pending
    }
}

impl<C, U> State<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    /// Does what is due; called when the timer fires, which may be early.
    fn tick(&mut self, now: Instant) {
        if self.ending.is_some() {
            return;
        }
        let timeouts = self.route.timeouts;
        let passed = |since: Option<Instant>| since.is_some_and(|due| now >= due);
        if passed(self.client.write_deadline(timeouts.write)) {
            self.begin_end(CloseReason::SlowClient, now);
        } else if passed(self.upstream.write_deadline(timeouts.write)) {
            self.begin_end(CloseReason::SlowUpstream, now);
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
            self.client.pinger.heard(now);
        }
        if self.client.stalled() {
            self.upstream.pinger.heard(now);
        }
        // Nor can one answer whom our ping has not reached.
        if self.client.stalled() {
            self.client.pinger.postpone(now);
        }
        if self.upstream.stalled() {
            self.upstream.pinger.postpone(now);
        }
        match self.client.pinger.pulse(now) {
            Pulse::Wait => {}
            Pulse::Ping(payload) => self.client.ping(&payload, now),
            Pulse::Dead => {
                let reason = match self.to_upstream.source_in_frame() {
                    true => CloseReason::ClientFrameTimeout,
                    false => CloseReason::ClientPingTimeout,
                };
                return self.begin_end(reason, now);
            }
        }
        match self.upstream.pinger.pulse(now) {
            Pulse::Wait => {}
            Pulse::Ping(payload) => self.upstream.ping(&payload, now),
            Pulse::Dead => {
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
    fn take_relieved(&mut self) -> bool {
        // Both, as each is told once.
        self.client.pinger.take_relieved() | self.upstream.pinger.take_relieved()
    }

    /// When the timer is to fire next.
    fn next_tick(&self, now: Instant) -> Option<Instant> {
        let timeouts = self.route.timeouts;
        let relaying = [
            self.next_ping(now),
            timeouts.lifetime.map(|lifetime| self.opened + lifetime),
            timeouts.idle.map(|idle| self.last_data + idle),
        ];
        let relaying = relaying
            .into_iter()
            .flatten()
            .filter(|_| self.ending.is_none());
        // Never twice for the same moment: what is due has been done.
        relaying.chain(self.pressing()).min()
    }

    /// When either peer is to be asked, or to have answered.
    fn next_ping(&self, now: Instant) -> Option<Instant> {
        let pingers = [&self.client.pinger, &self.upstream.pinger];
        let next = pingers.iter().filter_map(|pinger| pinger.next_look(now));
        let next = next.min()?;
        match pingers.iter().any(|pinger| pinger.asks()) {
            true => Some(next),
            false => Some(cohort::join(next, now)),
        }
    }

    /// What may be due before the timer, because it came up since the timer was set.
    fn pressing(&self) -> Option<Instant> {
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
