//! What a leg's bytes travel on.

mod custom;
#[cfg(feature = "http2")]
mod http2_stream;
mod race;
mod stream_upgrade;

#[cfg(feature = "tls")]
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
#[cfg(feature = "tls")]
use tokio_rustls::TlsStream;

pub use custom::CustomStream;
#[cfg(feature = "http2")]
pub use http2_stream::Http2Stream;
pub(crate) use race::race;
#[cfg(test)]
pub(crate) use race::tests as race_tests;
pub(crate) use stream_upgrade::StreamLost;
pub use stream_upgrade::{StreamSender, StreamUpgrade};

/// The stream of a connection: the bare socket where that is known.
///
/// Hyper hands an upgraded connection out behind a box and two layers. A session reads and writes the
/// socket itself, so the gate takes those off where it knows the stream below them: a
/// [`TcpStream`], a [`UnixStream`], this type, or a `Box<dyn WrappedSocket>`, each in
/// [`TokioIo`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Transport {
    /// A TCP socket.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
    /// A TCP socket behind TLS.
    #[cfg(feature = "tls")]
    Tls(TlsSocket),
    /// Any other stream: of a host that serves on TLS, on HTTP/2 or behind its own wrapper, or of
    /// an embedder's connector.
    Custom(CustomStream),
}

/// A TCP socket behind TLS.
#[cfg(feature = "tls")]
pub struct TlsSocket(Box<TlsStream<TcpStream>>);

/// A client's socket inside the wrapper that its host needs for as long as the connection speaks HTTP,
/// such as one that limits how long the client may take to read a response.
///
/// A host that serves `TokioIo<Box<dyn WrappedSocket>>` with hyper has the wrapper taken off when the
/// connection becomes a session: the session has the bare socket.
pub trait WrappedSocket: AsyncRead + AsyncWrite + Unpin + Send {
    /// The stream without its wrapper.
    fn into_transport(self: Box<Self>) -> Transport;
}

impl Transport {
    /// Takes hyper's layers off, and returns beside the socket what hyper had already read of the
    /// bytes behind the request or response head.
    pub(crate) fn from_upgraded(upgraded: Upgraded) -> (Self, Bytes) {
        let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => return (Self::Tcp(parts.io.into_inner()), parts.read_buf),
            Err(upgraded) => upgraded,
        };
        let upgraded = match upgraded.downcast::<TokioIo<UnixStream>>() {
            Ok(parts) => return (Self::Unix(parts.io.into_inner()), parts.read_buf),
            Err(upgraded) => upgraded,
        };
        let upgraded = match upgraded.downcast::<TokioIo<Box<dyn WrappedSocket>>>() {
            Ok(parts) => return (parts.io.into_inner().into_transport(), parts.read_buf),
            Err(upgraded) => upgraded,
        };
        match upgraded.downcast::<TokioIo<Transport>>() {
            Ok(parts) => (parts.io.into_inner(), parts.read_buf),
            // `Upgraded` itself gives the early bytes first.
            Err(upgraded) => (Self::custom(TokioIo::new(upgraded)), Bytes::new()),
        }
    }

    /// The socket behind this TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::Tls(TlsSocket(Box::new(stream)))
    }

    /// The TCP socket below it, where that is known.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Self::Tls(TlsSocket(stream)) => Some(stream.get_ref().0),
            Self::Unix(_) | Self::Custom(_) => None,
        }
    }

    /// Any stream, behind a box.
    pub(crate) fn custom(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::Custom(CustomStream::new(stream))
    }
}

/// Calls of their own, because what rustls has on the stack would be on that of a bare socket's calls too.
#[cfg(feature = "tls")]
impl TlsSocket {
    #[inline(never)]
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }

    #[inline(never)]
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    #[inline(never)]
    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    #[inline(never)]
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    #[inline(never)]
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(socket) => socket.poll_read(cx, buf),
            Self::Custom(stream) => Pin::new(stream.inner()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(socket) => socket.poll_write(cx, buf),
            Self::Custom(stream) => Pin::new(stream.inner()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            #[cfg(feature = "tls")]
            Self::Tls(socket) => socket.poll_write_vectored(cx, bufs),
            Self::Custom(stream) => Pin::new(stream.inner()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Self::Tls(TlsSocket(stream)) => stream.is_write_vectored(),
            Self::Custom(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "tls")]
            Self::Tls(socket) => socket.poll_flush(cx),
            Self::Custom(stream) => Pin::new(stream.inner()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Self::Tls(socket) => socket.poll_shutdown(cx),
            Self::Custom(stream) => Pin::new(stream.inner()).poll_shutdown(cx),
        }
    }
}

/// Keys and what was agreed stay out.
#[cfg(feature = "tls")]
impl fmt::Debug for TlsSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsSocket")
    }
}
