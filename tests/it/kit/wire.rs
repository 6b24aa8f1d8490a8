//! One end of a connection to the gate, byte by byte.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::{TcpSocket, TcpStream, ToSocketAddrs};

use super::frames::bits;
use super::http::Response;
use super::{Frame, Head, soon};

/// A connection to the gate, with this test as the client or the upstream.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    /// What was read and not yet asked for.
    read: Vec<u8>,
    is_client: bool,
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Wire {
    /// Connects as a client.
    pub(crate) async fn connect(address: impl ToSocketAddrs) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        Self::client(stream)
    }

    /// Connects as a client for whom the kernel keeps little.
    pub(crate) async fn connect_small(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(16 * 1024).expect("an option");
        socket.set_send_buffer_size(16 * 1024).expect("an option");
        Self::client(socket.connect(address).await.expect("a connection"))
    }

    pub(crate) fn client(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an option");
        Self::of_client(stream)
    }

    pub(crate) async fn connect_unix(path: &Path) -> Self {
        let stream = soon("a connection", UnixStream::connect(path)).await;
        Self::of_client(stream.expect("a connection"))
    }

    /// A client's connection on any stream.
    pub(crate) fn of_client(stream: impl Stream + 'static) -> Self {
        Self::new(Box::new(stream), true)
    }

    /// An upstream's connection.
    pub(crate) fn of_upstream(stream: impl Stream + 'static) -> Self {
        Self::new(Box::new(stream), false)
    }

    fn new(stream: Box<dyn Stream>, is_client: bool) -> Self {
        let read = Vec::new();
        Self {
            stream,
            read,
            is_client,
        }
    }

    /// What it stands on, before anything was read.
    pub(super) fn into_stream(self) -> Box<dyn Stream> {
        assert!(self.read.is_empty(), "{self:?}");
        self.stream
    }

    /// Takes reading and writing apart, for a peer that does both at once.
    pub(crate) fn split(self) -> (Self, Self) {
        let (reader, writer) = tokio::io::split(self.stream);
        let reader = tokio::io::join(reader, tokio::io::sink());
        let writer = tokio::io::join(tokio::io::empty(), writer);
        let reader = Self {
            stream: Box::new(reader),
            ..self
        };
        (reader, Self::new(Box::new(writer), self.is_client))
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> impl Future<Output = ()> {
        soon("bytes to be taken", async move {
            self.stream.write_all(bytes.as_ref()).await.expect("a peer");
        })
    }

    /// Sends as much as the other side takes; false once it has hung up.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Sends a frame, as this side sends it.
    #[track_caller]
    pub(crate) fn send_frame(&mut self, frame: &Frame) -> impl Future<Output = ()> {
        let bytes = self.encode(frame);
        self.send(bytes)
    }

    /// Sends frames in one write, as this side sends them.
    #[track_caller]
    pub(crate) fn send_frames(&mut self, frames: &[Frame]) -> impl Future<Output = ()> {
        let bytes = frames.iter().map(|frame| self.encode(frame));
        let bytes = bytes.collect::<Vec<_>>().concat();
        self.send(bytes)
    }

    /// The frame as this side sends it.
    pub(crate) fn encode(&self, frame: &Frame) -> Vec<u8> {
        match self.is_client {
            true => frame.masked(),
            false => frame.plain(),
        }
    }

    /// Ends this half, if there is still somebody to tell.
    pub(crate) async fn shut(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// A head that was read by somebody else.
    pub(crate) fn read_head(head: &[u8]) -> Head {
        Head::read(std::str::from_utf8(head).expect("text"))
    }

    /// The next head, of a request or a response.
    #[track_caller]
    pub(crate) fn head(&mut self) -> impl Future<Output = Head> {
        let head = self.until(b"\r\n\r\n");
        async { Head::read(&String::from_utf8(head.await).expect("a head is text")) }
    }

    /// The next response, with its body, whose length it says.
    #[track_caller]
    pub(crate) fn response(&mut self) -> impl Future<Output = Response> {
        let at = std::panic::Location::caller();
        async move {
            let head = self.head().await;
            let is_framed = ["content-length", "transfer-encoding"]
                .iter()
                .any(|name| !head.all(name).is_empty());
            assert!(is_framed, "{at}: no body in {head:?}");
            let body = self.body(&head).await;
            Response { head, body }
        }
    }

    /// The body behind a head that has one.
    #[track_caller]
    pub(crate) fn body(&mut self, head: &Head) -> impl Future<Output = Vec<u8>> {
        let is_chunked = head.all("transfer-encoding") == ["chunked"];
        let length = head.all("content-length");
        let length = length.first().map(|length| length.parse::<usize>());
        let at = std::panic::Location::caller();
        async move {
            match length {
                _ if is_chunked => self.chunks().await,
                Some(length) => self.take(length.expect("a length")).await,
                None => panic!("{at}: a body without a frame"),
            }
        }
    }

    /// The next chunk of a body; empty is the last, whose trailers are left to read.
    pub(crate) async fn chunk(&mut self) -> Vec<u8> {
        let size = self.until(b"\r\n").await;
        let size = String::from_utf8(size).expect("a size is text");
        let size = usize::from_str_radix(size.trim(), 16).expect("a size");
        let chunk = self.take(size).await;
        if size > 0 {
            assert_eq!(self.take(2).await, b"\r\n");
        }
        chunk
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk().await;
            if chunk.is_empty() {
                while self.until(b"\r\n").await != b"\r\n" {}
                return body;
            }
            body.extend(chunk);
        }
    }

    /// Everything up to and with this.
    #[track_caller]
    pub(crate) fn until<'a>(
        &'a mut self,
        end: &'static [u8],
    ) -> impl Future<Output = Vec<u8>> + 'a {
        soon("the end of a line", async move {
            let mut looked_at = 0;
            loop {
                if let Some(found) = find(&self.read[looked_at..], end) {
                    return self.read.drain(..looked_at + found + end.len()).collect();
                }
                looked_at = self.read.len().saturating_sub(end.len());
                assert!(self.fill().await > 0, "ended in a line: {self:?}");
            }
        })
    }

    /// The next bytes.
    #[track_caller]
    pub(crate) fn take(&mut self, length: usize) -> impl Future<Output = Vec<u8>> {
        soon("bytes", async move {
            while self.read.len() < length {
                assert!(self.fill().await > 0, "ended before {length}: {self:?}");
            }
            self.read.drain(..length).collect()
        })
    }

    /// The next frame. It is masked if it comes from the client, and only then.
    #[track_caller]
    pub(crate) fn frame(&mut self) -> impl Future<Output = Frame> {
        soon("a frame", async move {
            loop {
                if let Some((frame, masked, taken)) = Frame::read(&self.read) {
                    self.read.drain(..taken);
                    assert_eq!(masked, !self.is_client, "{frame:?}");
                    return frame;
                }
                assert!(self.fill().await > 0, "ended before a frame: {self:?}");
            }
        })
    }

    /// Checks the next frame.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: Frame) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        async move {
            let frame = self.frame().await;
            assert!(frame == expected, "{at}: {frame:?} and not {expected:?}");
        }
    }

    /// The next frame, which closes: its code and its reason.
    #[track_caller]
    pub(crate) fn close_frame(&mut self) -> impl Future<Output = (Option<u16>, String)> {
        let at = std::panic::Location::caller();
        async move {
            let frame = self.frame().await;
            assert_eq!(frame.first, bits::FIN | bits::CLOSE, "{at}: {frame:?}");
            match frame.payload.split_first_chunk() {
                None => (None, String::new()),
                Some((code, reason)) => {
                    let reason = String::from_utf8(reason.to_vec()).expect("text");
                    (Some(u16::from_be_bytes(*code)), reason)
                }
            }
        }
    }

    /// Checks the code of the next frame, which closes.
    #[track_caller]
    pub(crate) fn expect_close(&mut self, expected: u16) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        let frame = self.close_frame();
        async move {
            let (code, reason) = frame.await;
            assert_eq!(code, Some(expected), "{at}: {reason}");
        }
    }

    /// Checks that nothing more comes but the orderly end.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        async move {
            let rest = self.rest().await.expect("an orderly end");
            assert!(rest.is_empty(), "{at}: {}", rest.escape_ascii());
        }
    }

    /// What comes until the peer closes; a reset is an end as well.
    #[track_caller]
    pub(crate) fn end(&mut self) -> impl Future<Output = Vec<u8>> {
        soon("the end", async {
            let mut rest = std::mem::take(&mut self.read);
            let _reset = self.stream.read_to_end(&mut rest).await;
            rest
        })
    }

    /// What comes until the peer closes, and a reset is no such end.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> impl Future<Output = io::Result<Vec<u8>>> {
        soon("the end", async move {
            let mut rest = std::mem::take(&mut self.read);
            self.stream.read_to_end(&mut rest).await?;
            Ok(rest)
        })
    }

    /// What is there by now, and was not yet asked for.
    pub(crate) fn there(&mut self) -> &[u8] {
        while self.fill().now_or_never().is_some_and(|length| length > 0) {}
        &self.read
    }

    async fn fill(&mut self) -> usize {
        let read = self.stream.read_buf(&mut self.read).await;
        read.unwrap_or_else(|error| panic!("{error} behind {self:?}"))
    }
}

/// Shows what was read and not asked for.
impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.read[..self.read.len().min(256)];
        write!(f, "{:?}", shown.escape_ascii().to_string())
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
