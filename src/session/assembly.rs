//! Whole messages, for the routes whose policy is about what a message says.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

use super::filter::{Message, MessageFilter, Verdict};
use super::stop::Stop;
use crate::close::CloseReason;
use crate::frame::{DataKind, Mask, Utf8, unmask, write_frame};
use crate::types::{Body, Side};

/// The message that one direction is collecting. Between messages it holds no memory.
///
/// With a filter, what counts is what the message says: its payload is collected, and what the
/// filter lets through travels as one new frame. Without one, the frames themselves are kept and
/// go on as they came once their text has proved to be UTF-8.
#[derive(Debug)]
pub(super) struct Assembly {
    from: Side,
    filtered: bool,
    kind: DataKind,
    /// A message that is wanted has begun and not ended.
    collecting: bool,
    utf8: Utf8,
    bytes: Vec<u8>,
}

/// So much of a masked text is unmasked at once to be checked.
const PIECE: usize = 4 * 1024;

impl Assembly {
    pub(super) fn new(from: Side, filtered: bool) -> Self {
        Self {
            from,
            filtered,
            kind: DataKind::Binary,
            collecting: false,
            utf8: Utf8::default(),
            bytes: Vec::new(),
        }
    }

    /// Whether a message of this kind is to be collected at all.
    pub(super) fn wants(&self, kind: DataKind) -> bool {
        self.filtered || kind == DataKind::Text
    }

    /// Whether the message that passes now is being collected.
    pub(super) fn is_collecting(&self) -> bool {
        self.collecting
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Takes the header of a data frame.
    pub(super) fn header(&mut self, kind: DataKind, wire: &[u8]) {
        self.kind = kind;
        self.collecting = true;
        if !self.filtered {
            self.bytes.extend_from_slice(wire);
        }
    }

    /// Takes payload, as it came; the mask is turned to its first byte.
    pub(super) fn payload(&mut self, wire: &[u8], mask: Option<Mask>) -> Result<(), Stop> {
        let mut mask = mask;
        if self.filtered {
            unmask(wire, mask.as_mut(), &mut self.bytes);
            return Ok(());
        }
        self.bytes.extend_from_slice(wire);
        let valid = match mask {
            None => self.utf8.push(wire),
            Some(mut mask) => wire.chunks(PIECE).try_for_each(|masked| {
                let mut piece = [0; PIECE];
                let plain = &mut piece[..masked.len()];
                plain.copy_from_slice(masked);
                mask.apply(plain);
                self.utf8.push(plain)
            }),
        };
        valid.map_err(|_| self.invalid_text())
    }

    /// Ends the message: what goes on is appended to `out`, and what the filter answers the sender to
    /// `replies`.
    pub(super) fn finish(
        &mut self,
        filter: Option<&mut Box<dyn MessageFilter>>,
        out: &mut Vec<u8>,
        replies: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        self.collecting = false;
        let bytes = std::mem::take(&mut self.bytes);
        match filter.filter(|_| self.filtered) {
            Some(filter) => self.apply(filter, bytes.into(), out, replies),
            None => {
                self.utf8.finish().map_err(|_| self.invalid_text())?;
                match out.is_empty() {
                    true => *out = bytes,
                    false => out.extend_from_slice(&bytes),
                }
                Ok(())
            }
        }
    }

    /// Runs the filter, and appends each message that it sends as one frame.
    fn apply(
        &self,
        filter: &mut Box<dyn MessageFilter>,
        payload: Bytes,
        out: &mut Vec<u8>,
        replies: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let body = match self.kind {
            DataKind::Binary => Body::Binary(payload),
            DataKind::Text => Body::Text(payload.try_into().map_err(|_| self.invalid_text())?),
        };
        let message = Message {
            from: self.from,
            body,
        };
        // The filter is the embedder's code: its panic ends this session, and honestly.
        match catch_unwind(AssertUnwindSafe(|| filter.on_message(message))) {
            Ok(Verdict::Forward(message)) => {
                write_message(self.from.other(), &message.body, out);
                Ok(())
            }
            Ok(Verdict::Send(messages)) => {
                for message in messages {
                    let bytes = match message.from == self.from {
                        true => &mut *out,
                        false => &mut *replies,
                    };
                    write_message(message.from.other(), &message.body, bytes);
                }
                Ok(())
            }
            Ok(Verdict::Discard) => Ok(()),
            Ok(Verdict::Close(code, reason)) => Err(Stop::Policy(CloseReason::Filter {
                code,
                reason: reason.into(),
            })),
            Err(_) => Err(Stop::Policy(CloseReason::Internal)),
        }
    }

    fn invalid_text(&self) -> Stop {
        Stop::Violation(match self.from {
            Side::Client => CloseReason::ClientInvalidText,
            Side::Upstream => CloseReason::UpstreamInvalidText,
        })
    }
}

/// Appends a message as one frame to this side.
fn write_message(to: Side, body: &Body, out: &mut Vec<u8>) {
    let kind = match body {
        Body::Text(_) => DataKind::Text,
        Body::Binary(_) => DataKind::Binary,
    };
    write_frame(to, kind.into(), body.as_bytes(), out);
}
