//! A WebSocket's stream on a connection of HTTP/2.

use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream of the crate h2 in the place of a socket: END_STREAM is the end of a half (RFC 8441 §5).
///
/// Bytes that are not read are not acknowledged, so that the peer's window closes. Bytes are sent by a flush, in one
/// DATA frame, or by the end of the half, in one frame with it. A stream that is dropped before both halves have ended is
/// reset (CANCEL), as a socket would be.
///
/// A host that serves HTTP/2 by the crate h2 gives one to its [`StreamSender`](crate::StreamSender).
pub struct Http2Stream<H> {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// Received and not read.
    unread: Bytes,
    /// Written and not sent.
    unsent: Vec<u8>,
    /// Our half has ended.
    is_shut: bool,
    _held: H,
}

impl<H> Http2Stream<H> {
    /// Both halves of a stream. `held` is dropped behind them: it may count the stream.
    pub fn new(send: SendStream<Bytes>, receive: RecvStream, held: H) -> Self {
        Self {
            send,
            receive,
            unread: Bytes::new(),
            unsent: Vec::new(),
            is_shut: false,
            _held: held,
        }
    }

    fn send_unsent(&mut self, is_last: bool) -> io::Result<()> {
        if self.unsent.is_empty() && !is_last {
            return Ok(());
        }
        let data = Bytes::from(mem::take(&mut self.unsent));
        self.send.send_data(data, is_last).map_err(io::Error::other)
    }
}

impl<H: Unpin> AsyncRead for Http2Stream<H> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        while buf.remaining() > 0 {
            if this.unread.is_empty() {
                match this.receive.poll_data(cx) {
                    Poll::Ready(Some(Ok(data))) => this.unread = data,
                    // What was read before is passed on first; the next read has the end again.
                    _ if buf.filled().len() > before => break,
                    Poll::Ready(None) => break,
                    Poll::Ready(Some(Err(error))) => {
                        return Poll::Ready(Err(io::Error::other(error)));
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
            let length = this.unread.len().min(buf.remaining());
            buf.put_slice(&this.unread[..length]);
            this.unread.advance(length);
            // It fails where nothing is to be acknowledged any more.
            let _ = this.receive.flow_control().release_capacity(length);
        }
        if this.unread.is_empty() {
            // An empty slice would keep the buffer that it was cut from.
            this.unread = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<H: Unpin> AsyncWrite for Http2Stream<H> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        while this.send.capacity() <= this.unsent.len() {
            // Only for what is there: capacity that is kept for later is missing to the other streams.
            this.send.reserve_capacity(this.unsent.len() + buf.len());
            match this.send.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(io::Error::other(error))),
                Poll::Ready(None) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                Poll::Pending => {
                    this.send_unsent(false)?;
                    return Poll::Pending;
                }
            }
        }
        let length = buf.len().min(this.send.capacity() - this.unsent.len());
        // The connection's task writes it, so that it has to be a copy.
        this.unsent.extend_from_slice(&buf[..length]);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().send_unsent(false))
    }

    /// The end goes in one frame with what was not flushed: some servers forget a stream at a close frame, and take
    /// an end behind it for an error of the whole connection.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_shut {
            return Poll::Ready(Ok(()));
        }
        this.is_shut = true;
        Poll::Ready(this.send_unsent(true))
    }
}

/// What is on its way stays out.
impl<H> fmt::Debug for Http2Stream<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Stream")
            .field("is_shut", &self.is_shut)
            .finish_non_exhaustive()
    }
}
