//! The frame header (RFC 6455 §5.2).

use super::mask::Mask;
use super::violation::Violation;
use crate::types::Side;

/// What a frame is for (§5.2, §11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// The two kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataKind {
    Text,
    Binary,
}

/// A header as it stands on the wire, with everything checked that can be without knowing what
/// came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) fin: bool,
    pub(super) rsv1: bool,
    pub(super) opcode: Opcode,
    /// Only a client's frames have one.
    pub(super) mask: Option<Mask>,
    pub(super) payload: u64,
    /// Bytes that the header itself takes.
    pub(super) size: usize,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None,
        }
    }

    pub(super) fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    pub(super) fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

impl From<DataKind> for Opcode {
    fn from(kind: DataKind) -> Self {
        match kind {
            DataKind::Text => Self::Text,
            DataKind::Binary => Self::Binary,
        }
    }
}

impl Header {
    /// Reads the header at the front of `input`; `None` wants more bytes.
    ///
    /// A violation is reported as soon as its byte is there, so that a peer who stops half-way
    /// through a bad header is not waited for.
    #[inline]
    pub(super) fn parse(input: &[u8], from: Side) -> Result<Option<Self>, Violation> {
        let [first, second, rest @ ..] = input else {
            return Ok(None);
        };
        let opcode = Opcode::from_bits(first & 0x0F).ok_or(Violation::ReservedBitOrOpcode)?;
        let (fin, rsv1) = (first & 0x80 != 0, first & 0x40 != 0);
        if first & 0x30 != 0 || (rsv1 && opcode.is_control()) {
            return Err(Violation::ReservedBitOrOpcode);
        }
        let masked = second & 0x80 != 0;
        if masked != (from == Side::Client) {
            return Err(Violation::Mask);
        }
        let short = second & 0x7F;
        if opcode.is_control() && (!fin || short > 125) {
            return Err(Violation::Control);
        }
        let Some((payload, rest)) = parse_length(short, rest)? else {
            return Ok(None);
        };
        let (mask, rest) = match (masked, rest) {
            (false, rest) => (None, rest),
            (true, [a, b, c, d, rest @ ..]) => (Some(Mask::new([*a, *b, *c, *d])), rest),
            (true, _) => return Ok(None),
        };
        Ok(Some(Self {
            fin,
            rsv1,
            opcode,
            mask,
            payload,
            size: input.len() - rest.len(),
        }))
    }
}

/// The payload length behind its first seven bits, in no more bytes than it needs.
#[inline]
fn parse_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
    let (length, least, rest) = match (short, rest) {
        (126, [a, b, rest @ ..]) => (u16::from_be_bytes([*a, *b]).into(), 126, rest),
        (127, [a, b, c, d, e, f, g, h, rest @ ..]) => (
            u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            1 << 16,
            rest,
        ),
        (126 | 127, _) => return Ok(None),
        (short, rest) => (short.into(), 0, rest),
    };
    match length < least || length >> 63 != 0 {
        true => Err(Violation::Length),
        false => Ok(Some((length, rest))),
    }
}
