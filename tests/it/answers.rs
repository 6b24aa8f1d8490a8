//! What the client hears when its upstream answers the handshake with anything but a right 101.

use tokio::net::{TcpListener, TcpStream};

use crate::kit::{Bench, Frame, Head, Logs, Request, Upstream, answer, setup, soon, switching};

/// A client's request that has arrived at the upstream, which answers this and hangs up.
async fn answered(bench: &Bench, upstream: &Upstream, answer: &str) -> (Head, String) {
    let mut client = bench.ask(&offering()).await;
    let (mut server, request) = upstream.request().await;
    let accept = switching(&request, "");
    let accept = accept
        .split("Sec-WebSocket-Accept: ")
        .nth(1)
        .unwrap()
        .trim();
    // The gate may have heard enough before all of it is out.
    server
        .try_send(answer.replace("ACCEPT", accept).as_bytes())
        .await;
    server.shut().await;
    let response = client.response().await.parts();
    client.expect_end().await;
    // The gate hangs up as well: nobody else is ever sent what stands on this connection.
    server.end().await;
    response
}

fn offering() -> Request {
    Request::websocket("/")
        .header("Sec-WebSocket-Protocol", "chat.v1, chat.v2")
        .header(
            "Sec-WebSocket-Extensions",
            "permessage-deflate; client_max_window_bits",
        )
}

/// The lines of a right 101, in the places of which `changes` puts others.
fn wrong_101(changes: &[(&str, &str)]) -> String {
    let right = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n";
    changes
        .iter()
        .fold(right.to_owned(), |text, (line, other)| {
            assert!(text.contains(line), "{line}");
            text.replace(line, other)
        })
}

#[tokio::test]
async fn an_answer_that_is_not_the_right_101_is_a_502() {
    let line = |line: &str| wrong_101(&[("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"))]);
    let accept = |with: &str| wrong_101(&[("Sec-WebSocket-Accept: ACCEPT\r\n", with)]);
    let cases = [
        (
            "bad_101",
            accept("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
        ),
        ("bad_101", accept("")),
        (
            "bad_101",
            accept("Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Accept: ACCEPT\r\n"),
        ),
        ("bad_101", wrong_101(&[("Upgrade: websocket\r\n", "")])),
        (
            "bad_101",
            wrong_101(&[("Upgrade: websocket", "Upgrade: h2c")]),
        ),
        ("bad_101", wrong_101(&[("Connection: Upgrade\r\n", "")])),
        (
            "bad_101",
            wrong_101(&[("Connection: Upgrade", "Connection: keep-alive")]),
        ),
        ("bad_subprotocol", line("Sec-WebSocket-Protocol: chat.v3")),
        ("bad_subprotocol", line("Sec-WebSocket-Protocol: Chat.v1")),
        (
            "bad_subprotocol",
            line("Sec-WebSocket-Protocol: chat.v1, chat.v2"),
        ),
        ("bad_extension", line("Sec-WebSocket-Extensions: x-unknown")),
        (
            "bad_extension",
            line("Sec-WebSocket-Extensions: permessage-deflate; x=1"),
        ),
        (
            "bad_extension",
            line("Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate"),
        ),
        (
            "bad_extension",
            line("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
        ),
        (
            "upstream_not_101",
            answer("200 OK", "Upgrade: websocket\r\n", "hello"),
        ),
        (
            "bad_101",
            wrong_101(&[(
                "Upgrade: websocket",
                "Upgrade: websocket\r\nUpgrade: websocket",
            )]),
        ),
        (
            "bad_subprotocol",
            line("Sec-WebSocket-Protocol: chat.v1\r\nSec-WebSocket-Protocol: chat.v1"),
        ),
        ("upstream_not_101", answer("204 No Content", "", "")),
        ("upstream_not_101", answer("204 No Content", "", "body")),
        ("upstream_not_101", answer("304 Not Modified", "", "body")),
        (
            "upstream_not_101",
            answer("301 Moved", "Location: http://10.0.0.1/\r\n", ""),
        ),
        ("upstream_not_101", answer("304 Not Modified", "", "")),
        (
            "upstream_bad_response",
            wrong_101(&[("HTTP/1.1", "HTTP/1.0")]),
        ),
        (
            "upstream_bad_response",
            "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
        ),
        (
            "upstream_bad_response",
            "HTTP/1.1 101 OK\r\nBad Header: x\r\n\r\n".to_owned(),
        ),
        (
            "upstream_bad_response",
            format!("HTTP/1.1 101 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000)),
        ),
        ("upstream_bad_response", line("X-Folded: a\r\n b")),
        ("upstream_bad_response", line("X-Nul: a\0b")),
        ("upstream_bad_response", line("X-Return: a\rb")),
        ("upstream_bad_response", line("X-Space : a")),
        ("upstream_bad_response", line("\x01: a")),
        (
            "upstream_bad_response",
            wrong_101(&[("HTTP/1.1 101", "HTTP/1.1 1O1")]),
        ),
        (
            "upstream_bad_response",
            wrong_101(&[("HTTP/1.1 101", "HTTP/2.0 101")]),
        ),
        (
            "upstream_bad_response",
            format!("HTTP/1.1 101 OK\r\n{}\r\n", "X: y\r\n".repeat(200)),
        ),
        (
            "upstream_bad_response",
            "HTTP/1.1 100 Continue\r\n\r\n".repeat(10_000),
        ),
        (
            "upstream_bad_response",
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(10_000),
        ),
        ("upstream_reset", String::new()),
        (
            "upstream_reset",
            "HTTP/1.1 101 Switching Protocols\r\nUpg".to_owned(),
        ),
        (
            "upstream_reset",
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".to_owned(),
        ),
    ];
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    for (reason, text) in cases {
        let shown = &text[..text.len().min(300)];
        let (head, body) = answered(&bench, &upstream, &text).await;
        assert_eq!(head.status(), 502, "{shown}");
        head.assert(&[("location", ""), ("upgrade", ""), ("connection", "close")]);
        assert!(body.starts_with("the backend"), "{shown}\n{body}");
        let line = logs.of("wsgate::rejection").pop().unwrap();
        assert_eq!(line.field("reason"), reason, "{shown}");
    }
    assert_eq!(bench.handle.sessions().len(), 0);
}

#[tokio::test]
async fn a_101_is_right_however_it_is_written() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    for changes in [
        &[("Connection: Upgrade", "connection: keep-alive, UPGRADE")][..],
        &[(
            "Connection: Upgrade",
            "Connection: keep-alive\r\nConnection: Upgrade",
        )],
        &[("Upgrade: websocket", "upgrade: WebSocket")],
        &[(
            "HTTP/1.1 101",
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 101",
        )],
        &[("Switching Protocols", "")],
        // A 101 ends with its head, whatever that says of a body (RFC 9112 §6.3).
        &[("\r\n\r\n", "\r\nContent-Length: 7\r\n\r\n")],
        &[("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n")],
    ] {
        let mut client = bench.ask(&offering()).await;
        let (mut server, request) = upstream.request().await;
        let accept = switching(&request, "");
        let accept = accept
            .split("Sec-WebSocket-Accept: ")
            .nth(1)
            .unwrap()
            .trim();
        server
            .send(wrong_101(changes).replace("ACCEPT", accept))
            .await;
        let head = client.head().await;
        assert_eq!(head.status(), 101, "{changes:?}");
        head.assert(&[("sec-websocket-protocol", ""), ("link", "")]);
        head.assert(&[("content-length", ""), ("transfer-encoding", "")]);
        let hello = Frame::text("hello");
        server.send_frame(&hello).await;
        client.expect(hello).await;
    }
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_is_the_same_answer() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let refusal = answer("403 Forbidden", "Set-Cookie: a=1\r\n", "no");
    for (text, status) in [(wrong_101(&[]), 101), (refusal, 403)] {
        let mut client = bench.ask(&offering()).await;
        let (mut server, request) = upstream.request().await;
        let accept = switching(&request, "");
        let accept = accept
            .split("Sec-WebSocket-Accept: ")
            .nth(1)
            .unwrap()
            .trim();
        for byte in text.replace("ACCEPT", accept).bytes() {
            server.send([byte]).await;
            tokio::task::yield_now().await;
        }
        let head = client.head().await;
        assert_eq!(head.status(), status);
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_and_its_server_let_go() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    for framing in ["Transfer-Encoding: chunked\r\n", "Connection: close\r\n"] {
        let mut client = bench.ask(&offering()).await;
        let (mut server, _) = upstream.request().await;
        let head = format!("HTTP/1.1 401 Unauthorized\r\nSet-Cookie: a=1\r\n{framing}\r\n");
        server.send(head).await;
        let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
        let endless = async { while server.try_send(chunk.as_bytes()).await {} };
        let (response, ()) = tokio::join!(client.response(), soon("the gate", endless));
        let (head, body) = response.parts();
        assert_eq!((head.status(), body.len()), (401, 64 * 1024));
        head.assert(&[("set-cookie", "a=1")]);
        client.expect_end().await;
    }
}

#[tokio::test]
async fn compression_that_was_not_offered_is_a_502() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("compression = \"off\"")
        .start()
        .await;
    let line = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let (head, _) = answered(&bench, &upstream, &wrong_101(&[("\r\n\r\n", line)])).await;
    assert_eq!(head.status(), 502);
}

#[tokio::test]
async fn an_upstreams_own_refusal_is_passed_on() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    for (status, code) in [
        ("400 Bad Request", 400),
        ("401 Unauthorized", 401),
        ("403 Forbidden", 403),
        ("404 Not Found", 404),
        ("429 Too Many Requests", 429),
        ("451 Unavailable For Legal Reasons", 451),
        ("500 Internal Server Error", 500),
        ("503 Service Unavailable", 503),
        ("599 Own", 599),
    ] {
        let lines = "WWW-Authenticate: Basic realm=\"a\"\r\nRetry-After: 7\r\n\
                     Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Type: text/html\r\n\
                     Keep-Alive: timeout=5\r\nX-Private: x\r\nConnection: X-Private\r\n\
                     Sec-WebSocket-Accept: x\r\nTransfer-Encoding: chunked\r\n";
        let text = format!("HTTP/1.1 {status}\r\n{lines}\r\n5\r\n<p>no\r\n4\r\n</p>\r\n0\r\n\r\n");
        let (head, body) = answered(&bench, &upstream, &text).await;
        assert_eq!(head.status(), code);
        assert_eq!(body, "<p>no</p>", "{status}");
        head.assert(&[
            ("www-authenticate", "Basic realm=\"a\""),
            ("retry-after", "7"),
            ("set-cookie", "a=1 | b=2"),
            ("content-type", "text/html"),
            ("connection", "close"),
            ("keep-alive", ""),
            ("x-private", ""),
            ("sec-websocket-accept", ""),
            ("transfer-encoding", ""),
        ]);
    }
}

#[tokio::test]
async fn a_refusals_body_is_cut_at_64_kib() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let mut client = bench.ask(&Request::websocket("/")).await;
    let (mut server, _) = upstream.request().await;
    server
        .send(answer("500 Broken", "", &"x".repeat(100_000)))
        .await;
    let (head, body) = client.response().await.parts();
    assert_eq!((head.status(), body.len()), (500, 64 * 1024));
    client.expect_end().await;
}

#[tokio::test]
async fn a_refusal_that_never_ends_is_a_504() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .upstream("handshake_timeout = \"100ms\"")
        .start()
        .await;
    for text in [
        "",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: web",
        "HTTP/1.1 103 Early Hints\r\n\r\n",
        "HTTP/1.1 500 Broken\r\nContent-Length: 100\r\n\r\nhalf",
    ] {
        let mut client = bench.ask(&Request::websocket("/")).await;
        let (mut server, _) = upstream.request().await;
        server.send(text).await;
        let (head, body) = client.response().await.parts();
        assert_eq!(
            (head.status(), &*body),
            (504, "the backend did not answer in time\n")
        );
        client.expect_end().await;
        server.end().await;
    }
}

#[tokio::test]
async fn a_dead_upstream_is_a_502() {
    let dead = Upstream::dead();
    let logs = Logs::capture();
    let bench = setup([dead.url()]).start().await;
    let (head, body) = bench.refused(&Request::websocket("/")).await;
    assert_eq!(
        (head.status(), &*body),
        (502, "the backend cannot be reached\n")
    );
    let line = logs.of("wsgate::rejection").pop().unwrap();
    assert_eq!(line.field("reason"), "upstream_refused");
    assert_eq!(
        (line.field("upstream"), line.field("server")),
        ("back", dead.url())
    );
    assert!(line.field("error").contains("refused"), "{line:?}");
}

#[tokio::test]
async fn an_upstream_that_takes_no_connection_is_a_504() {
    // Nobody accepts here, so that the kernel lets no more wait than the backlog.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener: TcpListener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    let full = std::time::Duration::from_millis(100);
    while let Ok(stream) = tokio::time::timeout(full, TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    let url = format!("ws://{address}");
    let bench = setup([&*url])
        .upstream("connect_timeout = \"100ms\"")
        .start()
        .await;
    let (head, body) = bench.refused(&Request::websocket("/")).await;
    assert_eq!(
        (head.status(), &*body),
        (504, "the backend did not answer in time\n")
    );
}

#[tokio::test]
async fn an_upstream_that_resets_is_a_502() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let bench = setup([&*url]).start().await;
    let mut client = bench.ask(&Request::websocket("/")).await;
    let (stream, _) = soon("the gate to connect", listener.accept())
        .await
        .unwrap();
    stream.readable().await.unwrap();
    // Closed with the request unread, a socket is reset.
    drop(stream);
    let (head, body) = client.response().await.parts();
    assert_eq!((head.status(), &*body), (502, "the backend hung up\n"));
    client.expect_end().await;
}

#[tokio::test]
async fn what_one_clients_upstream_left_unread_reaches_no_other_client() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let mut first = bench.ask(&Request::websocket("/first")).await;
    let (mut server, _) = upstream.request().await;
    let refusal = answer("403 Forbidden", "", "first");
    let stray = answer("403 Forbidden", "", "stray");
    server.send(format!("{refusal}{stray}")).await;
    assert_eq!(first.response().await.parts().1, "first");

    let mut second = bench.ask(&Request::websocket("/second")).await;
    let (mut server, request) = upstream.request().await;
    assert_eq!(request.target(), "/second");
    server.send(answer("403 Forbidden", "", "second")).await;
    assert_eq!(second.response().await.parts().1, "second");
}
