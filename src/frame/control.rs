//! Control frames (RFC 6455 §5.5), which are read whole.

use super::header::{Header, Opcode};
use super::mask::Mask;
use super::violation::Violation;
use crate::close::CloseCode;

/// The most that a control frame may carry (§5.5).
pub(crate) const MAX_CONTROL_PAYLOAD: usize = 125;

/// A whole control frame, without its mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Ping,
    Pong(ControlPayload),
    /// With a code that may travel, or with none.
    Close(Option<CloseCode>),
}

/// What a control frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ControlPayload {
    bytes: [u8; MAX_CONTROL_PAYLOAD],
    length: u8,
}

impl ControlPayload {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    fn read(wire: &[u8], mask: Option<Mask>) -> Self {
        let wire = &wire[..wire.len().min(MAX_CONTROL_PAYLOAD)];
        let mut bytes = [0; MAX_CONTROL_PAYLOAD];
        bytes[..wire.len()].copy_from_slice(wire);
        if let Some(mut mask) = mask {
            mask.apply(&mut bytes[..wire.len()]);
        }
        // At most 125, see above.
        Self {
            bytes,
            length: wire.len() as u8,
        }
    }
}

impl Control {
    /// Reads a control frame from its header and the whole of its payload; `None` for the header
    /// of a data frame.
    pub(super) fn read(header: &Header, payload: &[u8]) -> Result<Option<Self>, Violation> {
        match header.opcode {
            Opcode::Continuation | Opcode::Text | Opcode::Binary => Ok(None),
            // A ping is for the other peer: its payload is not read here.
            Opcode::Ping => Ok(Some(Self::Ping)),
            Opcode::Pong => Ok(Some(Self::Pong(ControlPayload::read(payload, header.mask)))),
            Opcode::Close => read_close(ControlPayload::read(payload, header.mask).as_slice())
                .map(Self::Close)
                .map(Some),
        }
    }
}

/// §5.5.1: nothing, or a code and a reason in UTF-8.
fn read_close(payload: &[u8]) -> Result<Option<CloseCode>, Violation> {
    match payload {
        [] => Ok(None),
        [_] => Err(Violation::Close),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            let code = CloseCode::new(code).ok_or(Violation::Close)?;
            std::str::from_utf8(reason).map_err(|_| Violation::CloseText)?;
            Ok(Some(code))
        }
    }
}
