//! A publication as the frame that every session gets.

use bytes::Bytes;

use crate::config::ChannelName;
use crate::frame::{Opcode, write_frame};
use crate::types::{Body, NodeId, Side};

/// A publication on its way to sessions. A clone shares the bytes: a server's frames are not masked (RFC 6455 §5.1), so
/// one encoding serves all.
///
/// The frame is never compressed, which is legal in a session with permessage-deflate as well (RFC 7692 §6).
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// `None` where it is for a session or a subject alone.
    pub(super) channel: Option<ChannelName>,
    frame: Bytes,
}

/// Tells a publication apart from all others, of all gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PublicationId {
    pub(crate) node: NodeId,
    pub(crate) sequence: u64,
}

impl Delivery {
    /// Encodes a body, for the members of a channel or for no channel's.
    pub(crate) fn new(channel: Option<ChannelName>, body: &Body) -> Self {
        let opcode = match body {
            Body::Text(_) => Opcode::Text,
            Body::Binary(_) => Opcode::Binary,
        };
        let mut frame = Vec::new();
        write_frame(Side::Client, opcode, body.as_bytes(), &mut frame);
        Self {
            channel,
            frame: frame.into(),
        }
    }

    /// The whole frame, header included.
    pub(crate) fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// What it counts for in a queue: its bytes, and its place there.
    pub(super) fn size(&self) -> usize {
        self.frame.len() + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_is_one_whole_frame_that_is_not_masked() {
        let text = Delivery::new(None, &Body::from("hi"));
        assert_eq!(&text.frame()[..], b"\x81\x02hi");
        let binary = Delivery::new(None, &Body::from(Bytes::from_static(&[0; 200])));
        assert_eq!(&binary.frame()[..4], [0x82, 126, 0, 200]);
        assert_eq!(binary.frame().len(), 204);
    }
}
