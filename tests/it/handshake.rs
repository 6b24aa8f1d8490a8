//! The client's opening handshake, through the whole stack.

use crate::support::{
    Bench, Echo, Frame, Host, Listener, Logs, Request, Socket, bits, setup, switching, until,
};

/// A gate that serves nothing but `gate.test/ws/…`.
async fn strict(upstream: &Listener) -> Bench {
    let setup = setup([upstream.url()]).host(Host::Service);
    let setup = setup
        .route("path = \"/ws/*\"")
        .route("host = \"gate.test\"");
    setup.start().await
}

fn right() -> Request {
    Request::websocket("/ws/a")
}

/// Sends each request with another, right one behind it in the same write. Each has to be refused
/// for this reason and with this status, its connection has to end, and the upstream has to hear
/// of none of them.
async fn refuses(cases: &[(&str, u16, Vec<Request>)]) {
    let logs = Logs::capture();
    let upstream = Listener::start().await;
    let bench = strict(&upstream).await;
    for (reason, status, requests) in cases {
        assert!(!requests.is_empty(), "{reason}");
        for request in requests {
            let text = request.text();
            let mut wire = bench.connect().await;
            wire.send(format!(
                "{text}{}",
                Request::websocket("/ws/smuggled").text()
            ))
            .await;
            let head = wire.head().await;
            assert_eq!(head.status(), *status, "{text}");
            let closes = head
                .one("connection")
                .split(", ")
                .any(|token| token == "close");
            assert!(closes, "{text}{head:#?}");
            match status {
                405 => head.assert(&[("allow", "GET")]),
                426 => head.assert(&[
                    ("sec-websocket-version", "13"),
                    ("upgrade", "websocket"),
                    ("connection", "Upgrade, close"),
                ]),
                _ => head.assert(&[("upgrade", ""), ("sec-websocket-version", "")]),
            }
            let length = match text.starts_with("HEAD") {
                true => 0,
                false => head.one("content-length").parse().unwrap(),
            };
            let body = wire.take(length).await;
            assert!(text.starts_with("HEAD") || body.ends_with(b"\n"), "{text}");
            wire.expect_end().await;

            let line = logs.of("wsgate::rejection").pop().unwrap();
            assert_eq!(line.field("reason"), *reason, "{text}");
            assert_eq!(line.number("status"), u64::from(*status), "{text}");
        }
    }
    // The very first that the upstream sees is the right one.
    let _client = bench.ask(&Request::websocket("/ws/right")).await;
    let (_, request) = upstream.request().await;
    assert_eq!(request.target(), "/ws/right");
}

#[tokio::test]
async fn a_key_that_is_not_one_is_refused() {
    let key = |value| right().with("Sec-WebSocket-Key", value);
    let twice = right().header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    refuses(&[
        (
            "ws_key_missing",
            400,
            vec![right().without("Sec-WebSocket-Key"), key(""), twice],
        ),
        (
            "ws_key_invalid",
            400,
            vec![
                key("dGhlIHNhbXBsZQ=="),
                key("dGhlIHNhbXBsZSBub25jZSBub25jZQ=="),
                key("dGhlIHNhbXBsZSBub25jZQ"),
                key("dGhl*HNhbXBsZSBub25jZQ=="),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_version_that_is_not_13_is_refused_with_the_one_that_is() {
    let version = |value| right().with("Sec-WebSocket-Version", value);
    let versions = ["7", "8", "12", "14", "13, 8", "013", ""].map(version);
    let mut requests = versions.to_vec();
    requests.push(right().without("Sec-WebSocket-Version"));
    requests.push(right().header("Sec-WebSocket-Version", "13"));
    requests.push(right().header("Sec-WebSocket-Version", "8"));
    refuses(&[("ws_version", 426, requests)]).await;
}

#[tokio::test]
async fn a_method_that_is_not_get_is_refused() {
    let methods = ["POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "get"];
    let requests = methods.map(|method| right().line(&format!("{method} /ws/a HTTP/1.1")));
    refuses(&[("method", 405, requests.to_vec())]).await;
}

#[tokio::test]
async fn a_request_that_announces_a_body_is_refused() {
    let chunked = right().header("Transfer-Encoding", "chunked");
    refuses(&[
        (
            "te_on_upgrade",
            400,
            vec![
                chunked.clone(),
                chunked.header("Content-Length", "4"),
                right()
                    .header("Content-Length", "4")
                    .header("Transfer-Encoding", "chunked"),
                right().header("Transfer-Encoding", "gzip, chunked"),
            ],
        ),
        (
            "bad_framing",
            400,
            vec![right().header("Content-Length", "4")],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_host_that_could_mean_two_things_is_refused() {
    let host = |value| right().with("Host", value);
    let absolute = |target| right().line(&format!("GET {target} HTTP/1.1"));
    let mut hosts = vec![right().without("Host"), right().header("Host", "gate.test")];
    hosts.extend(
        [
            "",
            "gate.test other.test",
            "gate.test,other.test",
            "user@gate.test",
            "gate.test:0",
            "gate.test:99999",
            "gate.test:80:80",
            "gate.test/ws",
        ]
        .map(host),
    );
    refuses(&[
        ("bad_host", 400, hosts),
        (
            "authority_mismatch",
            400,
            vec![
                absolute("http://other.test/ws/a"),
                absolute("http://gate.test:81/ws/a"),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_path_that_could_mean_two_things_is_refused() {
    let paths = [
        "/ws/../admin",
        "/ws/./a",
        "/ws/%2e%2e/admin",
        "/ws/.%2E/admin",
        "/ws/..;/admin",
        "/ws%2fadmin",
        "/ws/a%5c..%5cadmin",
        "/ws/%00",
    ];
    let requests = paths.map(Request::websocket);
    refuses(&[("bad_path", 400, requests.to_vec())]).await;
}

#[tokio::test]
async fn connection_cannot_name_what_the_gate_owns_and_no_header_imitates_it() {
    let names = [
        "X-Forwarded-For",
        "ORIGIN",
        "authorization",
        "Cookie",
        "Host",
        "Sec-WebSocket-Key",
        "forwarded",
    ];
    let nominated = names.map(|name| right().with("Connection", &format!("Upgrade, {name}")));
    let aliases = ["X_Forwarded_For", "x.real.ip", "sec_websocket_key"];
    let aliases = aliases.map(|name| right().header(name, "192.0.2.1"));
    refuses(&[
        ("connection_nominates", 400, nominated.to_vec()),
        ("header_alias", 400, aliases.to_vec()),
    ])
    .await;
}

#[tokio::test]
async fn a_malformed_list_is_refused() {
    let requests = [
        ("Sec-WebSocket-Protocol", "chat v2"),
        ("Sec-WebSocket-Protocol", "chat, chat"),
        ("Sec-WebSocket-Protocol", ""),
        ("Sec-WebSocket-Extensions", "permessage-deflate; =1"),
        ("Sec-WebSocket-Extensions", "permessage deflate"),
    ];
    let mut requests = requests
        .map(|(name, value)| right().header(name, value))
        .to_vec();
    requests.push(right().with("Connection", "Upgrade, \"x\""));
    refuses(&[("bad_header", 400, requests)]).await;
}

#[tokio::test]
async fn what_is_no_upgrade_to_a_websocket_is_refused() {
    refuses(&[
        (
            "not_upgrade",
            426,
            vec![
                Request::plain("/ws/a"),
                right().without("Connection"),
                right().with("Connection", "keep-alive"),
                right().with("Connection", "upgraded"),
                right().with("Upgrade", "h2c"),
                right().with("Upgrade", "websocket2"),
            ],
        ),
        (
            "not_upgradable",
            426,
            vec![right().line("GET /ws/a HTTP/1.0")],
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_nobody_serves_is_refused() {
    refuses(&[
        (
            "no_route",
            404,
            vec![
                Request::websocket("/ws"),
                Request::websocket("/other"),
                Request::websocket("/WS/a"),
                Request::plain("/other"),
            ],
        ),
        (
            "host_not_ours",
            421,
            vec![
                right().with("Host", "other.test"),
                right().with("Host", "gate.test.other.test"),
                Request::plain("/ws/a").with("Host", "other.test"),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let upstream = Listener::start().await;
    let bench = strict(&upstream).await;
    let rest = right().text();
    let (line, headers) = rest.split_once("\r\n").unwrap();
    for wrong in [
        "X-Folded: a\r\n b",
        "X-Space : a",
        "X-Nul: a\0b",
        "X-Return: a\rb",
        "X Name: a",
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: +4",
        "Content-Length: -1",
        "Content-Length: 0x0",
        "Content-Length: 99999999999999999999999",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
    ] {
        let mut wire = bench.connect().await;
        wire.send(format!("{line}\r\n{wrong}\r\n{headers}{rest}"))
            .await;
        assert_eq!(wire.head().await.status(), 400, "{wrong:?}");
        wire.gone().await;
    }
    let _client = bench.ask(&Request::websocket("/ws/right")).await;
    let (_, request) = upstream.request().await;
    assert_eq!(request.target(), "/ws/right");
}

#[tokio::test]
async fn a_connection_header_that_says_upgrade_is_taken_however_it_says_it() {
    let upstream = Listener::start().await;
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
    let upstream = Listener::start().await;
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
        let mut socket = Socket::open(bench.address, "/", &offer).await.unwrap();
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
        let socket = Socket::open(bench.address, "/", &offer).await.unwrap();
        assert_eq!(socket.response.headers()["x-server"], server);
    }
    let socket = bench.open().await;
    assert_eq!(socket.response.headers()["x-server"], "one");
}

const DEFLATE: &str = "permessage-deflate; server_no_context_takeover; client_max_window_bits";

#[tokio::test]
async fn compression_passes_through() {
    let upstream = Listener::start().await;
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
    let upstream = Listener::start().await;
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
    let upstream = Listener::start().await;
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
    let (other, _) = bench.ask(&Request::plain("/")).await.response().await;
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
async fn early_client_frames_are_dropped_with_a_refused_handshake() {
    let upstream = Listener::start().await;
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
    let (head, _) = client.response().await;
    assert_eq!(head.status(), 403);
    client.expect_end().await;
    server.expect_end().await;
}

#[tokio::test]
async fn early_upstream_frames_are_delivered_behind_the_101() {
    let upstream = Listener::start().await;
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
    let upstream = Listener::start().await;
    let bench = setup([upstream.url()]).start().await;
    let client = bench.ask(&Request::websocket("/")).await;
    let (mut server, _) = upstream.request().await;
    drop(client);
    server.gone().await;
    assert_eq!(bench.handle.sessions().len(), 0);

    // Or with the 101 on its way.
    let client = bench.ask(&Request::websocket("/")).await;
    let (mut server, request) = upstream.request().await;
    server.send(switching(&request, "")).await;
    drop(client);
    server.gone().await;
    until("the session to end", || bench.handle.sessions().is_empty()).await;
}
