//! What a socket has not taken yet.

use bytes::Bytes;

/// Bytes that wait for a socket; without memory nearly always.
#[derive(Debug, Default)]
pub(super) enum Outbox {
    #[default]
    Empty,
    /// A copy, and how much of it the socket has taken since.
    Copied { bytes: Vec<u8>, taken: usize },
    /// The rest of a publication, which other sessions may be waiting to write as well.
    Shared(Bytes),
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The bytes that wait.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Copied { bytes, taken } => &bytes[*taken..],
            Self::Shared(bytes) => bytes,
        }
    }

    /// Lets a copy of these bytes wait behind the others.
    pub(super) fn push(&mut self, more: &[u8]) {
        match self {
            Self::Copied { bytes, .. } => bytes.extend_from_slice(more),
            Self::Empty | Self::Shared(_) => {
                let bytes = [self.bytes(), more].concat();
                *self = Self::Copied { bytes, taken: 0 };
            }
        }
    }

    /// Lets these bytes wait behind the others, without a copy if there are none.
    pub(super) fn push_shared(&mut self, more: Bytes) {
        match self {
            Self::Empty => *self = Self::Shared(more),
            Self::Copied { .. } | Self::Shared(_) => self.push(&more),
        }
    }

    /// Lets go of what the socket has taken; true if nothing waits any more.
    pub(super) fn take(&mut self, length: usize) -> bool {
        match self {
            Self::Empty => {}
            Self::Copied { taken, .. } => *taken += length,
            Self::Shared(bytes) => drop(bytes.split_to(length)),
        }
        let is_empty = self.bytes().is_empty();
        if is_empty {
            *self = Self::Empty;
        }
        is_empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_wait_in_their_order_and_are_shared_as_long_as_they_can_be() {
        let shared = Bytes::from_static(b"abcd");
        let mut outbox = Outbox::default();
        outbox.push_shared(shared.clone());
        assert!(!outbox.take(1));
        assert_eq!(outbox.bytes().as_ptr(), shared[1..].as_ptr());
        outbox.push(b"ef");
        outbox.push_shared(Bytes::from_static(b"gh"));
        assert_eq!(outbox.bytes(), b"bcdefgh");
        assert!(!outbox.take(3));
        outbox.push(b"i");
        assert_eq!(outbox.bytes(), b"efghi");
        assert!(outbox.take(5));
        assert!(outbox.is_empty());
        outbox.push(b"j");
        assert!(outbox.take(1) && outbox.is_empty());
    }
}
