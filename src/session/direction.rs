//! One direction of a session: the frames from one leg to the other.

mod boundaries;
mod charging;

use tokio::time::Instant;

use super::assembly::Assembly;
use super::filter::MessageFilter;
use super::keepalive::Pinger;
use super::meter::Meter;
use super::stop::Stop;
use crate::close::CloseReason;
use crate::frame::{Control, DataFrame, FrameRules, Mask, Step, Violation, Walker};
use crate::types::Side;

/// The framing and accounting of one direction; no I/O.
#[derive(Debug)]
pub(super) struct Direction {
    from: Side,
    walker: Walker,
    /// Bytes that were read and could not be passed yet: part of a header or of a control frame,
    /// what came before the session began, or what a rate limit holds back.
    held: Vec<u8>,
    /// What is held has not been looked at, or is due to be looked at again.
    fresh: bool,
    /// Nothing passes before this time, by a rate limit.
    pub(super) resume: Option<Instant>,
    mode: Mode,
    /// The current message is being dropped.
    dropping: bool,
    meter: Option<Box<Meter>>,
    assembly: Option<Box<Assembly>>,
    /// Payload of an unfinished frame that has not counted as progress yet.
    partial_payload: usize,
    /// See [`Direction::has_small_frames`].
    small_frames: bool,
    /// Messages of others are put between those that pass.
    finds_message_ends: bool,
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// So much payload of an unfinished frame resets the idle timeout.
const PROGRESS: usize = 1024;

/// A buffer with more headers and payloads than this counts as one of small frames.
const SMALL_FRAMES: usize = 256;

/// What is done with what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// It is passed on.
    Relay,
    /// Only the rest of the current frame is, so that a close frame can follow it.
    FinishFrame,
    /// Nothing is; only a close frame is looked for.
    Discard,
    /// Nothing is, and nothing more is read as frames.
    Closed,
}

/// The result of a walk over a buffer.
#[derive(Debug)]
pub(super) struct Walked {
    /// How much of the buffer's front is to be passed on.
    pub(super) pass: usize,
    /// What is to be passed on instead, where messages are assembled.
    pub(super) assembled: Vec<u8>,
    /// What a filter answers the sender.
    pub(super) replies: Vec<u8>,
    /// Where in what is passed on the last frame boundary is; `None` if there is none.
    pub(super) boundary: Option<usize>,
    /// Where in it the last message ends; only looked for if the session gets publications.
    pub(super) message_end: Option<usize>,
    /// A data frame was among it, or as much of a big one as shows that it is getting on.
    pub(super) data: bool,
    /// A ping was among it.
    pub(super) ping: bool,
    pub(super) stop: Option<Stop>,
}

/// What to do with the bytes of one step.
enum Passage {
    Pass(usize),
    Skip(usize),
    /// The assembled messages have grown instead.
    Assembled(usize),
    /// They are not whole yet.
    Hold,
}

impl Direction {
    pub(super) fn new(
        rules: FrameRules,
        early: &[u8],
        meter: Option<Meter>,
        assembly: Option<Assembly>,
    ) -> Self {
        Self {
            from: rules.from,
            walker: Walker::new(rules),
            fresh: !early.is_empty(),
            // A copy: what hyper hands out, were it nothing, is a view of the whole buffer that it
            // read the head into.
            held: early.to_vec(),
            resume: None,
            mode: Mode::Relay,
            dropping: false,
            meter: meter.map(Box::new),
            assembly: assembly.map(Box::new),
            partial_payload: 0,
            small_frames: false,
            finds_message_ends: false,
            messages: 0,
            bytes: 0,
        }
    }

    /// Whether anything may still be passed on.
    pub(super) fn relays(&self) -> bool {
        matches!(self.mode, Mode::Relay | Mode::FinishFrame)
    }

    /// Whether whatever the sender still sends is ignored.
    pub(super) fn is_closed(&self) -> bool {
        self.mode == Mode::Closed
    }

    /// Passes on no more than the frame that has begun.
    pub(super) fn finish_frame(&mut self) {
        if self.mode == Mode::Relay {
            self.mode = if self.at_boundary() {
                Mode::Discard
            } else {
                Mode::FinishFrame
            };
            // What a rate limit held back will not pass; a close frame behind it is still wanted.
            self.end_wait();
        }
    }

    /// Ignores whatever comes from now on. Returns whether what was passed on ends inside a frame.
    pub(super) fn close(&mut self) -> bool {
        let truncated = !self.at_boundary();
        self.mode = Mode::Closed;
        self.held = Vec::new();
        self.resume = None;
        self.fresh = false;
        truncated
    }

    /// Ends a wait.
    pub(super) fn end_wait(&mut self) {
        self.fresh |= self.resume.take().is_some();
    }

    /// How many bytes are held back, and whether they are to be walked without a read.
    pub(super) fn held(&self) -> (usize, bool) {
        (self.held.len(), self.fresh)
    }

    /// Puts what is held before what was read behind it.
    pub(super) fn load(&mut self, buffer: &mut [u8]) {
        if !self.held.is_empty() {
            buffer[..self.held.len()].copy_from_slice(&self.held);
            self.held.clear();
        }
        self.fresh = false;
    }

    /// The payload that is still to come of the current frame.
    pub(super) fn remaining(&self) -> u64 {
        self.walker.remaining()
    }

    /// Whether the last buffer was full of small frames. Another full buffer of them would keep the
    /// thread's other sessions waiting.
    pub(super) fn has_small_frames(&self) -> bool {
        self.small_frames
    }

    /// Walks over a buffer and leaves at its front what is to be passed on; what cannot be passed
    /// yet is held back.
    pub(super) fn walk(
        &mut self,
        buffer: &mut [u8],
        pinger: &mut Pinger,
        mut filter: Option<&mut Box<dyn MessageFilter>>,
        now: Instant,
    ) -> Walked {
        let mut walked = Walked {
            pass: 0,
            assembled: Vec::new(),
            replies: Vec::new(),
            boundary: self.at_boundary().then_some(0),
            message_end: (self.finds_message_ends && self.between_messages()).then_some(0),
            data: false,
            ping: false,
            stop: None,
        };
        let (mut at, mut steps) = (0, 0);
        while at < buffer.len() && walked.stop.is_none() && self.mode != Mode::Closed {
            steps += 1;
            let input = &buffer[at..];
            match self.step(input, pinger, &mut walked, filter.as_deref_mut(), now) {
                Ok(Passage::Pass(length)) => {
                    self.pass(buffer, at, length, &mut walked);
                    at += length;
                }
                Ok(Passage::Skip(length) | Passage::Assembled(length)) => at += length,
                Ok(Passage::Hold) => break,
                Err(stop) => walked.stop = Some(stop),
            }
            if self.at_boundary() {
                walked.boundary = Some(walked.pass.max(walked.assembled.len()));
                if self.finds_message_ends && self.between_messages() {
                    walked.message_end = walked.boundary;
                }
            }
        }
        if self.mode != Mode::Closed && at < buffer.len() {
            self.held.extend_from_slice(&buffer[at..]);
            // Behind what was refused there may be the sender's close frame.
            self.fresh = matches!(walked.stop, Some(Stop::Policy(_)));
        } else if self.held.capacity() > 0 {
            self.held = Vec::new();
        }
        self.small_frames = steps > SMALL_FRAMES;
        self.bytes += walked.pass.max(walked.assembled.len()) as u64;
        walked
    }

    /// Passes bytes on: in place, closing the gap that skipped ones left, or behind the
    /// assembled messages.
    fn pass(&self, buffer: &mut [u8], at: usize, length: usize, walked: &mut Walked) {
        if self.assembly.is_some() {
            walked.assembled.extend_from_slice(&buffer[at..at + length]);
            return;
        }
        if walked.pass != at {
            buffer.copy_within(at..at + length, walked.pass);
        }
        walked.pass += length;
    }

    #[inline]
    fn step(
        &mut self,
        input: &[u8],
        pinger: &mut Pinger,
        walked: &mut Walked,
        filter: Option<&mut Box<dyn MessageFilter>>,
        now: Instant,
    ) -> Result<Passage, Stop> {
        let input = self.affordable(input, now)?;
        let mask = self.walker.mask();
        let before = self.may_wait().then(|| self.walker.clone());
        let (step, length) = self.walker.step(input).map_err(|v| self.violation(v))?;
        let wire = &input[..length];
        let passage = match step {
            Step::Incomplete => return Ok(Passage::Hold),
            Step::Control(control) => self.control(control, length, pinger, walked, now),
            Step::Data(frame) => {
                walked.data = true;
                self.partial_payload = 0;
                self.data(frame, wire, now)
            }
            Step::Payload => {
                walked.data |= self.is_progress(length);
                self.payload(wire, mask)
            }
        };
        match passage.and_then(|passage| self.assembled(passage, walked, filter)) {
            Err(Stop::Wait(wait)) => {
                // Neither the frame nor what is behind it has been looked at.
                self.walker = before.unwrap_or_else(|| self.walker.clone());
                Err(Stop::Wait(wait))
            }
            Err(stop) => {
                // The frame is not passed on, so what was ends at a boundary.
                self.mode = Mode::Discard;
                walked.stop = Some(stop);
                Ok(Passage::Skip(length))
            }
            passage => passage,
        }
    }

    /// Whether payload resets the idle timeout: with the end of its frame, or when a good deal of it
    /// has come. Otherwise a frame that comes byte by byte would keep an idle session alive, which
    /// not even a ping may.
    #[inline]
    fn is_progress(&mut self, length: usize) -> bool {
        self.partial_payload += length;
        let progress = self.partial_payload >= PROGRESS || !self.walker.in_frame();
        if progress {
            self.partial_payload = 0;
        }
        progress
    }

    /// The header of a data frame.
    fn data(&mut self, frame: DataFrame, wire: &[u8], now: Instant) -> Result<Passage, Stop> {
        let length = wire.len();
        if self.mode != Mode::Relay {
            return Ok(Passage::Skip(length));
        }
        if !self.dropping {
            self.charge(&frame, length, now)?;
        }
        if self.dropping {
            return Ok(self.skip(length));
        }
        self.messages += u64::from(frame.first);
        match &mut self.assembly {
            Some(assembly) if assembly.wants(frame.kind) => {
                assembly.header(frame.kind, wire);
                Ok(Passage::Assembled(length))
            }
            _ => Ok(Passage::Pass(length)),
        }
    }

    fn payload(&mut self, wire: &[u8], mask: Option<Mask>) -> Result<Passage, Stop> {
        let length = wire.len();
        if self.dropping {
            return Ok(self.skip(length));
        }
        match self.mode {
            Mode::Relay => {}
            Mode::FinishFrame => {
                if !self.walker.in_frame() {
                    self.mode = Mode::Discard;
                }
                return Ok(Passage::Pass(length));
            }
            Mode::Discard | Mode::Closed => return Ok(Passage::Skip(length)),
        }
        match &mut self.assembly {
            Some(assembly) if assembly.is_collecting() => {
                assembly.payload(wire, mask)?;
                Ok(Passage::Assembled(length))
            }
            _ => Ok(Passage::Pass(length)),
        }
    }

    /// Ends an assembled message with its last byte.
    fn assembled(
        &mut self,
        passage: Passage,
        walked: &mut Walked,
        filter: Option<&mut Box<dyn MessageFilter>>,
    ) -> Result<Passage, Stop> {
        if let (Passage::Assembled(_), Some(assembly), false) =
            (&passage, &mut self.assembly, self.walker.in_message())
        {
            assembly.finish(filter, &mut walked.assembled, &mut walked.replies)?;
        }
        Ok(passage)
    }

    fn control(
        &mut self,
        control: Control,
        length: usize,
        pinger: &mut Pinger,
        walked: &mut Walked,
        now: Instant,
    ) -> Result<Passage, Stop> {
        let passes = self.mode == Mode::Relay;
        match control {
            Control::Pong(payload) if pinger.take_own_pong(payload.as_slice()) => {
                return Ok(Passage::Skip(length));
            }
            // Free: there is only one of it, and it is never held back.
            Control::Close(code) => {
                self.mode = Mode::Closed;
                walked.stop = Some(Stop::Closed {
                    code,
                    passed: passes,
                });
            }
            Control::Ping | Control::Pong(_) => {
                if !passes || !self.charge_control(length, now)? {
                    return Ok(Passage::Skip(length));
                }
                walked.ping |= matches!(control, Control::Ping);
            }
        }
        Ok(match passes {
            true => Passage::Pass(length),
            false => Passage::Skip(length),
        })
    }

    fn skip(&mut self, length: usize) -> Passage {
        self.dropping = self.walker.in_message();
        Passage::Skip(length)
    }

    fn violation(&self, violation: Violation) -> Stop {
        let word = violation.as_str();
        Stop::Violation(match (violation, self.from) {
            (Violation::TooBig, Side::Client) => CloseReason::ClientMessageTooBig,
            (Violation::TooBig, Side::Upstream) => CloseReason::UpstreamMessageTooBig,
            (Violation::Fragments, Side::Client) => CloseReason::ClientFragments,
            (Violation::Fragments, Side::Upstream) => CloseReason::UpstreamFragments,
            (Violation::CloseText, Side::Client) => CloseReason::ClientInvalidText,
            (Violation::CloseText, Side::Upstream) => CloseReason::UpstreamInvalidText,
            (_, Side::Client) => CloseReason::ClientProtocol(word),
            (_, Side::Upstream) => CloseReason::UpstreamProtocol(word),
        })
    }
}

#[cfg(test)]
mod tests;
