//! The stream of a WebSocket, as the session reads and writes it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::streams::ActiveSession;

/// A stream of HTTP/2 in the place of a socket (RFC 8441 §5): its end is END_STREAM, and if it is dropped before, the
/// client gets RST_STREAM (CANCEL), as it would get the reset of a TCP connection.
///
/// What the session does not read, the client may not send: its window is opened by what is taken.
pub(super) struct SessionStream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// What has come and was not read.
    unread: Bytes,
    /// Our half has ended.
    is_shut: bool,
    _active: ActiveSession,
}

/// What is written at once: a frame of DATA of the size that every peer takes. A slow reader is seen to take
/// something that often.
const MOST_WRITTEN: usize = 16 * 1024;

impl SessionStream {
    pub(super) fn new(send: SendStream<Bytes>, receive: RecvStream, active: ActiveSession) -> Self {
        Self {
            send,
            receive,
            unread: Bytes::new(),
            is_shut: false,
            _active: active,
        }
    }

    /// How much may be written; there is something once this is ready.
    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            match self.send.capacity() {
                0 => {}
                capacity => return Poll::Ready(Ok(capacity)),
            }
            match ready!(self.send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
    }
}

impl AsyncRead for SessionStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.unread.is_empty() {
            match ready!(this.receive.poll_data(cx)) {
                Some(Ok(data)) => this.unread = data,
                Some(Err(error)) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, error)));
                }
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = this.unread.len().min(buf.remaining());
        buf.put_slice(&this.unread[..length]);
        this.unread.advance(length);
        let _ = this.receive.flow_control().release_capacity(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for SessionStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let wanted = buf.len().min(MOST_WRITTEN);
        this.send.reserve_capacity(wanted);
        let length = ready!(this.poll_capacity(cx))?.min(wanted);
        let data = Bytes::copy_from_slice(&buf[..length]);
        this.send.send_data(data, false).map_err(io::Error::other)?;
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection sends it by itself.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.is_shut, true) {
            this.send
                .send_data(Bytes::new(), true)
                .map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for SessionStream {
    fn drop(&mut self) {
        if !self.is_shut {
            self.send.send_reset(Reason::CANCEL);
        }
    }
}
