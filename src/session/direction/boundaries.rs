//! Where something else may stand in what is passed on.

use super::super::assembly::Assembly;
use super::{Direction, Mode};

impl Direction {
    /// Whether what is passed on stands at a frame boundary: only there may a frame of our own go.
    pub(in crate::session) fn at_boundary(&self) -> bool {
        !self.walker.in_frame()
            || self.dropping
            || self
                .assembly
                .as_ref()
                .is_some_and(|assembly| assembly.is_collecting())
            || matches!(self.mode, Mode::Discard | Mode::Closed)
    }

    /// Whether what is passed on stands between two messages: only there may a message of others go (RFC 6455 §5.4).
    pub(in crate::session) fn between_messages(&self) -> bool {
        let holds_message = |assembly: &Assembly| assembly.is_collecting();
        self.at_boundary()
            && self.relays()
            && (!self.walker.in_message()
                || self.dropping
                || self.assembly.as_deref().is_some_and(holds_message))
    }

    /// Looks for the ends of messages from now on.
    pub(in crate::session) fn find_message_ends(&mut self) {
        self.finds_message_ends = true;
    }

    /// Whether the sender has begun a frame, or a header, and not ended it: it can answer no ping
    /// there.
    pub(in crate::session) fn source_in_frame(&self) -> bool {
        self.walker.in_frame() || !self.held.is_empty()
    }
}
