//! A stream behind a box.

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};

/// A stream of a type that only its owner knows.
pub struct CustomStream(Box<dyn ByteStream>);

pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

impl CustomStream {
    pub(super) fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Box::new(stream))
    }

    pub(super) fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    pub(super) fn inner(&mut self) -> &mut dyn ByteStream {
        &mut *self.0
    }
}

impl fmt::Debug for CustomStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomStream")
    }
}
