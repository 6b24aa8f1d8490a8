//! A client's socket, and how much it has taken.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::server::http::connection::early_bytes::EarlySocket;

/// A socket that notes what becomes of writes.
#[derive(Debug)]
pub(super) struct WatchedSocket {
    socket: EarlySocket,
    writes: Arc<Writes>,
}

/// What has become of the writes to a socket.
#[derive(Debug, Default)]
pub(super) struct Writes {
    written: AtomicU64,
    is_blocked: AtomicBool,
}

impl Writes {
    /// Bytes that the socket has taken.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Whether the socket took nothing when it was last written to.
    pub(super) fn is_blocked(&self) -> bool {
        self.is_blocked.load(Ordering::Relaxed)
    }

    fn note<T>(&self, poll: &Poll<T>) {
        self.is_blocked.store(poll.is_pending(), Ordering::Relaxed);
    }
}

impl WatchedSocket {
    /// The socket, and what it notes.
    pub(super) fn new(socket: EarlySocket) -> (Self, Arc<Writes>) {
        let writes = Arc::<Writes>::default();
        let watched = Self {
            socket,
            writes: Arc::clone(&writes),
        };
        (watched, writes)
    }

    fn count(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.writes.note(&written);
        if let Poll::Ready(Ok(length)) = written {
            let total = &self.writes.written;
            total.fetch_add(length as u64, Ordering::Relaxed);
        }
        written
    }
}

impl AsyncRead for WatchedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for WatchedSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        self.writes.note(&flushed);
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
