//! Clients of HTTP/2 that do not take what is left for them when all requests are answered.

use bytes::Bytes;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use tokio::net::{TcpSocket, TcpStream};

use super::http2::speaking;
use super::kit::{Http2, Program, Upstream, answer, plain, soon};

/// As many as one connection may have at once.
const REQUESTS: usize = 100;

/// As much as waits on a stream for the socket.
const BODY: usize = 60_000;

/// A connection whose requests are all answered, in responses that the gate could not send yet.
struct Unread {
    connection: Connection<TcpStream>,
    _streams: (SendRequest<Bytes>, Vec<ResponseFuture>),
}

async fn forwarding(upstream: &Upstream, more: &str) -> Program {
    let more = format!("http.mode = \"forward\"\n{more}");
    Program::run(&speaking("[\"h2\"]", upstream.url(), &more)).await
}

impl Unread {
    async fn on(program: &Program, upstream: &Upstream) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let socket = socket.connect(program.address.parse().unwrap());
        let handshake = Builder::new()
            .initial_window_size(1 << 20)
            .initial_connection_window_size(1 << 30)
            .handshake(socket.await.unwrap());
        let (mut send, mut connection) = handshake.await.unwrap();
        let responses = (0..REQUESTS).map(|_| send.send_request(plain("GET", "/ws/"), true));
        let responses = responses.map(|sent| sent.unwrap().0).collect();
        let mut servers = Vec::new();
        tokio::select! {
            ended = &mut connection => panic!("{ended:?}"),
            () = async {
                for _ in 0..REQUESTS {
                    servers.push(upstream.request().await.0);
                }
            } => {}
        }
        // From now on the client reads nothing.
        let body = "x".repeat(BODY);
        for (index, mut server) in servers.into_iter().enumerate() {
            server.send(answer("200 OK", "", &body)).await;
            let line = program.nth_event(index, "request forwarded").await;
            assert_eq!(line["reason"], "forwarded", "{line}");
        }
        Self {
            connection,
            _streams: (send, responses),
        }
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_what_is_left_loses_its_connection() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream, "http.write_timeout = \"200ms\"\n").await;
    let unread = Unread::on(&program, &upstream).await;
    let line = program.event("request rejected").await;
    assert_eq!(line["reason"], "slow_client");
    let ended = soon("the end", unread.connection).await;
    assert!(ended.unwrap_err().is_io());
}

#[tokio::test]
async fn a_connection_is_kept_no_longer_when_its_client_was_slow_at_the_end() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream, "[server]\nkeepalive_timeout = \"100ms\"\n").await;
    let unread = Unread::on(&program, &upstream).await;
    // With a GOAWAY, and no error.
    soon("the end", unread.connection).await.unwrap();
}

#[tokio::test]
async fn a_client_that_pauses_an_upload_behind_its_answer_is_none() {
    let upstream = Upstream::start().await;
    let more = "http.write_timeout = \"100ms\"\n[server]\nkeepalive_timeout = \"300ms\"\n";
    let program = forwarding(&upstream, more).await;
    let mut client = Http2::connect(&program.address).await;
    let (response, mut body) = client.send(plain("POST", "/ws/"), false);
    body.send_data(Bytes::from_static(b"begin"), false).unwrap();
    let (mut server, _) = upstream.request().await;
    assert_eq!(server.chunk().await, b"begin");
    server.send(answer("200 OK", "", "early")).await;
    assert_eq!(soon("a response", response).await.unwrap().status(), 200);
    program.event("request forwarded").await;
    // The clock: a connection without requests is kept longer than the write timeout.
    let mut clock = Http2::connect(&program.address).await;
    let (refused, ..) = clock.fetch(plain("GET", "/nowhere")).await;
    assert_eq!(refused.status(), 404);
    soon("the end", clock.ended).await.unwrap().unwrap();
    body.send_data(Bytes::from_static(b"end"), true).unwrap();
    assert_eq!(server.chunk().await, b"end");
}
