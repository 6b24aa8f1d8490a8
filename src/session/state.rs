//! The state of a session, and what is due in it when.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::assembly::Assembly;
use super::coalescing;
use super::direction::Direction;
use super::filter::MessageFilter;
use super::keepalive::{KeepaliveAction, Pinger};
use super::leg::Leg;
use super::parameters::{Endpoint, SessionParameters};
use super::pump::ReadyPumps;
use crate::close::{CloseCode, CloseReason};
use crate::config::{Route, UpstreamHttp};
use crate::frame::FrameRules;
use crate::types::Side;

/// Everything of a session but its timer.
pub(super) struct SessionState<C, U> {
    pub(super) route: Arc<Route>,
    pub(super) client: Leg<C>,
    pub(super) upstream: Leg<U>,
    pub(super) to_upstream: Direction,
    pub(super) to_client: Direction,
    pub(super) filter: Option<Box<dyn MessageFilter>>,
    /// The pumps to run, whether a socket has woken the task for them or not.
    pub(super) ready: ReadyPumps,
    pub(super) opened: Instant,
    /// When to look at the wall clock for the expiry; it has come if that is now.
    pub(super) expires_at: Option<Instant>,
    pub(super) last_data: Instant,
    /// The same, as the registry knows it.
    pub(super) last_data_published: Instant,
    /// The first cause of the end, and when the wait for the peers is over.
    pub(super) ending: Option<(CloseReason, Instant)>,
}

impl<C, U> SessionState<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) fn new(
        client: Endpoint<C>,
        upstream: Endpoint<U>,
        parameters: SessionParameters,
        now: Instant,
    ) -> Self {
        let SessionParameters {
            route,
            deflate,
            meter,
            filter,
        } = parameters;
        let rules = |from| FrameRules {
            from,
            deflate,
            message_size: route.limits.message_size,
        };
        let assembles = filter.is_some() || route.validate_utf8;
        let assembly = |from| assembles.then(|| Assembly::new(from, filter.is_some()));
        let pinger = |ping| Pinger::new(ping, now);
        let ping_upstream = pinger(route.keepalive.upstream);
        let mut upstream_leg = Leg::new(Side::Upstream, upstream.io, ping_upstream);
        if route.upstream.http == UpstreamHttp::H2 {
            upstream_leg.share_connection();
        }
        Self {
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
            upstream: upstream_leg,
            filter,
            ready: ReadyPumps::BOTH,
            opened: now,
            expires_at: None,
            last_data: now,
            last_data_published: now,
            ending: None,
            route,
        }
    }

    /// Does what is due; called when the timer fires, which may be early. `expired` is the code of the expiry.
    pub(super) fn check_deadlines(&mut self, now: Instant, expired: CloseCode) {
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
            self.begin_end(CloseReason::Expired(expired), now);
        } else if passed(timeouts.lifetime.map(|lifetime| self.opened + lifetime)) {
            self.begin_end(CloseReason::Lifetime, now);
        } else if passed(timeouts.idle.map(|idle| self.last_data + idle)) {
            self.begin_end(CloseReason::Idle, now);
        } else {
            self.keep_alive(now);
        }
    }

    pub(super) fn keep_alive(&mut self, now: Instant) {
        // A peer that we do not read on purpose cannot prove that it is alive.
        if self.to_upstream.resume.is_some() || self.upstream.stalled() {
            self.client.pinger.note_received(now);
        }
        if self.client.stalled() {
            self.upstream.pinger.note_received(now);
        }
        // Nor can one answer that has not received our ping.
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

    /// Returns once whether a peer has answered a ping. The timer is set anew then; otherwise it would
    /// wake an idle session a second time for each of its pings.
    pub(super) fn take_answer_received(&mut self) -> bool {
        // Both, because each returns it once.
        self.client.pinger.take_answer_received() | self.upstream.pinger.take_answer_received()
    }

    /// When the timer is to fire next.
    pub(super) fn next_deadline(&self, now: Instant) -> Option<Instant> {
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

    /// When either peer must be pinged, or must have answered.
    pub(super) fn next_ping(&self, now: Instant) -> Option<Instant> {
        let pingers = [&self.client.pinger, &self.upstream.pinger];
        let next = pingers.iter().filter_map(|pinger| pinger.next_check(now));
        let next = next.min()?;
        match pingers.iter().any(|pinger| pinger.is_awaiting_pong()) {
            true => Some(next),
            false => Some(coalescing::coalesce(next, now)),
        }
    }

    /// What may be due before the timer, because it came up since the timer was set.
    pub(super) fn urgent_deadline(&self) -> Option<Instant> {
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
    pub(super) fn send_own(&mut self, now: Instant) {
        if self.client.has_own() && self.to_client.at_boundary() {
            let own = self.client.take_own(now);
            self.client.write(&own, now);
        }
        if self.upstream.has_own() && self.to_upstream.at_boundary() {
            let own = self.upstream.take_own(now);
            self.upstream.write(&own, now);
        }
    }

    pub(super) fn direction_mut(&mut self, from: Side) -> &mut Direction {
        match from {
            Side::Client => &mut self.to_upstream,
            Side::Upstream => &mut self.to_client,
        }
    }
}
