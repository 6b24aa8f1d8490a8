//! Keepalive of one leg: pings, and when silence means that the peer is gone.

use tokio::time::Instant;

use crate::config::Ping;

/// The keepalive of one leg. A message touches no timer: the session notes when bytes came, and
/// calls [`Pinger::action`] when its own timer fires.
#[derive(Debug)]
pub(super) struct Pinger {
    ping: Ping,
    last_received: Instant,
    /// A ping is to go out, and waits for a frame boundary.
    queued: bool,
    /// A ping is out since then, and nothing at all has come.
    pinged_at: Option<Instant>,
    /// A peer that had been pinged has sent something since the last look at this.
    answer_received: bool,
    /// The payload of the last ping, until its pong has come.
    expected_pong: Option<[u8; 8]>,
    /// A ping of the peer across was passed on, and no pong has come since.
    relayed_ping: bool,
    pings: Pings,
}

/// How many pings the gate has sent on a leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pings {
    pub(super) sent: u64,
    /// How often the peer was found gone for want of an answer.
    pub(super) timed_out: u64,
}

/// What the session must do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeepaliveAction {
    /// Do nothing before [`Pinger::due`].
    Wait,
    /// Send a ping with this payload.
    SendPing([u8; 8]),
    /// The peer is gone.
    PeerDead,
}

impl Pinger {
    pub(super) fn new(ping: Ping, now: Instant) -> Self {
        Self {
            ping,
            last_received: now,
            queued: false,
            pinged_at: None,
            answer_received: false,
            expected_pong: None,
            relayed_ping: false,
            pings: Pings::default(),
        }
    }

    /// Bytes came. Any byte counts as an answer: a peer that sends is not gone, though it owes a pong
    /// (RFC 6455 §5.5.2). The same holds for a peer that the gate does not read on purpose.
    pub(super) fn note_received(&mut self, now: Instant) {
        self.last_received = now;
        self.answer_received |= self.pinged_at.take().is_some();
    }

    /// Returns once whether an answer to the last ping has come, so that the timer may be put off.
    pub(super) fn take_answer_received(&mut self) -> bool {
        self.answer_received && std::mem::take(&mut self.answer_received)
    }

    /// The peer has not received the ping yet: its time to answer begins now.
    pub(super) fn postpone(&mut self, now: Instant) {
        match &mut self.pinged_at {
            Some(pinged_at) => *pinged_at = now,
            None => self.last_received = now,
        }
    }

    /// Decides by when the peer last sent something.
    pub(super) fn action(&mut self, now: Instant) -> KeepaliveAction {
        match self.due() {
            Some(due) if now >= due => {}
            Some(_) | None => return KeepaliveAction::Wait,
        }
        if self.pinged_at.is_some() {
            self.pings.timed_out += 1;
            return KeepaliveAction::PeerDead;
        }
        if self.relayed_ping {
            self.pinged_at = Some(now);
            return KeepaliveAction::Wait;
        }
        let payload = rand::random();
        self.queued = true;
        self.expected_pong = Some(payload);
        KeepaliveAction::SendPing(payload)
    }

    /// A ping of the peer across is passed on. It serves as ours until its pong has come: a peer may
    /// answer only the last of two pings (RFC 6455 §5.5.3), and the peer across would miss the pong.
    /// Returns whether a ping of ours was queued, which must not follow it.
    pub(super) fn note_relayed_ping(&mut self, now: Instant) -> bool {
        self.relayed_ping = true;
        let was_queued = std::mem::take(&mut self.queued);
        if was_queued {
            self.pinged_at = Some(now);
        }
        was_queued
    }

    /// The ping has gone out. Only from now on may its answer be missed.
    pub(super) fn sent(&mut self, now: Instant) {
        if std::mem::take(&mut self.queued) {
            self.pings.sent += 1;
            self.pinged_at = Some(now);
        }
    }

    /// The ping cannot go out. The peer must send something all the same, or it would never time out.
    pub(super) fn unsendable(&mut self, now: Instant) {
        if std::mem::take(&mut self.queued) {
            self.pinged_at = Some(now);
        }
    }

    /// What has become of the pings so far.
    pub(super) fn pings(&self) -> Pings {
        self.pings
    }

    /// Whether a ping is queued, or sent and not answered.
    pub(super) fn is_awaiting_pong(&self) -> bool {
        self.queued || self.pinged_at.is_some()
    }

    /// When to call [`Pinger::action`] again at the latest, as things stand now.
    ///
    /// A queued ping goes out without setting a timer, so that this returns a time before the answer
    /// can be overdue. An answer sets the timer: see [`Pinger::take_answer_received`].
    pub(super) fn next_check(&self, now: Instant) -> Option<Instant> {
        let Ping { interval, timeout } = self.ping;
        match self.queued {
            true => Some(now + interval.map_or(timeout, |interval| interval.min(timeout))),
            false => self.due(),
        }
    }

    /// When [`Pinger::action`] is next something else than to wait.
    fn due(&self) -> Option<Instant> {
        if self.queued {
            return None;
        }
        match self.pinged_at {
            Some(pinged_at) => Some(pinged_at + self.ping.timeout),
            None => self
                .ping
                .interval
                .map(|interval| self.last_received + interval),
        }
    }

    /// Returns once whether a pong answers our ping. All others are for the peer across.
    pub(super) fn take_own_pong(&mut self, pong: &[u8]) -> bool {
        let is_own = self.expected_pong.take_if(|payload| payload == pong);
        self.relayed_ping &= is_own.is_some();
        is_own.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pinger(interval: u64, timeout: u64, now: Instant) -> Pinger {
        let interval = (interval > 0).then(|| Duration::from_secs(interval));
        Pinger::new(
            Ping {
                interval,
                timeout: Duration::from_secs(timeout),
            },
            now,
        )
    }

    fn pings(sent: u64, timed_out: u64) -> Pings {
        Pings { sent, timed_out }
    }

    #[test]
    fn silence_is_asked_about_and_then_judged() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pinger = pinger(30, 15, start);
        assert_eq!(
            (pinger.action(at(0)), pinger.due()),
            (KeepaliveAction::Wait, Some(at(30)))
        );
        assert!(matches!(
            pinger.action(at(30)),
            KeepaliveAction::SendPing(_)
        ));
        pinger.sent(at(30));
        assert_eq!(
            (pinger.action(at(44)), pinger.due()),
            (KeepaliveAction::Wait, Some(at(45)))
        );
        assert_eq!(pinger.pings(), pings(1, 0));
        assert_eq!(pinger.action(at(45)), KeepaliveAction::PeerDead);
        assert_eq!(pinger.pings(), pings(1, 1));
    }

    #[test]
    fn a_ping_that_cannot_go_out_is_missed_and_not_sent() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pinger = pinger(30, 15, start);
        assert!(matches!(
            pinger.action(at(30)),
            KeepaliveAction::SendPing(_)
        ));
        pinger.unsendable(at(30));
        // A frame that goes out behind it is no ping.
        pinger.sent(at(31));
        assert_eq!(pinger.pings(), pings(0, 0));
        assert_eq!(pinger.action(at(45)), KeepaliveAction::PeerDead);
        assert_eq!(pinger.pings(), pings(0, 1));
    }

    #[test]
    fn nobody_is_judged_by_a_ping_that_has_not_gone_out() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pinger = pinger(30, 15, start);
        assert!(matches!(
            pinger.action(at(30)),
            KeepaliveAction::SendPing(_)
        ));
        assert_eq!(pinger.next_check(at(30)), Some(at(45)));
        assert_eq!(pinger.action(at(100)), KeepaliveAction::Wait);
        pinger.sent(at(101));
        assert_eq!(pinger.next_check(at(105)), Some(at(116)));
        assert_eq!(pinger.action(at(115)), KeepaliveAction::Wait);
        assert_eq!(pinger.action(at(116)), KeepaliveAction::PeerDead);
    }

    #[test]
    fn the_next_ping_is_due_an_interval_after_an_answer_however_long_that_may_take() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pinger = pinger(10, 60, start);
        assert!(matches!(
            pinger.action(at(10)),
            KeepaliveAction::SendPing(_)
        ));
        pinger.sent(at(10));
        assert_eq!(pinger.next_check(at(10)), Some(at(70)));
        pinger.note_received(at(15));
        assert!(pinger.take_answer_received());
        assert_eq!(pinger.next_check(at(15)), Some(at(25)));
        assert_eq!(pinger.action(at(20)), KeepaliveAction::Wait);
        assert!(matches!(
            pinger.action(at(25)),
            KeepaliveAction::SendPing(_)
        ));
    }

    #[test]
    fn who_was_asked_and_answered_is_relieved_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pinger = pinger(30, 15, start);
        pinger.note_received(at(0));
        assert!(!pinger.take_answer_received());
        assert!(matches!(
            pinger.action(at(30)),
            KeepaliveAction::SendPing(_)
        ));
        pinger.sent(at(30));
        assert!(!pinger.take_answer_received());
        pinger.note_received(at(32));
        pinger.note_received(at(33));
        assert!(pinger.take_answer_received());
        assert!(!pinger.take_answer_received());
    }

    #[test]
    fn any_byte_is_life() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pinger = pinger(30, 15, start);
        assert!(matches!(
            pinger.action(at(30)),
            KeepaliveAction::SendPing(_)
        ));
        pinger.sent(at(30));
        pinger.note_received(at(30));
        assert_eq!(
            (pinger.action(at(45)), pinger.due()),
            (KeepaliveAction::Wait, Some(at(60)))
        );
        assert!(matches!(
            pinger.action(at(60)),
            KeepaliveAction::SendPing(_)
        ));
    }

    #[test]
    fn only_our_own_pong_is_ours_and_only_once() {
        let start = Instant::now();
        let mut pinger = pinger(1, 1, start);
        assert!(!pinger.take_own_pong(b""));
        let KeepaliveAction::SendPing(payload) = pinger.action(start + Duration::from_secs(1))
        else {
            panic!("no ping");
        };
        assert!(!pinger.take_own_pong(b"other"));
        assert!(pinger.take_own_pong(&payload));
        assert!(!pinger.take_own_pong(&payload));
    }

    #[test]
    fn a_relayed_ping_serves_as_ours_until_its_pong_has_come() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pinger = pinger(30, 15, start);
        assert!(!pinger.note_relayed_ping(at(20)));
        assert_eq!(pinger.action(at(30)), KeepaliveAction::Wait);
        assert_eq!(pinger.next_check(at(30)), Some(at(45)));
        assert_eq!(pinger.pings(), pings(0, 0));
        pinger.note_received(at(40));
        assert!(!pinger.take_own_pong(b"foreign"));
        assert!(matches!(
            pinger.action(at(70)),
            KeepaliveAction::SendPing(_)
        ));
        // One that was passed on while ours waited takes its place.
        assert!(pinger.note_relayed_ping(at(71)));
        pinger.sent(at(72));
        assert_eq!(pinger.pings(), pings(0, 0));
        assert_eq!(pinger.action(at(86)), KeepaliveAction::PeerDead);
    }

    #[test]
    fn no_interval_is_no_ping() {
        let start = Instant::now();
        let mut pinger = pinger(0, 15, start);
        assert_eq!(
            pinger.action(start + Duration::from_secs(1 << 30)),
            KeepaliveAction::Wait
        );
        assert_eq!(pinger.due(), None);
    }
}
