//! A publication as it travels through the engine.
//!
//! ```text
//! version · kind · gate (6) · sequence (8) · left out (1) · { gate (6) · session (8) } · payload
//! ```
//!
//! All numbers are in network order. Another version of wsgate drops what it does not know.

use bytes::Bytes;

use crate::channels::PublicationId;
use crate::types::{Body, NodeId, SessionName};

/// A publication, with what the gates need of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) id: PublicationId,
    pub(crate) body: Body,
    /// The sessions that are left out, at most 255.
    pub(crate) exclude: Vec<SessionName>,
}

const VERSION: u8 = 1;
const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// The bytes of a gate's number.
const NODE: usize = 6;

impl Envelope {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let exclude = &self.exclude[..self.exclude.len().min(u8::MAX.into())];
        let payload = self.body.as_bytes();
        let mut bytes = Vec::with_capacity(17 + 14 * exclude.len() + payload.len());
        bytes.push(VERSION);
        bytes.push(match self.body {
            Body::Text(_) => TEXT,
            Body::Binary(_) => BINARY,
        });
        bytes.extend_from_slice(&self.id.node.number().to_be_bytes()[8 - NODE..]);
        bytes.extend_from_slice(&self.id.sequence.to_be_bytes());
        bytes.push(exclude.len() as u8);
        for session in exclude {
            bytes.extend_from_slice(&session.node().number().to_be_bytes()[8 - NODE..]);
            bytes.extend_from_slice(&session.id().get().to_be_bytes());
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Reads what [`Envelope::encode`] writes, and nothing else.
    pub(crate) fn decode(bytes: Vec<u8>) -> Option<Self> {
        let mut reader = Reader(&bytes);
        if reader.byte()? != VERSION {
            return None;
        }
        let kind = reader.byte()?;
        let id = PublicationId {
            node: reader.node()?,
            sequence: reader.number(8)?,
        };
        let exclude = (0..reader.byte()?).map(|_| {
            let node = reader.node()?;
            Some(SessionName::new(node, reader.number(8)?.into()))
        });
        let exclude = exclude.collect::<Option<_>>()?;
        let at = bytes.len() - reader.0.len();
        let payload = Bytes::from(bytes).slice(at..);
        let body = match kind {
            TEXT => Body::Text(payload.try_into().ok()?),
            BINARY => Body::Binary(payload),
            _ => return None,
        };
        Some(Self { id, body, exclude })
    }
}

/// What is still to be read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// A number of at most eight bytes.
    fn number(&mut self, length: usize) -> Option<u64> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(
            bytes
                .iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        )
    }

    fn node(&mut self) -> Option<NodeId> {
        self.number(NODE).and_then(NodeId::from_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(body: Body, excluded: u64) -> Envelope {
        let node: NodeId = "0123456789ab".parse().unwrap();
        Envelope {
            id: PublicationId {
                node,
                sequence: u64::MAX,
            },
            body,
            exclude: (0..excluded)
                .map(|id| SessionName::new(node, id.into()))
                .collect(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for envelope in [
            envelope("hör zu".into(), 0),
            envelope("".into(), 255),
            envelope(Bytes::from_static(&[0, 255]).into(), 2),
        ] {
            assert_eq!(Envelope::decode(envelope.encode()), Some(envelope));
        }
    }

    #[test]
    fn nothing_else_is_read() {
        let whole = envelope("a".into(), 1).encode();
        for length in 0..whole.len() - 1 {
            assert_eq!(Envelope::decode(whole[..length].to_vec()), None, "{length}");
        }
        for (at, byte) in [(0, 2), (1, 0), (1, 3), (16, 2)] {
            let mut other = whole.clone();
            other[at] = byte;
            assert_eq!(Envelope::decode(other), None, "{at}");
        }
        let mut no_text = envelope("a".into(), 0).encode();
        *no_text.last_mut().unwrap() = 0xFF;
        assert_eq!(Envelope::decode(no_text), None);
    }
}
