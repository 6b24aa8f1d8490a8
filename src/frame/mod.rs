//! RFC 6455 framing, without I/O: what a stream of bytes means, and frames of our own.
//!
//! Nothing here holds a payload. [`Walker`] is told what was read and says what it is; whoever
//! asks decides what becomes of the bytes, which are forwarded as they stand: a client's masked
//! frame is legal towards an upstream, and an upstream's unmasked one towards a client.

mod control;
mod header;
mod mask;
mod utf8;
mod walker;
mod write;

pub(crate) use control::{Control, MAX_CONTROL_PAYLOAD};
pub(crate) use header::{DataKind, Opcode};
pub(crate) use mask::{Mask, unmask};
pub(crate) use utf8::Utf8;
pub(crate) use walker::{DataFrame, FrameRules, Step, Walker};
pub(crate) use write::{write_close, write_frame};

/// How a peer broke the framing rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A client's frame without a mask, or a server's with one (§5.1).
    Mask,
    /// A reserved bit that no extension gave a meaning, or an opcode that nobody defined (§5.2).
    ReservedBitOrOpcode,
    /// A length in more bytes than it needs, or with its top bit set (§5.2).
    Length,
    /// A control frame that is fragmented or longer than 125 bytes (§5.5).
    Control,
    /// A continuation of nothing, or a new message inside an unfinished one (§5.4).
    Continuation,
    /// A close frame with half a code, or with one that must not travel (§5.5.1, §7.4).
    Close,
    /// A close frame whose reason is not UTF-8 (§5.5.1).
    CloseText,
    /// A message over the size that the rules allow.
    TooBig,
    /// A message in more fragments than it has any use for.
    Fragments,
}

impl Violation {
    /// The word for logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Mask => "unmasked",
            Self::ReservedBitOrOpcode => "rsv_or_opcode",
            Self::Length => "len_not_minimal",
            Self::Control => "bad_control",
            Self::Continuation => "bad_continuation",
            Self::Close => "bad_close",
            Self::CloseText => "bad_utf8",
            Self::TooBig => "too_big",
            Self::Fragments => "frag_limit",
        }
    }
}
