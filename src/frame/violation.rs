//! How a peer broke the framing rules.

/// A broken framing rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A client's frame without a mask, or a server's with one (§5.1).
    Mask,
    /// A reserved bit that no extension gave a meaning, or an undefined opcode (§5.2).
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
