//! A socket of an interface as hyper sees it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::places::Place;
use crate::server::http::idle_timeout::IdleTimeout;
use crate::server::http::request_lines::RequestLines;

/// A socket whose client is cut off when it takes no byte of an answer for too long.
///
/// Hyper reads no request behind an answer that has not been written, so that a client that
/// sends requests and does not read would stay connected.
///
/// What hyper leaves out of a request target is noted, and whether the client takes nothing: then its
/// place may be another's sooner.
///
/// A client that is in the middle of a body when its connection ends has time to read the answer.
pub(crate) struct Guard<S> {
    socket: S,
    lines: Arc<RequestLines>,
    place: Arc<Place>,
    idle_timeout: IdleTimeout,
    /// Our half has ended.
    is_shut: bool,
    /// So much of a body is thrown away behind the last answer.
    discarded: usize,
}

/// For so long a client may take no byte of its answer.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that sends nothing for so long behind the last answer has read it, or is gone.
const LINGER: Duration = Duration::from_secs(2);

/// The most of a body that is thrown away.
const MOST_DISCARDED: usize = 16 * 1024 * 1024;

/// What is thrown away at once.
const CHUNK: usize = 16 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    pub(crate) fn new(socket: S, lines: Arc<RequestLines>, place: Arc<Place>) -> Self {
        Self {
            socket,
            lines,
            place,
            idle_timeout: IdleTimeout::default(),
            is_shut: false,
            discarded: 0,
        }
    }

    fn poll_taken(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let written = write(Pin::new(&mut self.socket), cx);
        self.place.set_stalled(written.is_pending());
        if written.is_ready() {
            self.idle_timeout.restart();
            return written;
        }
        ready!(self.idle_timeout.poll_elapsed(cx, WRITE_TIMEOUT));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads the rest of a body until the client ends its half, has sent too much, or is silent: unread bytes would reset
    /// the connection, and the reset can reach the client before it has read the answer (RFC 9112 §9.6).
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.lines.is_in_body() && self.discarded < MOST_DISCARDED {
            let mut scratch = [0; CHUNK];
            let mut read = ReadBuf::new(&mut scratch);
            let Poll::Ready(outcome) = Pin::new(&mut self.socket).poll_read(cx, &mut read) else {
                return self.idle_timeout.poll_elapsed(cx, LINGER);
            };
            self.idle_timeout.restart();
            if outcome.is_err() || read.filled().is_empty() {
                break;
            }
            self.discarded += read.filled().len();
            self.lines.read(read.filled());
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut guard.socket).poll_read(cx, buf);
        guard.lines.read(&buf.filled()[before..]);
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .poll_taken(cx, |socket, cx| socket.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .poll_taken(cx, |socket, cx| socket.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        if !guard.is_shut {
            ready!(Pin::new(&mut guard.socket).poll_shutdown(cx))?;
            guard.is_shut = true;
        }
        guard.poll_discard(cx).map(Ok)
    }
}
