//! A client's socket as hyper sees it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::server::http::idle_timeout::Patience;
use crate::server::http::limiter::{Fault, Place, Watch};
use crate::transport::{Transport, WrappedSocket};

/// A client's socket, watched for as long as it speaks HTTP.
///
/// - Who takes no byte of an answer for too long is cut off.
/// - Nothing is read behind a request whose answer has not been taken: answers would pile up.
/// - What hyper answers by itself to a head that it cannot read is held back: that answer is
///   ours to give.
pub(super) struct Guard {
    socket: Transport,
    place: Place,
    patience: Patience,
    /// Something was to be read, and was not, because of an answer that had not been taken.
    owes_read: bool,
    /// Hyper has answered by itself.
    holds_answer: bool,
}

impl Guard {
    pub(super) fn new(socket: Transport, place: Place) -> Self {
        Self {
            socket,
            place,
            patience: Patience::default(),
            owes_read: false,
            holds_answer: false,
        }
    }

    fn watch(&self) -> &Arc<Watch> {
        self.place.watch()
    }

    /// Runs a write of `length` bytes, unless they are hyper's own answer, and minds how long the
    /// client makes it wait.
    fn poll_taken(
        &mut self,
        cx: &mut Context<'_>,
        length: usize,
        write: impl FnOnce(Pin<&mut Transport>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.watch().is_waiting() {
            self.holds_answer = true;
            return Poll::Ready(Ok(length));
        }
        let written = write(Pin::new(&mut self.socket), cx);
        if written.is_ready() {
            self.patience.rest();
            return written;
        }
        let limit = self.watch().write_limit();
        ready!(self.patience.poll_over(cx, limit));
        self.watch().set_fault(Fault::Slow);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl WrappedSocket for Guard {
    fn into_transport(self: Box<Self>) -> Transport {
        self.socket
    }

    fn transport(&mut self) -> &mut Transport {
        &mut self.socket
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        if guard.watch().is_answered() {
            guard.owes_read = true;
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut guard.socket).poll_read(cx, buf);
        let ended = match &read {
            Poll::Ready(Ok(())) => buf.filled().len() == before,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if ended {
            guard.watch().set_fault(Fault::Gone);
        }
        read
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = |socket: Pin<&mut Transport>, cx: &mut Context<'_>| socket.poll_write(cx, buf);
        self.get_mut().poll_taken(cx, buf.len(), write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum();
        let write = |socket: Pin<&mut Transport>, cx: &mut Context<'_>| {
            socket.poll_write_vectored(cx, bufs)
        };
        self.get_mut().poll_taken(cx, length, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        ready!(Pin::new(&mut guard.socket).poll_flush(cx))?;
        guard.watch().flushed();
        if std::mem::take(&mut guard.owes_read) {
            // Hyper believes that the socket will wake it for the read.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        if guard.holds_answer {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut guard.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
