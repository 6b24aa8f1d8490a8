//! WebSockets on HTTP/2 (RFC 8441), with a client on the crate h2.

use h2::Reason;
use http::{HeaderValue, Request};
use rustix::process::Signal;

use super::kit::{
    Frame, Http2, Program, Socket, Upstream, Wire, extended_connect, plain, settings, switching,
};

/// Settings whose listener speaks these versions of HTTP.
pub(super) fn speaking(versions: &str, server: &str, more: &str) -> String {
    let text = settings(server, more);
    text.replacen("\n[log]", &format!("\nhttp = {versions}\n[log]"), 1)
}

pub(super) const BOTH: &str = "[\"h1\", \"h2\"]";

fn with(mut request: Request<()>, headers: &[(&'static str, &'static str)]) -> Request<()> {
    for (name, value) in headers {
        let value = HeaderValue::from_static(value);
        request.headers_mut().append(*name, value);
    }
    request
}

#[tokio::test]
async fn a_websocket_of_http_2_is_one_of_http_1_1_to_its_server() {
    let upstream = Upstream::start().await;
    let program = Program::run(&speaking(BOTH, upstream.url(), "")).await;
    let mut client = Http2::connect(&program.address).await;
    let request = with(
        extended_connect("/ws/a?b=c"),
        &[
            ("sec-websocket-protocol", "x, chat"),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("origin", "http://gate.test"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("te", "trailers"),
            ("x-mine", "kept"),
        ],
    );
    let (opened, (mut server, head)) = tokio::join!(client.ask(request), async {
        let (mut server, head) = upstream.request().await;
        let lines = "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\
                     Set-Cookie: c=3\r\nKeep-Alive: timeout=5\r\n";
        server.send(switching(&head, lines)).await;
        (server, head)
    });
    assert_eq!(head.line, "GET /ws/a?b=c HTTP/1.1");
    head.assert(&[
        ("host", "gate.test"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "x, chat"),
        ("origin", "http://gate.test"),
        ("cookie", "a=1; b=2"),
        ("x-mine", "kept"),
        ("x-forwarded-host", "gate.test"),
    ]);
    assert!(head.one("via").starts_with("2 wsgate-"), "{head:?}");
    assert!(head.all("te").is_empty());
    let (answer, stream) = opened;
    assert_eq!(answer.status(), 200);
    let mut names: Vec<_> = answer.headers().keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "date",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "set-cookie",
    ];
    assert_eq!(names, expected);
    assert_eq!(answer.headers()["sec-websocket-protocol"], "chat");

    let mut client = Wire::of_client(stream);
    let long = "x".repeat(200_000);
    for text in ["hello", &long] {
        let frame = Frame::text(text);
        let (sent, _) = tokio::join!(server.frame(), client.send_frame(&frame));
        assert_eq!(sent, frame);
        let (sent, _) = tokio::join!(client.frame(), server.send_frame(&frame));
        assert_eq!(sent, frame);
    }
    client.send_frame(&Frame::close(4000, "bye")).await;
    server.expect_close(4000).await;
    server.send_frame(&Frame::close(4000, "bye")).await;
    client.expect_close(4000).await;
    client.expect_end().await;
    let line = program.event("session closed").await;
    assert_eq!(
        (&line["closed_by"], &line["code"]),
        (&"client".into(), &4000.into())
    );
}

#[tokio::test]
async fn the_first_bytes_decide_where_both_versions_are_spoken() {
    let upstream = Upstream::start().await;
    let program = Program::run(&speaking(BOTH, upstream.url(), "")).await;
    let (first, _server) = tokio::join!(Socket::open(&program.address, "/ws/"), upstream.session());
    let mut client = Http2::connect(&program.address).await;
    let (second, _server) = tokio::join!(client.open(extended_connect("/ws/")), upstream.session());
    // One that begins like both.
    let mut slow = Wire::connect(&program.address).await;
    slow.send("P").await;
    slow.send("OST /ws/ HTTP/1.1\r\nHost: gate.test\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(slow.response().await.status(), 426);
    drop((first, second));
}

#[tokio::test]
async fn a_listener_speaks_no_version_but_its_own() {
    let upstream = Upstream::start().await;
    let both = speaking("[\"h2\"]", upstream.url(), "");
    let program = Program::run(&both).await;
    let mut client = Http2::connect(&program.address).await;
    let (_socket, _server) =
        tokio::join!(client.open(extended_connect("/ws/")), upstream.session());
    let mut old = Wire::connect(&program.address).await;
    old.send("GET /ws/ HTTP/1.1\r\nHost: gate.test\r\n\r\n")
        .await;
    let _settings = old.end().await;
    let default = Program::run(&settings(upstream.url(), "")).await;
    let mut new = Wire::connect(&default.address).await;
    new.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(new.response().await.status(), 400);
}

#[tokio::test]
async fn a_refusal_ends_its_stream_and_no_other() {
    let upstream = Upstream::start().await;
    let program = Program::run(&speaking(BOTH, upstream.url(), "")).await;
    let mut client = Http2::connect(&program.address).await;
    let (mut socket, mut server) =
        tokio::join!(client.open(extended_connect("/ws/")), upstream.session());
    let old = || {
        let mut request = extended_connect("/ws/");
        request
            .headers_mut()
            .insert("sec-websocket-version", HeaderValue::from_static("8"));
        request
    };
    for (request, status) in [
        (extended_connect("/nowhere"), 404),
        (
            with(extended_connect("/ws/"), &[("origin", "http://evil.test")]),
            403,
        ),
        (old(), 426),
        (
            with(
                extended_connect("/ws/"),
                &[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")],
            ),
            400,
        ),
        (
            with(extended_connect("/ws/"), &[("host", "other.test")]),
            400,
        ),
        (
            with(extended_connect("/ws/"), &[("content-length", "5")]),
            400,
        ),
        (plain("GET", "/ws/"), 426),
    ] {
        let (head, stream) = client.ask(request).await;
        assert_eq!(head.status(), status);
        for name in ["connection", "upgrade"] {
            assert!(!head.headers().contains_key(name), "{head:?}");
        }
        if status == 426 {
            assert_eq!(head.headers()["sec-websocket-version"], "13");
        }
        assert_eq!(stream.end().await, Ok(()), "{status}");
    }
    server.send_frame(&Frame::text("still here")).await;
    socket.expect(Frame::text("still here")).await;
}

#[tokio::test]
async fn a_refusal_of_the_server_goes_on() {
    let upstream = Upstream::start().await;
    let program = Program::run(&speaking(BOTH, upstream.url(), "")).await;
    let mut client = Http2::connect(&program.address).await;
    let asked = client.ask(extended_connect("/ws/"));
    let (asked, _server) = tokio::join!(asked, async {
        let (mut server, _) = upstream.request().await;
        let answer = "HTTP/1.1 403 Forbidden\r\nX-Why: you\r\nContent-Length: 4\r\n\r\nnope";
        server.send(answer).await;
        server
    });
    let (head, _) = asked;
    assert_eq!(head.status(), 403);
    assert_eq!(head.headers()["x-why"], "you");
    assert!(!head.headers().contains_key("connection"));
}

#[tokio::test]
async fn a_stream_ends_as_its_session_does() {
    let upstream = Upstream::start().await;
    let more = "timeouts.close = \"100ms\"\n";
    let program = Program::run(&speaking(BOTH, upstream.url(), more)).await;
    let mut client = Http2::connect(&program.address).await;
    // The server is lost in the middle of a frame: nothing may follow but the end.
    let (asked, mut server) =
        tokio::join!(client.ask(extended_connect("/ws/")), upstream.session());
    server.send([0x82, 100, 1, 2, 3]).await;
    drop(server);
    assert_eq!(asked.1.end().await, Ok(()));
    // The client resets its stream.
    let (asked, mut server) =
        tokio::join!(client.ask(extended_connect("/ws/")), upstream.session());
    let (_, mut stream) = asked;
    stream.reset(Reason::CANCEL);
    server.expect_close(1001).await;
    // It ends its half without a close frame.
    let (mut socket, mut server) =
        tokio::join!(client.open(extended_connect("/ws/")), upstream.session());
    socket.shut().await;
    server.expect_close(1001).await;
}

#[tokio::test]
async fn a_session_that_is_cut_by_a_drain_resets_its_stream() {
    let upstream = Upstream::start().await;
    let drain = "[drain]\nspread = \"0s\"\ndeadline = \"300ms\"\n";
    let program = Program::run(&speaking(BOTH, upstream.url(), drain)).await;
    let mut client = Http2::connect(&program.address).await;
    let (asked, _server) = tokio::join!(client.ask(extended_connect("/ws/")), upstream.session());
    program.signal(Signal::TERM);
    // The close frame has no answer.
    assert_eq!(asked.1.end().await, Err(Reason::CANCEL));
}

#[tokio::test]
async fn a_client_that_resets_before_the_answer_has_left() {
    let upstream = Upstream::start().await;
    let program = Program::run(&speaking(BOTH, upstream.url(), "")).await;
    let mut client = Http2::connect(&program.address).await;
    let (response, mut send) = client.send(extended_connect("/ws/"), false);
    let (mut server, _) = upstream.request().await;
    send.send_reset(Reason::CANCEL);
    drop(response);
    // The handshake with the server is given up.
    server.expect_end().await;
    // The next one on the connection is served.
    let (_socket, _server) =
        tokio::join!(client.open(extended_connect("/ws/")), upstream.session());
}
