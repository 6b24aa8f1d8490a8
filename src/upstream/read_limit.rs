//! How much a server may send before its answer is complete.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A socket that gives no more once an allowance of bytes is used up.
///
/// Hyper bounds the size of a head, but skips interim answers (1xx) without counting them. So the
/// bytes are counted below it, which bounds both what they cost and how many there are.
#[derive(Debug)]
pub(super) struct ReadLimit<T> {
    pub(super) socket: T,
    limit: usize,
    left: Arc<AtomicUsize>,
}

/// Takes the bound off, when the answer's head has come. Hyper owns the socket at that point.
#[derive(Debug)]
pub(super) struct ReadLimitHandle(Arc<AtomicUsize>);

/// The server sent more than it may.
#[derive(Debug, thiserror::Error)]
#[error("more than {0} bytes before the end of an answer's head")]
struct ReadLimitExceeded(usize);

impl<T> ReadLimit<T> {
    /// `limit` bytes may come before the end of the answer's head, interim answers and all.
    ///
    /// It is held to before each read, so that one read may overshoot: what stands behind a 101 is
    /// the session's.
    pub(super) fn new(socket: T, limit: usize) -> (Self, ReadLimitHandle) {
        let left = Arc::new(AtomicUsize::new(limit));
        let handle = ReadLimitHandle(left.clone());
        let limited = Self {
            socket,
            limit,
            left,
        };
        (limited, handle)
    }
}

impl ReadLimitHandle {
    pub(super) fn remove(self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ReadLimit<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let left = this.left.load(Ordering::Relaxed);
        if left == 0 {
            let exceeded = ReadLimitExceeded(this.limit);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, exceeded)));
        }
        let filled = buf.filled().len();
        let poll = Pin::new(&mut this.socket).poll_read(cx, buf);
        let read = buf.filled().len() - filled;
        this.left
            .store(left.saturating_sub(read), Ordering::Relaxed);
        poll
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ReadLimit<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
