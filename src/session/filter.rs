//! Message filters: the embedder's say on whole messages.

use crate::close::CloseCode;
use crate::types::Side;

/// Looks at every message of a session, in both directions, before it is passed on.
///
/// One filter is made for each session of a route that has one
/// ([`Builder::filter`](crate::Builder::filter)), so it may keep state. It runs on the session's
/// own task between a read and a write: it must not block. A panic ends its session with 1011.
pub trait MessageFilter: Send + 'static {
    /// Says what becomes of one message.
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
    /// Who sent it.
    pub from: Side,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A text message; it has been checked to be UTF-8 (RFC 6455 §8.1).
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It goes on, as it came or with another body, to the side across from its sender. It travels
    /// as one frame.
    Forward(Message),
    /// It is dropped; the session goes on.
    Discard,
    /// The session is closed: the client gets this code and reason (cut at 123 bytes), the
    /// upstream 1001.
    Close(CloseCode, String),
}

impl Message {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.body {
            Body::Text(text) => Some(text),
            Body::Binary(_) => None,
        }
    }
}

impl Body {
    /// The bytes that travel.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}
