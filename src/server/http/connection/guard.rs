//! A client's socket as hyper sees it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::early_bytes::EarlySocket;
use super::head_deadline::{HeadDeadline, HeadLimits};
use crate::server::http::idle_timeout::IdleTimeout;
use crate::server::http::limiter::{ConnectionState, InterimHead, PeerState};
use crate::server::http::request_lines::RequestLines;
use crate::{Transport, WrappedSocket};

/// A client's socket, watched for as long as it speaks HTTP.
///
/// - A client that reads nothing of a response for too long is cut off.
/// - A client that sends no request for too long is cut off.
/// - Nothing is read behind a request whose response has not been flushed: responses would pile up.
/// - Hyper's own answer to a head that it cannot read is held back: we give that answer.
/// - What hyper leaves out of a request target is noted.
/// - The interim answers of a server are written in front of its response.
pub(super) struct Guard {
    socket: EarlySocket,
    state: Arc<ConnectionState>,
    lines: Arc<RequestLines>,
    write_timeout: IdleTimeout,
    head_deadline: HeadDeadline,
    /// A read was put off because of a response that had not been flushed.
    owes_read: bool,
    /// Hyper has written an answer of its own.
    holds_answer: bool,
    /// What is left of interim answers that are being written.
    interim: Vec<u8>,
    /// Hyper may have something left to write.
    is_writing: bool,
}

impl Guard {
    pub(super) fn new(
        socket: EarlySocket,
        state: Arc<ConnectionState>,
        lines: Arc<RequestLines>,
        limits: HeadLimits,
    ) -> Self {
        Self {
            socket,
            state,
            lines,
            write_timeout: IdleTimeout::default(),
            head_deadline: HeadDeadline::new(limits),
            owes_read: false,
            holds_answer: false,
            interim: Vec::new(),
            is_writing: false,
        }
    }

    /// Ready if the request that the connection waits for is late.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let in_head = self.lines.is_in_head();
        self.head_deadline.poll_elapsed(cx, &self.state, in_head)
    }

    /// Runs a write of `length` bytes, unless they are hyper's own answer, and limits how long the client
    /// makes it wait.
    fn poll_timed_write(
        &mut self,
        cx: &mut Context<'_>,
        length: usize,
        write: impl FnOnce(Pin<&mut EarlySocket>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.state.is_idle() {
            self.holds_answer = true;
            return Poll::Ready(Ok(length));
        }
        let written = write(Pin::new(&mut self.socket), cx);
        if let Poll::Ready(result) = &written {
            self.write_timeout.restart();
            if result.is_err() {
                self.state.client().set_peer(PeerState::Gone);
            }
            return written;
        }
        let limit = self.state.client().write_limit();
        ready!(self.write_timeout.poll_elapsed(cx, limit));
        self.state.client().set_peer(PeerState::Slow);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Writes the interim answers that hyper's next bytes are to follow.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.is_writing {
            true => self.state.client().interim().drop_late(),
            false if self.interim.is_empty() => {
                self.interim = written_out(self.state.client().interim().take());
            }
            false => {}
        }
        while !self.interim.is_empty() {
            let text = std::mem::take(&mut self.interim);
            let written =
                self.poll_timed_write(cx, text.len(), |socket, cx| socket.poll_write(cx, &text));
            self.interim = text;
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                length => drop(self.interim.drain(..length)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Runs a write of hyper's.
    fn poll_own_write(
        &mut self,
        cx: &mut Context<'_>,
        length: usize,
        write: impl FnOnce(Pin<&mut EarlySocket>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_interim(cx))?;
        self.is_writing = true;
        self.poll_timed_write(cx, length, write)
    }
}

impl WrappedSocket for Guard {
    fn into_transport(self: Box<Self>) -> Transport {
        self.socket.into_transport()
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        if guard.state.has_unread_response() {
            guard.owes_read = true;
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut guard.socket).poll_read(cx, buf);

        // The rest of a body behind its answer is no wait for a request. It has limits of its own.
        let is_behind_answer = guard.state.is_idle() && guard.lines.is_in_body();
        if read.is_pending() && guard.state.is_idle() && !is_behind_answer {
            ready!(guard.poll_late(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let bytes = &buf.filled()[before..];
        guard.lines.read(bytes);
        if is_behind_answer {
            guard.state.wait_anew();
        }
        let ended = match &read {
            Poll::Ready(Ok(())) => bytes.is_empty(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if ended {
            guard.state.client().set_peer(PeerState::Gone);
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
        let write =
            |socket: Pin<&mut EarlySocket>, cx: &mut Context<'_>| socket.poll_write(cx, buf);
        self.get_mut().poll_own_write(cx, buf.len(), write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum();
        let write = |socket: Pin<&mut EarlySocket>, cx: &mut Context<'_>| {
            socket.poll_write_vectored(cx, bufs)
        };
        self.get_mut().poll_own_write(cx, length, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        // Hyper flushes when it has written all that it has.
        guard.is_writing = false;
        ready!(guard.poll_interim(cx))?;
        ready!(Pin::new(&mut guard.socket).poll_flush(cx))?;
        if guard.state.response_flushed() {
            // Hyper may read no more before the socket wakes it; this is to wake it too.
            let _is_late = guard.poll_late(cx);
        }
        if std::mem::take(&mut guard.owes_read) {
            // Hyper expects the socket to wake it for the read.
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

/// Interim answers as they are written.
fn written_out(heads: Vec<InterimHead>) -> Vec<u8> {
    let mut text = Vec::new();
    for (status, headers) in heads {
        let reason = status.canonical_reason().unwrap_or_default();
        text.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).as_bytes());
        for (name, value) in &headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"\r\n");
    }
    text
}

#[cfg(test)]
mod tests;
