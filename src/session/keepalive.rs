//! Pings to one leg, and what silence means.

use tokio::time::Instant;

use crate::config::Ping;

/// The pings of one leg. No timer is touched a message: the session notes when bytes came, and
/// asks here when its own timer fires.
#[derive(Debug)]
pub(super) struct Pinger {
    ping: Ping,
    last_heard: Instant,
    /// A ping is to go out, and waits for a frame boundary.
    waiting: bool,
    /// A ping is out since then, and nothing at all has come.
    asked: Option<Instant>,
    /// Since it was last asked, a peer that had been pinged was heard.
    relieved: bool,
    /// The payload of the last ping, until its pong has come.
    unanswered: Option<[u8; 8]>,
    pings: Pings,
}

/// How many pings of ours a leg has had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pings {
    pub(super) sent: u64,
    /// How often the peer was found gone for want of an answer.
    pub(super) timed_out: u64,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    /// Nothing before [`Pinger::due`].
    Wait,
    /// Send a ping with this payload.
    Ping([u8; 8]),
    /// The peer is gone.
    Dead,
}

impl Pinger {
    pub(super) fn new(ping: Ping, now: Instant) -> Self {
        Self {
            ping,
            last_heard: now,
            waiting: false,
            asked: None,
            relieved: false,
            unanswered: None,
            pings: Pings::default(),
        }
    }

    /// Bytes came. Any byte counts as life: a peer that sends is not gone, though it owes a pong
    /// (RFC 6455 §5.5.2). A peer that is not read, by our choice, is excused in the same way.
    pub(super) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
        self.relieved |= self.asked.take().is_some();
    }

    /// Whether what was waited for since the last ping has come, so that the next look may be put
    /// off; true once.
    pub(super) fn take_relieved(&mut self) -> bool {
        self.relieved && std::mem::take(&mut self.relieved)
    }

    /// The peer has not got what it is to answer: its time begins now.
    pub(super) fn postpone(&mut self, now: Instant) {
        match &mut self.asked {
            Some(asked) => *asked = now,
            None => self.last_heard = now,
        }
    }

    /// Judges the peer by when it was last heard.
    pub(super) fn pulse(&mut self, now: Instant) -> Pulse {
        match self.due() {
            Some(due) if now >= due => {}
            Some(_) | None => return Pulse::Wait,
        }
        if self.asked.is_some() {
            self.pings.timed_out += 1;
            return Pulse::Dead;
        }
        let payload = rand::random();
        self.waiting = true;
        self.unanswered = Some(payload);
        Pulse::Ping(payload)
    }

    /// The ping has gone out. Only from now on may its answer be missed.
    pub(super) fn sent(&mut self, now: Instant) {
        if std::mem::take(&mut self.waiting) {
            self.pings.sent += 1;
            self.asked = Some(now);
        }
    }

    /// The ping cannot go out. The peer counts as asked all the same, so that its silence is not
    /// for ever.
    pub(super) fn unsendable(&mut self, now: Instant) {
        if std::mem::take(&mut self.waiting) {
            self.asked = Some(now);
        }
    }

    /// What has become of the pings so far.
    pub(super) fn pings(&self) -> Pings {
        self.pings
    }

    /// Whether a ping of ours is under way, or on its way out.
    pub(super) fn asks(&self) -> bool {
        self.waiting || self.asked.is_some()
    }

    /// When to ask [`Pinger::pulse`] again at the latest, as things stand now.
    ///
    /// While a ping waits, it is asked more often than it has something to say: the ping goes out
    /// without anybody setting a timer. An answer does have it set: see [`Pinger::take_relieved`].
    pub(super) fn next_look(&self, now: Instant) -> Option<Instant> {
        let Ping { interval, timeout } = self.ping;
        match self.waiting {
            true => Some(now + interval.map_or(timeout, |interval| interval.min(timeout))),
            false => self.due(),
        }
    }

    /// When [`Pinger::pulse`] has something to say next.
    fn due(&self) -> Option<Instant> {
        if self.waiting {
            return None;
        }
        match self.asked {
            Some(asked) => Some(asked + self.ping.timeout),
            None => self
                .ping
                .interval
                .map(|interval| self.last_heard + interval),
        }
    }

    /// Whether a pong answers our ping; only that one is not for the peer across.
    pub(super) fn answered(&mut self, pong: &[u8]) -> bool {
        self.unanswered.take_if(|payload| payload == pong).is_some()
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
            (pinger.pulse(at(0)), pinger.due()),
            (Pulse::Wait, Some(at(30)))
        );
        assert!(matches!(pinger.pulse(at(30)), Pulse::Ping(_)));
        pinger.sent(at(30));
        assert_eq!(
            (pinger.pulse(at(44)), pinger.due()),
            (Pulse::Wait, Some(at(45)))
        );
        assert_eq!(pinger.pings(), pings(1, 0));
        assert_eq!(pinger.pulse(at(45)), Pulse::Dead);
        assert_eq!(pinger.pings(), pings(1, 1));
    }

    #[test]
    fn a_ping_that_cannot_go_out_is_missed_and_not_sent() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pinger = pinger(30, 15, start);
        assert!(matches!(pinger.pulse(at(30)), Pulse::Ping(_)));
        pinger.unsendable(at(30));
        // A frame that goes out behind it is no ping.
        pinger.sent(at(31));
        assert_eq!(pinger.pings(), pings(0, 0));
        assert_eq!(pinger.pulse(at(45)), Pulse::Dead);
        assert_eq!(pinger.pings(), pings(0, 1));
    }

    #[test]
    fn nobody_is_judged_by_a_ping_that_has_not_gone_out() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pinger = pinger(30, 15, start);
        assert!(matches!(pinger.pulse(at(30)), Pulse::Ping(_)));
        assert_eq!(pinger.next_look(at(30)), Some(at(45)));
        assert_eq!(pinger.pulse(at(100)), Pulse::Wait);
        pinger.sent(at(101));
        assert_eq!(pinger.next_look(at(105)), Some(at(116)));
        assert_eq!(pinger.pulse(at(115)), Pulse::Wait);
        assert_eq!(pinger.pulse(at(116)), Pulse::Dead);
    }

    #[test]
    fn the_next_ping_is_due_an_interval_after_an_answer_however_long_that_may_take() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pinger = pinger(10, 60, start);
        assert!(matches!(pinger.pulse(at(10)), Pulse::Ping(_)));
        pinger.sent(at(10));
        assert_eq!(pinger.next_look(at(10)), Some(at(70)));
        pinger.heard(at(15));
        assert!(pinger.take_relieved());
        assert_eq!(pinger.next_look(at(15)), Some(at(25)));
        assert_eq!(pinger.pulse(at(20)), Pulse::Wait);
        assert!(matches!(pinger.pulse(at(25)), Pulse::Ping(_)));
    }

    #[test]
    fn who_was_asked_and_answered_is_relieved_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pinger = pinger(30, 15, start);
        pinger.heard(at(0));
        assert!(!pinger.take_relieved());
        assert!(matches!(pinger.pulse(at(30)), Pulse::Ping(_)));
        pinger.sent(at(30));
        assert!(!pinger.take_relieved());
        pinger.heard(at(32));
        pinger.heard(at(33));
        assert!(pinger.take_relieved());
        assert!(!pinger.take_relieved());
    }

    #[test]
    fn any_byte_is_life() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pinger = pinger(30, 15, start);
        assert!(matches!(pinger.pulse(at(30)), Pulse::Ping(_)));
        pinger.sent(at(30));
        pinger.heard(at(30));
        assert_eq!(
            (pinger.pulse(at(45)), pinger.due()),
            (Pulse::Wait, Some(at(60)))
        );
        assert!(matches!(pinger.pulse(at(60)), Pulse::Ping(_)));
    }

    #[test]
    fn only_our_own_pong_is_ours_and_only_once() {
        let start = Instant::now();
        let mut pinger = pinger(1, 1, start);
        assert!(!pinger.answered(b""));
        let Pulse::Ping(payload) = pinger.pulse(start + Duration::from_secs(1)) else {
            panic!("no ping");
        };
        assert!(!pinger.answered(b"other"));
        assert!(pinger.answered(&payload));
        assert!(!pinger.answered(&payload));
    }

    #[test]
    fn no_interval_is_no_ping() {
        let start = Instant::now();
        let mut pinger = pinger(0, 15, start);
        assert_eq!(
            pinger.pulse(start + Duration::from_secs(1 << 30)),
            Pulse::Wait
        );
        assert_eq!(pinger.due(), None);
    }
}
