//! What a message carries.

use bytes::Bytes;

use super::utf8_bytes::Utf8Bytes;

/// The content of a message. A clone shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A text message; it has been checked to be UTF-8 (RFC 6455 §8.1).
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
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
