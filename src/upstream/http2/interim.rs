//! Interim answers (1xx) on a stream.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use h2::RecvStream;
use h2::client::ResponseFuture;
use http::{HeaderMap, Response, StatusCode};

/// Waits for the answer behind any interim ones, of which a server may send any number.
pub(super) struct Awaited {
    response: ResponseFuture,
    /// What the interim answers may take, and what they have taken.
    limit: usize,
    taken: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InterimError {
    #[error(transparent)]
    Http(#[from] h2::Error),
    #[error("a 101, which HTTP/2 does not have")]
    Switching,
    #[error("more than {0} bytes of interim answers")]
    TooMany(usize),
}

/// What RFC 9113 §6.5.2 counts for a header beyond its name and value.
const PER_HEADER: usize = 32;

impl Awaited {
    /// So many bytes may come ahead of the answer.
    pub(super) fn new(response: ResponseFuture, limit: usize) -> Self {
        Self {
            response,
            limit,
            taken: 0,
        }
    }

    /// Resolves with the answer; calls `each` with every interim one before it.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut each: impl FnMut(&Response<()>),
    ) -> Poll<Result<Response<RecvStream>, InterimError>> {
        while let Poll::Ready(Some(interim)) = self.response.poll_informational(cx) {
            let interim = interim?;
            if interim.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Poll::Ready(Err(InterimError::Switching));
            }
            self.taken = self.taken.saturating_add(size(interim.headers()));
            if self.taken > self.limit {
                return Poll::Ready(Err(InterimError::TooMany(self.limit)));
            }
            each(&interim);
        }
        Pin::new(&mut self.response).poll(cx).map_err(Into::into)
    }
}

/// The size of a head, with its `:status`.
fn size(headers: &HeaderMap) -> usize {
    let lines = headers.iter();
    let lines = lines.map(|(name, value)| name.as_str().len() + value.len() + PER_HEADER);
    lines.sum::<usize>() + ":status".len() + 3 + PER_HEADER
}
