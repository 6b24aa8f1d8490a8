//! RFC 6455 framing, without I/O: what a stream of bytes means, and frames of our own.
//!
//! Nothing here holds a payload. [`Walker`] says what the bytes of a read are, and its caller decides
//! what to do with them. They are forwarded as they stand: a client's masked frame is legal towards
//! an upstream, and an upstream's unmasked one towards a client.

mod control;
mod header;
mod mask;
mod utf8;
mod violation;
mod walker;
mod write;

pub(crate) use control::Control;
pub(crate) use header::{DataKind, Opcode};
pub(crate) use mask::{Mask, unmask};
pub(crate) use utf8::Utf8;
pub(crate) use violation::Violation;
pub(crate) use walker::{DataFrame, FrameRules, Step, Walker};
pub(crate) use write::{write_close, write_frame};
