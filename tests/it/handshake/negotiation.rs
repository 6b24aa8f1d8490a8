//! What both sides agree upon, and what is sent before they have.

use futures_util::future::join4;

use super::{right, strict};
use crate::kit::{Echo, Frame, Host, Request, Socket, Upstream, bits, setup, switching, until};

#[tokio::test]
async fn a_connection_header_that_says_upgrade_is_taken_however_it_says_it() {
    let upstream = Upstream::start().await;
    let bench = strict(&upstream).await;
    let connection = |value| right().with("Connection", value);
    for request in [
        connection("keep-alive, Upgrade"),
        connection("UPGRADE"),
        connection("uPgRaDe,keep-alive"),
        connection("Upgrade,"),
        connection(", ,\tupgrade ,"),
        connection("keep-alive").header("Connection", "Upgrade"),
        right().with("Upgrade", "WebSocket"),
        right().with("Upgrade", "h2c, websocket"),
        right().header("Content-Length", "0"),
        right().line("GET http://gate.test/ws/a HTTP/1.1"),
        right().with("Host", "GATE.test."),
    ] {
        let (mut client, mut server) = bench.session_by(&request, &upstream).await;
        client.send_frames(&[Frame::text("hello")]).await;
        server.expect(Frame::text("hello")).await;
    }
}

#[tokio::test]
async fn the_101_answers_the_clients_own_key_and_the_request_upstream_has_another() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let mut client = bench.ask(&Request::websocket("/")).await;
    let (mut server, request) = upstream.request().await;
    request.assert(&[
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-version", "13"),
    ]);
    assert_ne!(request.one("sec-websocket-key"), "dGhlIHNhbXBsZSBub25jZQ==");
    server
        .send(switching(
            &request,
            "X-Backend: b\r\nKeep-Alive: timeout=5\r\n",
        ))
        .await;
    let head = client.head().await;
    assert_eq!(head.status(), 101);
    head.assert(&[
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        // The answer of RFC 6455 §1.3.
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("sec-websocket-protocol", ""),
        ("sec-websocket-extensions", ""),
        ("content-length", ""),
        ("x-backend", "b"),
        ("keep-alive", ""),
    ]);
}

#[tokio::test]
async fn a_subprotocol_is_negotiated_end_to_end() {
    let echo = Echo::start().await;
    let bench = setup([echo.url()]).start().await;
    for (offered, chosen) in [("chat.v1, chat.v2", "chat.v2"), ("chat.v1", "chat.v1")] {
        let offer = [("sec-websocket-protocol", offered)];
        let mut socket = Socket::try_open(&bench.address.to_string(), "/", &offer)
            .await
            .unwrap();
        assert_eq!(socket.response.headers()["sec-websocket-protocol"], chosen);
        socket.echoes("hello").await;
    }
}

#[tokio::test]
async fn a_subprotocol_picks_the_route() {
    let (one, two) = (Echo::named("one").await, Echo::named("two").await);
    let two_url = two.url();
    let second = format!(
        "[upstream.second]\nservers = [{two_url:?}]\n\
         [[route]]\nname = \"v2\"\npath = \"/*\"\nupstream = \"second\"\n\
         subprotocols = [\"chat.v2\"]\n"
    );
    let bench = setup([one.url()]).top(&second).start().await;
    for (offer, server) in [("chat.v1", "one"), ("chat.v1, chat.v2", "two")] {
        let offer = [("sec-websocket-protocol", offer)];
        let socket = Socket::try_open(&bench.address.to_string(), "/", &offer)
            .await
            .unwrap();
        assert_eq!(socket.response.headers()["x-server"], server);
    }
    let socket = bench.open().await;
    assert_eq!(socket.response.headers()["x-server"], "one");
}

const DEFLATE: &str = "permessage-deflate; server_no_context_takeover; client_max_window_bits";

#[tokio::test]
async fn compression_passes_through() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let offer = format!("x-unknown; a=b, {DEFLATE}, permessage-deflate");
    let request = Request::websocket("/").header("Sec-WebSocket-Extensions", &offer);
    let mut client = bench.ask(&request).await;
    let (mut server, request) = upstream.request().await;
    let offered = format!("{DEFLATE}, permessage-deflate");
    request.assert(&[("sec-websocket-extensions", &offered)]);
    let chosen = "permessage-deflate; server_no_context_takeover; client_max_window_bits=12";
    let line = format!("Sec-WebSocket-Extensions: {chosen}\r\n");
    server.send(switching(&request, &line)).await;
    client
        .head()
        .await
        .assert(&[("sec-websocket-extensions", chosen)]);

    // "Hello" as RFC 7692 §7.2.3.1 compresses it, whole and in two fragments.
    let hello = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    let compressed = [
        Frame::new(bits::FIN | bits::RSV1 | bits::TEXT, hello),
        Frame::new(bits::RSV1 | bits::TEXT, &hello[..3]),
        Frame::new(bits::FIN | bits::CONTINUATION, &hello[3..]),
        Frame::text("plain"),
    ];
    client.send_frames(&compressed).await;
    server.send_frames(&compressed).await;
    for frame in &compressed {
        server.expect(frame.clone()).await;
        client.expect(frame.clone()).await;
    }
}

#[tokio::test]
async fn compression_that_is_off_is_not_offered() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("compression = \"off\"")
        .start()
        .await;
    let request = Request::websocket("/").header("Sec-WebSocket-Extensions", DEFLATE);
    let mut client = bench.ask(&request).await;
    let (mut server, request) = upstream.request().await;
    request.assert(&[("sec-websocket-extensions", "")]);
    server.send(switching(&request, "")).await;
    client
        .head()
        .await
        .assert(&[("sec-websocket-extensions", "")]);
    // So that a compressed message is a breach of the protocol.
    client
        .send_frames(&[Frame::new(bits::FIN | bits::RSV1 | bits::TEXT, "x")])
        .await;
    client.expect_close(1002).await;
}

#[tokio::test]
async fn early_client_frames_wait_for_the_101_and_are_delivered_once() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("path = \"/ws\"")
        .start()
        .await;
    let mut client = bench.connect().await;
    let early = [Frame::text("early"), Frame::ping("too")];
    let frames = early.iter().map(Frame::masked).collect::<Vec<_>>().concat();
    let request = Request::websocket("/ws").text().into_bytes();
    client.send([request, frames].concat()).await;
    let (mut server, request) = upstream.request().await;
    // Whatever the gate does at once, it has done before it answers another connection.
    let other = bench.ask(&Request::plain("/")).await.response().await.head;
    assert_eq!(other.status(), 200);
    assert_eq!(server.there(), b"");
    server.send(switching(&request, "")).await;
    for frame in early {
        server.expect(frame).await;
    }
    client.head().await;
    client.send_frames(&[Frame::text("late")]).await;
    server.expect(Frame::text("late")).await;
}

#[tokio::test]
async fn early_frames_may_be_more_than_anybody_holds() {
    let big = Frame::binary(
        (0..1_u32 << 20)
            .map(|at| (at >> 10) as u8)
            .collect::<Vec<_>>(),
    );
    let upstream = Upstream::start().await;
    for host in [Host::Layer, Host::Buffered] {
        let bench = setup([upstream.url()]).host(host).start().await;
        let client = bench.ask(&Request::websocket("/")).await;
        let (server, request) = upstream.request().await;
        let answer = switching(&request, "").into_bytes();
        let (mut client, mut client_out) = client.split();
        let (mut server, mut server_out) = server.split();
        let up = async {
            client_out.send_frame(&big).await;
        };
        let down = async {
            server_out.send([answer, big.plain()].concat()).await;
        };
        let from_client = async {
            assert!(server.frame().await == big);
        };
        let from_upstream = async {
            assert_eq!(client.head().await.status(), 101);
            assert!(client.frame().await == big);
        };
        join4(up, down, from_client, from_upstream).await;
    }
}

#[tokio::test]
async fn early_client_frames_are_dropped_with_a_refused_handshake() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let mut client = bench.connect().await;
    let request = Request::websocket("/").text().into_bytes();
    client
        .send([request, Frame::text("early").masked()].concat())
        .await;
    let (mut server, _) = upstream.request().await;
    server
        .send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        .await;
    let (head, _) = client.response().await.parts();
    assert_eq!(head.status(), 403);
    client.expect_end().await;
    server.expect_end().await;
}

#[tokio::test]
async fn early_upstream_frames_are_delivered_behind_the_101() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let mut client = bench.ask(&Request::websocket("/")).await;
    let (mut server, request) = upstream.request().await;
    let early = [Frame::text("welcome"), Frame::binary(vec![7; 5000])];
    let frames = early.iter().map(Frame::plain).collect::<Vec<_>>().concat();
    server
        .send([switching(&request, "").into_bytes(), frames].concat())
        .await;
    assert_eq!(client.head().await.status(), 101);
    for frame in early {
        client.expect(frame).await;
    }
    client.send_frames(&[Frame::text("thanks")]).await;
    server.expect(Frame::text("thanks")).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_101_leaves_nothing_behind() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let client = bench.ask(&Request::websocket("/")).await;
    let (mut server, _) = upstream.request().await;
    drop(client);
    server.end().await;
    assert_eq!(bench.handle.sessions().len(), 0);

    // Or with the 101 on its way.
    let client = bench.ask(&Request::websocket("/")).await;
    let (mut server, request) = upstream.request().await;
    server.send(switching(&request, "")).await;
    drop(client);
    server.end().await;
    until("the session to end", || bench.handle.sessions().is_empty()).await;
}

#[tokio::test]
async fn a_connection_may_speak_plain_http_before() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let mut client = bench.connect().await;
    let (plain, websocket) = (Request::plain("/"), Request::websocket("/"));
    // All in one write: the host's own answers, and then the session.
    let early = Frame::text("early").masked();
    let text = format!("{0}{0}{1}", plain.text(), websocket.text()).into_bytes();
    client.send([text, early].concat()).await;
    for _ in 0..2 {
        assert_eq!(client.response().await.parts().1, "host");
    }
    let mut server = upstream.session().await;
    assert_eq!(client.head().await.status(), 101);
    server.expect(Frame::text("early")).await;
    server.send_frame(&Frame::text("welcome")).await;
    client.expect(Frame::text("welcome")).await;
}
