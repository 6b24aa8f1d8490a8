//! Frames of our own.

use super::control::MAX_CONTROL_PAYLOAD;
use super::header::Opcode;
use super::mask::Mask;
use crate::close::CloseCode;
use crate::types::Side;

/// The longest header: two bytes, an eight-byte length and a mask.
const MAX_HEADER: usize = 14;

/// Appends a whole, unfragmented frame for the peer on the `to` side, masked where the gate is
/// the client (RFC 6455 §5.1).
pub(crate) fn write_frame(to: Side, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(MAX_HEADER + payload.len());
    out.push(0x80 | opcode.bits());
    let masked = if to == Side::Upstream { 0x80 } else { 0 };
    match payload.len() {
        length @ 0..=125 => out.push(masked | length as u8),
        length @ 126..=0xFFFF => {
            out.push(masked | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if to == Side::Client {
        out.extend_from_slice(payload);
        return;
    }
    let mut mask = Mask::random();
    out.extend_from_slice(&mask.key());
    let start = out.len();
    out.extend_from_slice(payload);
    mask.apply(&mut out[start..]);
}

/// Appends a close frame; a reason too long for one is cut at a character (§5.5).
pub(crate) fn write_close(to: Side, code: Option<CloseCode>, reason: &str, out: &mut Vec<u8>) {
    let mut payload = Vec::with_capacity(MAX_CONTROL_PAYLOAD);
    if let Some(code) = code {
        payload.extend_from_slice(&code.get().to_be_bytes());
        let end = reason.floor_char_boundary(crate::close::MAX_REASON);
        payload.extend_from_slice(&reason.as_bytes()[..end]);
    }
    write_frame(to, Opcode::Close, &payload, out);
}
