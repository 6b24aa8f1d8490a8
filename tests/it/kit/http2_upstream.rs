//! An upstream of HTTP/2 that does what a test says, step by step.

use std::future::poll_fn;

use futures_util::FutureExt;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use hyper::body::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

use super::http2::Http2Stream;
use super::{Wire, soon};

/// A listening socket. Nobody accepts on it but the test itself.
pub(crate) struct Http2Upstream {
    listener: TcpListener,
    url: String,
}

/// A connection of the gate. It ends when this is dropped.
pub(crate) struct Http2Peer {
    requests: Receiver<Http2Request>,
    orders: Sender<Order>,
    tasks: JoinSet<()>,
}

/// A request of the gate, to be answered.
pub(crate) struct Http2Request {
    pub(crate) head: Request<()>,
    body: RecvStream,
    respond: SendResponse<Bytes>,
}

/// What a connection is told to do.
enum Order {
    /// GOAWAY, in the way of RFC 9113 §6.8: first without a bound.
    GoAway,
}

impl Http2Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}", listener.local_addr().expect("an address"));
        Self { listener, url }
    }

    /// As the settings name it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The next connection, as it comes.
    #[track_caller]
    pub(crate) fn stream(&self) -> impl Future<Output = TcpStream> {
        soon("the gate to connect", async {
            let (stream, _) = self.listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("an option");
            stream
        })
    }

    /// The next connection, byte by byte.
    pub(crate) async fn wire(&self) -> Wire {
        Wire::of_upstream(self.stream().await)
    }

    /// The next connection, with WebSockets enabled.
    pub(crate) async fn accept(&self) -> Http2Peer {
        self.accept_with(|builder| builder.enable_connect_protocol())
            .await
    }

    /// The next connection with these settings.
    pub(crate) async fn accept_with(
        &self,
        settings: impl FnOnce(&mut Builder) -> &mut Builder,
    ) -> Http2Peer {
        let mut builder = Builder::new();
        settings(&mut builder);
        let connection = builder.handshake(self.stream().await);
        let connection = soon("a preface", connection).await.expect("a preface");
        let (sender, requests) = channel(1024);
        let (orders, ordered) = channel(4);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(connection, sender, ordered));
        Http2Peer {
            requests,
            orders,
            tasks,
        }
    }

    /// Whether nobody has connected by now.
    pub(crate) fn untouched(&self) -> bool {
        self.listener.accept().now_or_never().is_none()
    }
}

async fn serve(
    mut connection: Connection<TcpStream, Bytes>,
    sender: Sender<Http2Request>,
    mut orders: Receiver<Order>,
) {
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                let (parts, body) = request.into_parts();
                let head = Request::from_parts(parts, ());
                let _ = sender.send(Http2Request { head, body, respond }).await;
            }
            Some(Order::GoAway) = orders.recv() => connection.graceful_shutdown(),
        }
    }
}

impl Http2Peer {
    /// The next request.
    #[track_caller]
    pub(crate) fn request(&mut self) -> impl Future<Output = Http2Request> {
        soon("a request", async {
            self.requests.recv().await.expect("a connection")
        })
    }

    /// The next request, accepted.
    #[track_caller]
    pub(crate) fn session(&mut self) -> impl Future<Output = Wire> {
        let request = self.request();
        async { request.await.accept() }
    }

    /// Whether no request has come by now.
    pub(crate) fn untouched(&mut self) -> bool {
        !matches!(self.requests.recv().now_or_never(), Some(Some(_)))
    }

    pub(crate) async fn go_away(&self) {
        assert!(self.orders.send(Order::GoAway).await.is_ok());
    }

    /// Waits until the gate has closed the connection.
    #[track_caller]
    pub(crate) fn ended(mut self) -> impl Future<Output = ()> {
        soon("the end of a connection", async move {
            self.tasks
                .join_next()
                .await
                .expect("a task")
                .expect("no panic");
        })
    }
}

impl Http2Request {
    /// The only header of this name.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.head.headers().get_all(name).iter();
        let value = all.next()?;
        assert!(all.next().is_none(), "{name} twice");
        Some(value.to_str().expect("text"))
    }

    pub(crate) fn accept(self) -> Wire {
        self.accept_with(&[])
    }

    pub(crate) fn accept_with(self, headers: &[(&str, &str)]) -> Wire {
        let (send, receive) = self.answer(200, headers);
        Wire::of_upstream(Http2Stream::new(send, receive))
    }

    /// Answers with this head, and leaves the stream open.
    pub(crate) fn answer(
        mut self,
        status: u16,
        headers: &[(&str, &str)],
    ) -> (SendStream<Bytes>, RecvStream) {
        let response = response(status, headers);
        let sent = self.respond.send_response(response, false);
        (sent.expect("a stream"), self.body)
    }

    /// Answers with this head and body.
    pub(crate) fn finish(mut self, status: u16, headers: &[(&str, &str)], body: &'static str) {
        let response = response(status, headers);
        let is_empty = body.is_empty();
        let sent = self.respond.send_response(response, is_empty);
        let mut send = sent.expect("a stream");
        if !is_empty {
            let body = Bytes::from_static(body.as_bytes());
            send.send_data(body, true).expect("a stream");
        }
    }

    /// Sends an interim answer.
    pub(crate) fn inform(&mut self, status: u16, headers: &[(&str, &str)]) {
        let sent = self.respond.send_informational(response(status, headers));
        sent.expect("a stream");
    }

    pub(crate) fn reset(mut self, reason: Reason) {
        self.respond.send_reset(reason);
    }

    /// Waits until the gate has reset the stream.
    #[track_caller]
    pub(crate) fn was_reset(mut self) -> impl Future<Output = Reason> {
        soon("a reset", async move {
            let reset = poll_fn(|cx| self.respond.poll_reset(cx)).await;
            reset.expect("a reset")
        })
    }
}

fn response(status: u16, headers: &[(&str, &str)]) -> Response<()> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(()).expect("a response")
}
