//! Message filters: the embedder's say on whole messages.

use bytes::Bytes;

use super::utf8_bytes::Utf8Bytes;
use crate::close::CloseCode;
use crate::types::Side;

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

/// The content of a message. A clone shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A text message; it has been checked to be UTF-8 (RFC 6455 §8.1).
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
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

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
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
