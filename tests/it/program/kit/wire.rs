//! A socket that speaks HTTP by hand.

use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::{Head, Response, soon};

/// Either kind of socket.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// One end of a connection, and what was read of it but not used yet.
pub(crate) struct Wire {
    pub(super) stream: Box<dyn Stream>,
    read: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            read: Vec::new(),
        }
    }

    /// A client's connection.
    pub(crate) async fn connect(address: &str) -> Self {
        let stream = soon("a connection", TcpStream::connect(address)).await;
        let stream = stream.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        Self::new(stream)
    }

    pub(crate) async fn connect_unix(path: &Path) -> Self {
        let stream = soon("a connection", UnixStream::connect(path)).await;
        Self::new(stream.expect("a connection"))
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> impl Future<Output = ()> {
        soon("bytes to be taken", async move {
            self.stream.write_all(bytes.as_ref()).await.expect("sent");
        })
    }

    /// Sends for as long as the peer takes it; false once the connection has ended.
    pub(crate) async fn is_taken(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Sends what the peer may not take any more.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _gone = self.stream.write_all(bytes.as_ref()).await;
    }

    /// The next head, of a request or a response.
    #[track_caller]
    pub(crate) fn head(&mut self) -> impl Future<Output = Head> {
        let text = self.until(b"\r\n\r\n");
        async { Head::read(&String::from_utf8(text.await).expect("a head is text")) }
    }

    /// The body behind a head that has one.
    #[track_caller]
    pub(crate) fn body(&mut self, head: &Head) -> impl Future<Output = Vec<u8>> {
        let chunked = head.all("transfer-encoding") == ["chunked"];
        let length = head.all("content-length");
        let length = length.first().map(|length| length.parse::<usize>());
        let at = std::panic::Location::caller();
        async move {
            match length {
                _ if chunked => self.chunks().await,
                Some(length) => self.exactly(length.expect("a length")).await,
                None => panic!("{at}: a body without a frame"),
            }
        }
    }

    /// The next response, with its body.
    #[track_caller]
    pub(crate) fn response(&mut self) -> impl Future<Output = Response> {
        let at = std::panic::Location::caller();
        async move {
            let head = self.head().await;
            let framed =
                !head.all("content-length").is_empty() || !head.all("transfer-encoding").is_empty();
            assert!(framed, "{at}: no body in {head:?}");
            let body = self.body(&head).await;
            Response { head, body }
        }
    }

    /// So many bytes.
    #[track_caller]
    pub(crate) fn exactly(&mut self, length: usize) -> impl Future<Output = Vec<u8>> {
        soon("bytes", async move {
            while self.read.len() < length {
                self.fill().await;
            }
            self.read.drain(..length).collect()
        })
    }

    /// The next chunk of a body; empty is the last, whose trailers are left to read.
    pub(crate) async fn chunk(&mut self) -> Vec<u8> {
        let size = self.until(b"\r\n").await;
        let size = String::from_utf8(size).expect("a size is text");
        let size = usize::from_str_radix(size.trim(), 16).expect("a size");
        let chunk = self.exactly(size).await;
        if size > 0 {
            assert_eq!(self.exactly(2).await, b"\r\n");
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
                let rest = &self.read[looked_at..];
                let found = rest.windows(end.len()).position(|window| window == end);
                if let Some(found) = found {
                    return self.read.drain(..looked_at + found + end.len()).collect();
                }
                looked_at = self.read.len().saturating_sub(end.len());
                self.fill().await;
            }
        })
    }

    /// What comes until the peer closes; a reset is an end as well.
    #[track_caller]
    pub(crate) fn end(&mut self) -> impl Future<Output = Vec<u8>> {
        soon("the end of the connection", async {
            let mut rest = std::mem::take(&mut self.read);
            let _reset = self.stream.read_to_end(&mut rest).await;
            rest
        })
    }

    /// What comes until the peer closes, and a reset is no such end.
    #[track_caller]
    pub(crate) fn orderly_end(&mut self) -> impl Future<Output = Vec<u8>> {
        soon("the end of the connection", async {
            let mut rest = std::mem::take(&mut self.read);
            let ended = self.stream.read_to_end(&mut rest).await;
            ended.expect("no reset");
            rest
        })
    }

    async fn fill(&mut self) {
        let got = self.stream.read_buf(&mut self.read).await;
        let got = got.expect("bytes");
        let so_far = self.read.escape_ascii();
        assert!(got > 0, "the connection ended behind \"{so_far}\"");
    }
}
