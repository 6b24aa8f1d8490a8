//! Walks over a stream of frames as it comes in, whole or in any pieces.

use super::control::Control;
use super::header::{DataKind, Header, Opcode};
use super::mask::Mask;
use super::violation::Violation;
use crate::types::Side;

/// What one sender has to keep to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameRules {
    /// Whose frames these are: a client's are masked, an upstream's are not (§5.1).
    pub(crate) from: Side,
    /// `permessage-deflate` was agreed: RSV1 may mark the first frame of a message (RFC 7692 §6).
    pub(crate) deflate: bool,
    /// The most wire bytes that the payloads of one message may have, fragments summed.
    pub(crate) message_size: u64,
}

/// The state of one direction's framing.
#[derive(Clone, Debug)]
pub(crate) struct Walker {
    rules: FrameRules,
    /// Payload of the current data frame that has not come yet.
    remaining: u64,
    /// Turned to the next payload byte of the current data frame.
    mask: Option<Mask>,
    /// The current data frame ends its message.
    last: bool,
    message: Option<MessageState>,
}

/// A message that has begun and not ended.
#[derive(Clone, Copy, Debug)]
struct MessageState {
    kind: DataKind,
    compressed: bool,
    size: u64,
    fragments: u64,
}

/// As many fragments a message may have, whatever is in them: a sender that does not know how long
/// its message will be cuts it at its buffer, and sends no tens of thousands of crumbs.
const FREE_FRAGMENTS: u64 = 1 << 16;

/// More of them have to carry so many bytes each on average. Empty ones would never reach the
/// bound on a message's size, and cost a header's work each.
const FRAGMENT_SIZE: u64 = 16;

/// What stands at the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Part of a header or of a control frame: keep it, and come again with more.
    Incomplete,
    /// The header of a data frame. Its payload follows in steps of its own, or it has none.
    Data(DataFrame),
    /// Payload of the data frame whose header came last.
    Payload,
    /// A whole control frame.
    Control(Control),
}

/// The header of a data frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DataFrame {
    /// It begins a message.
    pub(crate) first: bool,
    /// It ends one.
    pub(crate) last: bool,
    pub(crate) kind: DataKind,
    /// The message is compressed.
    pub(crate) compressed: bool,
    /// Bytes of payload that the frame announces.
    pub(crate) payload: u64,
}

impl Walker {
    pub(crate) fn new(rules: FrameRules) -> Self {
        Self {
            rules,
            remaining: 0,
            mask: None,
            last: true,
            message: None,
        }
    }

    /// Says what stands at the front of `input` and how many bytes it takes.
    #[inline]
    pub(crate) fn step(&mut self, input: &[u8]) -> Result<(Step, usize), Violation> {
        if self.remaining > 0 {
            return Ok((Step::Payload, self.payload(input.len())));
        }
        let Some(header) = Header::parse(input, self.rules.from)? else {
            return Ok((Step::Incomplete, 0));
        };
        if header.opcode.is_control() {
            return control(&header, input);
        }
        let frame = self.begin(&header)?;
        Ok((Step::Data(frame), header.size))
    }

    /// Whether payload of the current data frame is still to come: only elsewhere may a frame of
    /// another kind stand.
    pub(crate) fn in_frame(&self) -> bool {
        self.remaining > 0
    }

    /// Whether a message has begun that has not ended.
    pub(crate) fn in_message(&self) -> bool {
        self.message.is_some()
    }

    /// Payload of the current data frame that has not come yet.
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// The mask for the next payload byte of the current data frame.
    pub(crate) fn mask(&self) -> Option<Mask> {
        self.mask
    }

    fn payload(&mut self, available: usize) -> usize {
        let length = usize::try_from(self.remaining)
            .unwrap_or(usize::MAX)
            .min(available);
        self.remaining -= length as u64;
        if let Some(mask) = &mut self.mask {
            mask.advance(length);
        }
        self.end_if_over();
        length
    }

    /// Takes a data frame's header, which must fit what came before it.
    fn begin(&mut self, header: &Header) -> Result<DataFrame, Violation> {
        if header.rsv1 && (header.opcode == Opcode::Continuation || !self.rules.deflate) {
            return Err(Violation::ReservedBitOrOpcode);
        }
        let first = self.message.is_none();
        let mut message = match (header.opcode, self.message) {
            (Opcode::Continuation, Some(message)) => message,
            (Opcode::Text, None) => MessageState::begin(DataKind::Text, header),
            (Opcode::Binary, None) => MessageState::begin(DataKind::Binary, header),
            _ => return Err(Violation::Continuation),
        };
        message.size = message.size.saturating_add(header.payload);
        if message.size > self.rules.message_size {
            return Err(Violation::TooBig);
        }
        message.fragments += 1;
        if message.fragments > FREE_FRAGMENTS && message.size / FRAGMENT_SIZE < message.fragments {
            return Err(Violation::Fragments);
        }
        self.message = Some(message);
        self.remaining = header.payload;
        self.mask = header.mask;
        self.last = header.fin;
        self.end_if_over();
        Ok(DataFrame {
            first,
            last: header.fin,
            kind: message.kind,
            compressed: message.compressed,
            payload: header.payload,
        })
    }

    fn end_if_over(&mut self) {
        if self.remaining == 0 && self.last {
            self.message = None;
        }
    }
}

impl MessageState {
    fn begin(kind: DataKind, header: &Header) -> Self {
        Self {
            kind,
            compressed: header.rsv1,
            size: 0,
            fragments: 0,
        }
    }
}

/// A control frame stands alone and is short: it is taken whole or not yet.
fn control(header: &Header, input: &[u8]) -> Result<(Step, usize), Violation> {
    // At most 125, the header was checked.
    let end = header.size + header.payload as usize;
    let Some(payload) = input.get(header.size..end) else {
        return Ok((Step::Incomplete, 0));
    };
    Ok(match Control::read(header, payload)? {
        Some(control) => (Step::Control(control), end),
        None => (Step::Incomplete, 0),
    })
}

#[cfg(test)]
mod tests;
