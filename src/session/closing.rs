//! How a session ends: the close handshake of both legs (RFC 6455 §7), bounded in time.

use std::task::{Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::direction::Direction;
use super::leg::Leg;
use super::state::SessionState;
use crate::close::{CloseCode, CloseReason};
use crate::types::Side;

/// A session may take this many times `timeouts.close` to end while a slow peer still reads.
const MAX_EXTENSION: u32 = 12;

impl<C, U> SessionState<C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    /// Ends the session because the registry requests it.
    pub(super) fn apply_close_request(&mut self, reason: CloseReason, now: Instant) {
        if reason == CloseReason::Cut {
            // Over at once: the deadline has come.
            self.ending = Some((reason, now));
        } else if self.ending.is_none() {
            self.begin_end(reason, now);
        }
    }

    /// A peer's close frame came. It was passed on if the leg across still took one, and then the
    /// answer is for that peer to give.
    pub(super) fn peer_closed(&mut self, from: Side, code: Option<CloseCode>, now: Instant) {
        let reason = match from {
            Side::Client => {
                self.client.close_received = Some(code);
                CloseReason::ClientClosed(code)
            }
            Side::Upstream => {
                self.upstream.close_received = Some(code);
                CloseReason::UpstreamClosed(code)
            }
        };
        match from {
            Side::Client if self.upstream.ended() => self.begin_end(reason, now),
            Side::Upstream if self.client.shut() => self.begin_end(reason, now),
            Side::Client | Side::Upstream => self.note_end(reason, now),
        }
    }

    /// A peer's bytes have ended, with a close frame before them or without.
    pub(super) fn source_ended(&mut self, from: Side, now: Instant) {
        let truncated = self.direction_mut(from).close();
        let (closed, reason) = match from {
            Side::Client => (
                self.client.close_received.is_some(),
                CloseReason::ClientLost,
            ),
            Side::Upstream => (
                self.upstream.close_received.is_some(),
                CloseReason::UpstreamLost(self.route.upstream_lost),
            ),
        };
        if truncated {
            // The rest of a frame is lost, so nothing more can be sent to the leg across.
            match from {
                Side::Client => self.upstream.truncate(),
                Side::Upstream => self.client.truncate(),
            }
        }
        if !closed {
            self.begin_end(reason, now);
        }
    }

    /// Sends each leg its close frame, unless it has had one, and takes no new frames for it.
    pub(super) fn begin_end(&mut self, reason: CloseReason, now: Instant) {
        if !self.client.close_sent && !self.client.shut() {
            match (self.client.close_received, reason.to_client()) {
                // It closed first, and the side across can no longer answer: it gets its own code.
                (Some(code), _) => self.client.close(code, ""),
                (None, Some(frame)) => self.client.close(Some(frame.code), frame.reason),
                (None, None) => {}
            }
        }
        if !self.upstream.close_sent && !self.upstream.shut() {
            match (self.upstream.close_received, reason.to_upstream()) {
                (Some(code), _) => self.upstream.close(code, ""),
                (None, Some(frame)) => self.upstream.close(Some(frame.code), frame.reason),
                (None, None) => {}
            }
        }
        if self.client.close_sent || self.client.shut() {
            self.to_client.finish_frame();
        }
        if self.upstream.close_sent || self.upstream.shut() || self.upstream.ended() {
            self.to_upstream.finish_frame();
        }
        self.note_end(reason, now);
        self.send_own(now);
    }

    /// Keeps the first cause: that one is logged and counted.
    fn note_end(&mut self, reason: CloseReason, now: Instant) {
        let deadline = now + self.route.timeouts.close;
        self.ending.get_or_insert((reason, deadline));
    }

    /// When the wait for the peers is over. A peer that still reads gets more time, within a bound,
    /// because its close frame is behind everything that it has not read yet.
    pub(super) fn end_deadline(&self, noted: Instant) -> Instant {
        let close = self.route.timeouts.close;
        if self
            .ending
            .as_ref()
            .is_some_and(|(reason, _)| *reason == CloseReason::Cut)
        {
            return noted;
        }
        let taking = [
            self.client.write_deadline(close),
            self.upstream.write_deadline(close),
        ];
        let taking = taking.into_iter().flatten().max();
        taking.map_or(noted, |taking| {
            taking.clamp(noted, noted + close * MAX_EXTENSION)
        })
    }

    /// Ready, with the reason, once there is nothing left to do for either leg, or no time.
    pub(super) fn poll_end(&mut self, now: Instant) -> Poll<CloseReason> {
        let Some((reason, deadline)) = self.ending.clone() else {
            return Poll::Pending;
        };
        if now >= self.end_deadline(deadline) {
            if reason != CloseReason::Cut {
                // A peer that closed and got no answer from across gets one now.
                self.begin_end(reason.clone(), now);
            }
            return Poll::Ready(reason);
        }
        let client = poll_leg(&mut self.client, &self.to_client, &self.to_upstream, now);
        let upstream = poll_leg(&mut self.upstream, &self.to_upstream, &self.to_client, now);
        ready!(client);
        ready!(upstream);
        Poll::Ready(reason)
    }
}

/// Brings one leg to its end: everything out, our half shut, the peer's ended.
///
/// The server ends the TCP connection first (RFC 6455 §7.1.1). On the client's leg that is us; on
/// the upstream's we wait for it, so that the time-wait state is not ours to keep. A stream of HTTP/2 has no such state.
fn poll_leg<S: AsyncRead + AsyncWrite + Unpin>(
    leg: &mut Leg<S>,
    into: &Direction,
    from: &Direction,
    now: Instant,
) -> Poll<()> {
    if leg.has_own() {
        return Poll::Pending;
    }
    let sent_all = leg.close_sent || leg.truncated() || into.is_closed() || !into.relays();
    let received_all = from.is_closed();
    if sent_all && received_all {
        ready!(leg.poll_drained(now));
        let theirs_first = leg.side() == Side::Upstream
            && leg.close_received.is_some()
            && !leg.can_end_with_last_frame();
        if !theirs_first || leg.ended() || leg.truncated() {
            ready!(leg.poll_shut(now));
        }
    } else if leg.truncated() {
        ready!(leg.poll_shut(now));
    }
    match leg.ended() {
        true => leg.poll_drained(now),
        false => Poll::Pending,
    }
}
