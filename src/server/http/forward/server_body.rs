//! The body of a server's response, in either version of HTTP.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::{Http2Body, Http2Error};

/// The body of a server's response.
#[derive(Debug)]
pub(crate) enum ServerBody {
    Http1(Incoming),
    Http2(Http2Body),
}

/// Why there is not all of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerBodyError {
    #[error(transparent)]
    Http1(#[from] hyper::Error),
    #[error(transparent)]
    Http2(#[from] Http2Error),
}

impl Body for ServerBody {
    type Data = Bytes;
    type Error = ServerBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ServerBodyError>>> {
        match self.get_mut() {
            Self::Http1(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Http2(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}

impl ServerBodyError {
    /// Whether the body is not what its framing says, rather than that it broke off. Hyper says so in these
    /// two ways.
    pub(super) fn is_malformed(&self) -> bool {
        match self {
            Self::Http1(error) => {
                let cause = error.source().and_then(|cause| cause.downcast_ref());
                cause.is_some_and(|cause: &io::Error| {
                    let kinds = [io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput];
                    kinds.contains(&cause.kind())
                })
            }
            Self::Http2(error) => error.is_malformed(),
        }
    }
}
