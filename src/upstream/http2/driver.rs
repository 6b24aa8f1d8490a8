//! What moves a connection: its task, its pings, and its end.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::places::Places;
use crate::error_report::ErrorReport;
use crate::transport::Transport;

/// Moves the bytes of a connection for as long as that lives. Dropped, it ends the connection.
pub(super) struct Driver {
    http: h2::client::Connection<Heard, Bytes>,
    pings: Option<PingPong>,
    places: Arc<Places>,
    heard: Arc<AtomicBool>,
    /// Beats without a byte of the server.
    silent: u32,
    beat: Pin<Box<Sleep>>,
}

/// A connection's socket, and whether anything has come from it.
#[derive(Debug)]
pub(super) struct Heard {
    socket: Transport,
    heard: Arc<AtomicBool>,
}

/// How often a connection is looked at. One that had no stream from one look to the next is closed: it was idle for as
/// long as this, and for twice as long at most.
const BEAT: Duration = Duration::from_secs(15);

/// A server that has sent nothing for so many beats is asked for a sign of life with a PING.
const PING_AFTER: u32 = 2;

/// One that has sent nothing for so many is dead. Single-threaded servers block now and then.
const DEAD_AFTER: u32 = 6;

impl Driver {
    pub(super) fn new(
        mut http: h2::client::Connection<Heard, Bytes>,
        heard: Arc<AtomicBool>,
        places: Arc<Places>,
    ) -> Self {
        Self {
            pings: http.ping_pong(),
            http,
            places,
            heard,
            silent: 0,
            beat: Box::pin(sleep(BEAT)),
        }
    }

    fn beat(&mut self) -> io::Result<()> {
        self.places.end_if_idle();
        self.silent = match self.heard.swap(false, Ordering::Relaxed) {
            true => 0,
            false => self.silent + 1,
        };
        if self.silent >= DEAD_AFTER {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if self.silent >= PING_AFTER
            && let Some(pings) = &mut self.pings
        {
            // It fails while the last one is not answered.
            let _ = pings.send_ping(Ping::opaque());
        }
        Ok(())
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        while this.beat.as_mut().poll(cx).is_ready() {
            if let Err(error) = this.beat() {
                tracing::debug!(error = %ErrorReport(&error), "a server's HTTP/2 connection is dead");
                return Poll::Ready(());
            }
            this.beat.as_mut().reset(Instant::now() + BEAT);
        }
        if let Some(pings) = &mut this.pings {
            // The answer itself was heard by the socket. An error is the end of the connection.
            let _ = pings.poll_pong(cx);
        }
        match Pin::new(&mut this.http).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(error)) => {
                tracing::debug!(error = %ErrorReport(&error), "a server's HTTP/2 connection broke");
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.places.end();
    }
}

impl Heard {
    pub(super) fn new(socket: Transport) -> (Self, Arc<AtomicBool>) {
        let heard = Arc::<AtomicBool>::default();
        let watched = Self {
            socket,
            heard: Arc::clone(&heard),
        };
        (watched, heard)
    }
}

impl AsyncRead for Heard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let poll = Pin::new(&mut this.socket).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.heard.store(true, Ordering::Relaxed);
        }
        poll
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
