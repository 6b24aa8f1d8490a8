//! The body of a client's request, of whichever version of HTTP.

mod http2_body;

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use pin_project_lite::pin_project;

pub(crate) use http2_body::Http2Body;

pin_project! {
    /// The body of a client's request.
    #[project = ClientBodyProjection]
    pub(crate) enum ClientBody {
        Http1 { #[pin] body: Incoming },
        Http2 { #[pin] body: Http2Body },
        // Of an extended CONNECT: its stream is the WebSocket's.
        None,
    }
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientBodyError {
    #[error(transparent)]
    Http1(#[from] hyper::Error),
    #[error(transparent)]
    Http2(#[from] h2::Error),
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = ClientBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientBodyError>>> {
        match self.project() {
            ClientBodyProjection::Http1 { body } => body.poll_frame(cx).map_err(Into::into),
            ClientBodyProjection::Http2 { body } => body.poll_frame(cx).map_err(Into::into),
            ClientBodyProjection::None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1 { body } => body.is_end_stream(),
            Self::Http2 { body } => body.is_end_stream(),
            Self::None => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1 { body } => body.size_hint(),
            Self::Http2 { body } => body.size_hint(),
            Self::None => SizeHint::with_exact(0),
        }
    }
}
