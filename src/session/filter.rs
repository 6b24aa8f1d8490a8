//! Message filters: the embedder's say on whole messages.

use crate::close::CloseCode;
use crate::types::{Body, Side};

/// Decides about every message of a session, in both directions, before it is passed on.
///
/// The gate makes one filter for each session of a route that has one
/// ([`Builder::filter`](crate::Builder::filter)), so a filter may keep state. It runs on the
/// session's own task between a read and a write: it must not block. A panic ends its session with
/// 1011.
pub trait MessageFilter: Send + 'static {
    /// Decides about one message.
    fn on_message(&mut self, message: Message) -> Verdict;
}

impl<F: FnMut(Message) -> Verdict + Send + 'static> MessageFilter for F {
    fn on_message(&mut self, message: Message) -> Verdict {
        self(message)
    }
}

/// A whole message, its fragments joined and its mask taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The side that sent it.
    pub from: Side,
    /// Its content.
    pub body: Body,
}

/// What the gate does with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Passes it on, as it came or with another body, to the side across from its sender. It
    /// travels as one frame.
    Forward(Message),
    /// Passes these messages on in the place of it, in their order: each to the side across from its
    /// [`Message::from`]. So a filter answers the sender with a message from the other side, and adds
    /// messages to the one that it passes on. Each travels as one frame.
    Send(Vec<Message>),
    /// Drops it; the session goes on.
    Discard,
    /// Closes the session: the client gets this code and reason (cut at 123 bytes), the upstream
    /// gets 1001.
    Close(CloseCode, String),
}

impl Message {
    /// The text, if it is a text message.
    pub fn text(&self) -> Option<&str> {
        match &self.body {
            Body::Text(text) => Some(text),
            Body::Binary(_) => None,
        }
    }
}
