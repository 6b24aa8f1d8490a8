//! The socket of a connection to a server, as hyper sees it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::server::http::idle_timeout::IdleTimeout;

/// A socket that shows what comes from the server.
///
/// Hyper gives up a connection at the first write that fails, although the answer may have been received by
/// then: a server that refuses an upload answers and closes without having read it. So a failed write is
/// held back here, and what has come is read first.
pub(super) struct ServerSocket<S> {
    socket: S,
    line: Arc<Line>,
    failed_write: Option<io::Error>,
    silence: IdleTimeout,
}

/// What is known of a connection to a server, and the way to end it.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Something has come since the last request began.
    has_heard: AtomicBool,
    is_cut: AtomicBool,
    waker: AtomicWaker,
}

/// After a failed write, silence of so long is the end. What has come is there already; a connector's stream may
/// not notice that its other half is gone.
const LATE_READ: Duration = Duration::from_secs(5);

impl<S> ServerSocket<S> {
    pub(super) fn new(socket: S) -> (Self, Arc<Line>) {
        let line = Arc::<Line>::default();
        let watched = Self {
            socket,
            line: Arc::clone(&line),
            failed_write: None,
            silence: IdleTimeout::default(),
        };
        (watched, line)
    }

    fn hold_failure(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(Err(error)) = written else {
            return written;
        };
        self.failed_write = Some(error);
        // Hyper has looked for an answer before it wrote.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The end of what the server sends: of the response too, if no write failed.
    fn end(&mut self) -> io::Result<()> {
        match self.failed_write.take() {
            // A reset is reported once: the write had it, and the read would see a plain end.
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Line {
    /// A request begins.
    pub(super) fn begin(&self) {
        self.has_heard.store(false, Ordering::Relaxed);
    }

    /// Whether anything has come since then.
    pub(super) fn has_heard(&self) -> bool {
        self.has_heard.load(Ordering::Relaxed)
    }

    /// Ends the connection, whatever is still to be sent on it.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
        self.waker.wake();
    }

    fn poll_cut(&self, cx: &mut Context<'_>) -> io::Result<()> {
        self.waker.register(cx.waker());
        match self.is_cut.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::ConnectionAborted.into()),
            false => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ServerSocket<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.line.poll_cut(cx)?;
        let before = buf.filled().len();
        match Pin::new(&mut this.socket).poll_read(cx, buf) {
            Poll::Ready(Ok(())) if buf.filled().len() > before => {
                this.line.has_heard.store(true, Ordering::Relaxed);
                this.silence.restart();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(())) => Poll::Ready(this.end()),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending if this.failed_write.is_none() => Poll::Pending,
            Poll::Pending => {
                ready!(this.silence.poll_elapsed(cx, LATE_READ));
                Poll::Ready(this.end())
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ServerSocket<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.line.poll_cut(cx)?;
        if this.failed_write.is_some() {
            return Poll::Pending;
        }
        let written = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.hold_failure(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.line.poll_cut(cx)?;
        if this.failed_write.is_some() {
            return Poll::Pending;
        }
        let written = Pin::new(&mut this.socket).poll_write_vectored(cx, bufs);
        this.hold_failure(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.line.poll_cut(cx)?;
        Pin::new(&mut this.socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    /// A stream that takes nothing; what it gives is in its hands.
    struct Broken<R>(R);

    impl<R: AsyncRead + Unpin> AsyncRead for Broken<R> {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
        }
    }

    impl<R: Unpin> AsyncWrite for Broken<R> {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_came_before_a_failed_write_is_read_and_its_end_is_the_failure() {
        let (mut socket, line) = ServerSocket::new(Broken(&b"answer"[..]));
        line.begin();
        assert!(socket.write(b"body").now_or_never().is_none());
        assert!(!line.has_heard());
        let mut read = [0; 6];
        socket.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"answer");
        assert!(line.has_heard());
        // Nothing more is written, and the end of the stream is not the end of a response.
        assert!(socket.write(b"body").now_or_never().is_none());
        let error = socket.read(&mut read).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_after_a_failed_write_is_the_end_too() {
        let (silent, _server) = tokio::io::duplex(64);
        let (mut socket, _) = ServerSocket::new(Broken(silent));
        assert!(socket.write(b"body").now_or_never().is_none());
        let began = Instant::now();
        let error = socket.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(began.elapsed(), LATE_READ);
    }

    #[tokio::test]
    async fn a_connection_that_is_cut_ends_in_every_direction() {
        let (stream, _server) = tokio::io::duplex(64);
        let (mut socket, line) = ServerSocket::new(stream);
        let cut = async {
            tokio::task::yield_now().await;
            line.cut();
        };
        let mut read = [0];
        let (read, ()) = tokio::join!(socket.read(&mut read), cut);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert!(socket.write(b"x").await.is_err());
        assert!(socket.flush().await.is_err());
    }
}
