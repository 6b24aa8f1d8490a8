//! A client of HTTP/2 on the crate h2 itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::{Wire, soon};

/// A connection of HTTP/2 by prior knowledge.
pub(crate) struct Http2 {
    send: SendRequest<Bytes>,
    /// Resolves when the connection has ended.
    pub(crate) ended: JoinHandle<Result<(), h2::Error>>,
}

/// A stream as bytes in both directions.
pub(crate) struct Http2Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    unread: Bytes,
}

/// The request of a WebSocket (RFC 8441 §5).
pub(crate) fn extended_connect(path: &str) -> Request<()> {
    Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://gate.test{path}"))
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static("websocket"))
        .body(())
        .expect("a request")
}

/// A plain request.
pub(crate) fn plain(method: &str, path: &str) -> Request<()> {
    Request::builder()
        .method(method)
        .uri(format!("http://gate.test{path}"))
        .body(())
        .expect("a request")
}

impl Http2 {
    pub(crate) async fn connect(address: &str) -> Self {
        Self::connect_with(address, &mut Builder::new()).await
    }

    pub(crate) async fn connect_with(address: &str, builder: &mut Builder) -> Self {
        let socket = TcpStream::connect(address).await.expect("a connection");
        socket.set_nodelay(true).expect("an option");
        Self::on(socket, builder).await
    }

    /// A connection on a stream that is there already.
    pub(crate) async fn on(
        socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        builder: &mut Builder,
    ) -> Self {
        let handshake = soon("the settings of the gate", builder.handshake(socket));
        let (send, connection) = handshake.await.expect("HTTP/2");
        let ended = TaskTracker::new().spawn(connection);
        let send = soon("the gate to take requests", send.ready());
        let send = send.await.expect("an open connection");
        // What a client waits for before it asks for a WebSocket (RFC 8441 §3).
        let knows = async {
            while !send.is_extended_connect_protocol_enabled() {
                tokio::task::yield_now().await;
            }
        };
        soon("extended CONNECT to be allowed", knows).await;
        Self { send, ended }
    }

    /// Sends the head of a request, whose body follows or not.
    #[track_caller]
    pub(crate) fn send(
        &mut self,
        request: Request<()>,
        ends: bool,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        self.send.send_request(request, ends).expect("a stream")
    }

    /// Sends the request, and returns the head of the response and the stream.
    pub(crate) async fn ask(&mut self, request: Request<()>) -> (Response<()>, Http2Stream) {
        let (response, send) = self.send(request, false);
        let response = soon("an answer", response).await.expect("a response");
        let (head, receive) = response.into_parts();
        (
            Response::from_parts(head, ()),
            Http2Stream::new(send, receive),
        )
    }

    /// The status with which the gate refuses this.
    pub(crate) async fn refused(&mut self, request: Request<()>) -> u16 {
        self.ask(request).await.0.status().as_u16()
    }

    /// Opens a WebSocket.
    pub(crate) async fn open(&mut self, request: Request<()>) -> Wire {
        let (head, stream) = self.ask(request).await;
        assert_eq!(head.status(), 200, "{head:?}");
        Wire::of_client(stream)
    }

    /// A request without a body, and its whole response.
    pub(crate) async fn fetch(
        &mut self,
        request: Request<()>,
    ) -> (Response<()>, Vec<u8>, HeaderMap) {
        let (response, _) = self.send(request, true);
        let response = soon("an answer", response).await.expect("a response");
        let (head, mut receive) = response.into_parts();
        let (body, trailers) = soon("the whole answer", whole(&mut receive)).await;
        (Response::from_parts(head, ()), body, trailers)
    }
}

/// The rest of a body, and its trailers.
async fn whole(receive: &mut RecvStream) -> (Vec<u8>, HeaderMap) {
    let mut body = Vec::new();
    while let Some(data) = receive.data().await {
        let data = data.expect("data");
        receive
            .flow_control()
            .release_capacity(data.len())
            .expect("a window");
        body.extend_from_slice(&data);
    }
    let trailers = receive.trailers().await.expect("an end");
    (body, trailers.unwrap_or_default())
}

impl Http2Stream {
    pub(crate) fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        Self {
            send,
            receive,
            unread: Bytes::new(),
        }
    }

    /// How the gate ends the stream: with END_STREAM, or for this reason. What comes before is dropped.
    pub(crate) async fn end(mut self) -> Result<(), Reason> {
        let end = async {
            while let Some(data) = self.receive.data().await {
                data.map_err(|error| error.reason().expect("a reset"))?;
            }
            Ok(())
        };
        soon("the end of the stream", end).await
    }

    pub(crate) fn reset(&mut self, reason: Reason) {
        self.send.send_reset(reason);
    }
}

impl AsyncRead for Http2Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.unread.is_empty() {
            match ready!(this.receive.poll_data(cx)) {
                Some(data) => this.unread = data.map_err(io::Error::other)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = this.unread.len().min(buf.remaining());
        buf.put_slice(&this.unread[..length]);
        this.unread.advance(length);
        let window = this.receive.flow_control();
        window.release_capacity(length).map_err(io::Error::other)?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Http2Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let send = &mut self.get_mut().send;
        send.reserve_capacity(buf.len());
        while send.capacity() == 0 {
            match ready!(send.poll_capacity(cx)) {
                Some(capacity) => drop(capacity.map_err(io::Error::other)?),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let length = send.capacity().min(buf.len());
        let data = Bytes::copy_from_slice(&buf[..length]);
        send.send_data(data, false).map_err(io::Error::other)?;
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = self.get_mut().send.send_data(Bytes::new(), true);
        Poll::Ready(ended.map_err(io::Error::other))
    }
}
