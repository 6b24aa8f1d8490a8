//! One direction on its own, for what drives it without a session.

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::Instant;

use super::assembly::Assembly;
use super::direction::Direction;
#[cfg(any(test, fuzzing))]
use super::keepalive::KeepaliveAction;
use super::keepalive::Pinger;
use super::meter::Meter;
use super::stop::Stop;
use crate::close::CloseReason;
use crate::config::Ping;
use crate::frame::FrameRules;

/// A direction, fed as `pump.rs` feeds it.
pub(crate) struct OneWay {
    direction: Direction,
    pinger: Pinger,
}

/// What became of a read.
pub(crate) struct Fed<'a> {
    pub(crate) passed: Cow<'a, [u8]>,
    /// Where in that a frame of our own could go.
    pub(crate) boundary: Option<usize>,
    pub(crate) end: Option<OneWayEnd>,
}

/// Why no more is passed on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OneWayEnd {
    /// The sender's close frame was passed on.
    Closed(Option<u16>),
    /// The sender broke a rule or a limit.
    Refused(CloseReason),
}

impl OneWay {
    pub(crate) fn new(rules: FrameRules, validating: bool, meter: Option<Meter>) -> Self {
        let assembly = validating.then(|| Assembly::new(rules.from, false));
        let ping = Ping {
            interval: Some(Duration::ZERO),
            timeout: Duration::ZERO,
        };
        Self {
            direction: Direction::new(rules, b"", meter, assembly),
            pinger: Pinger::new(ping, Instant::now()),
        }
    }

    /// Sends the sender a ping of our own; what its pong has to say.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn ping(&mut self) -> Option<[u8; 8]> {
        match self.pinger.action(Instant::now()) {
            KeepaliveAction::SendPing(payload) => Some(payload),
            KeepaliveAction::Wait | KeepaliveAction::PeerDead => None,
        }
    }

    /// Walks over what was read; what is passed on of it is left at the buffer's front.
    pub(crate) fn feed<'a>(&mut self, buffer: &'a mut Vec<u8>) -> Fed<'a> {
        let (held, _) = self.direction.held();
        if held > 0 {
            buffer.splice(..0, std::iter::repeat_n(0, held));
        }
        self.direction.load(&mut buffer[..held]);
        let walked = self
            .direction
            .walk(buffer, &mut self.pinger, None, Instant::now());
        let passed = match walked.assembled.is_empty() {
            true => Cow::Borrowed(&buffer[..walked.pass]),
            false => Cow::Owned(walked.assembled),
        };
        let end = walked.stop.map(|stop| match stop {
            Stop::Closed { code, passed: true } => OneWayEnd::Closed(code.map(|code| code.get())),
            Stop::Violation(reason) | Stop::Policy(reason) => OneWayEnd::Refused(reason),
            Stop::Closed { passed: false, .. } | Stop::Wait(_) => {
                unreachable!("nothing was refused before, and nothing is slowed down")
            }
        });
        Fed {
            passed,
            boundary: walked.boundary,
            end,
        }
    }
}
