//! What is logged, and what never is.

use std::time::Duration;

use tokio_tungstenite::tungstenite::Message;
use tower::ServiceExt;
use tracing::Level;
use wsgate::{ClientAddr, CloseCode, SessionInfo, Verdict};

use crate::kit::{Echo, Frame, Host, Logs, Request, Socket, Upstream, answer, setup, until};

#[tokio::test]
async fn a_session_is_a_line_when_it_opens_and_one_when_it_closes() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    client
        .send_frames(&[Frame::text("one"), Frame::text("two")])
        .await;
    server.expect(Frame::text("one")).await;
    server.expect(Frame::text("two")).await;
    server
        .send_frames(&[Frame::text("three"), Frame::close(4000, "over")])
        .await;
    client.expect(Frame::text("three")).await;
    client.expect(Frame::close(4000, "over")).await;
    client.send_frames(&[Frame::close(4000, "over")]).await;
    drop((client, server));
    until("the session to end", || bench.handle.sessions().is_empty()).await;

    let lines = logs.of("wsgate::access");
    let [open, closed] = &lines[..] else {
        panic!("{lines:#?}");
    };
    assert_eq!((&*open.message, open.level), ("session open", Level::INFO));
    assert_eq!(
        open.names(),
        [
            "client",
            "http_version",
            "id",
            "peer",
            "reason",
            "route",
            "server",
            "upstream"
        ]
    );
    assert_eq!(open.field("reason"), "accepted");
    assert_eq!(
        (&*closed.message, closed.level),
        ("session closed", Level::INFO)
    );
    let names = [
        "client",
        "client_bytes",
        "client_messages",
        "closed_by",
        "code",
        "duration_ms",
        "http_version",
        "id",
        "peer",
        "reason",
        "route",
        "server",
        "upstream",
        "upstream_bytes",
        "upstream_messages",
    ];
    assert_eq!(closed.names(), names);
    for line in [open, closed] {
        assert!(line.number("id") > 0);
        assert_eq!(line.field("id"), open.field("id"));
        assert_eq!(line.field("client"), "127.0.0.1");
        assert!(line.field("peer").starts_with("127.0.0.1:"), "{line:?}");
        assert_eq!(
            (line.field("route"), line.field("upstream")),
            ("test", "back")
        );
        assert_eq!(line.field("server"), upstream.url());
    }
    let close = Frame::close(4000, "over");
    let up = [Frame::text("one"), Frame::text("two"), close.clone()];
    let up: usize = up.iter().map(|frame| frame.masked().len()).sum();
    let down = Frame::text("three").plain().len() + close.plain().len();
    assert_eq!(
        (
            closed.number("client_messages"),
            closed.number("upstream_messages")
        ),
        (2, 1)
    );
    assert_eq!(closed.number("client_bytes"), up as u64);
    assert_eq!(closed.number("upstream_bytes"), down as u64);
    assert!(closed.number("duration_ms") < 30_000);
    assert_eq!(
        (closed.field("closed_by"), closed.field("reason")),
        ("upstream", "closed")
    );
    assert_eq!(closed.number("code"), 4000);
}

#[tokio::test]
async fn a_refused_handshake_is_one_line_with_its_reason() {
    let logs = Logs::capture();
    let echo = Echo::start().await;
    let trusted = "[client_ip]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let setup = setup([echo.url()])
        .top(trusted)
        .route("address.deny = [\"192.0.2.0/24\"]");
    let bench = setup.start().await;
    let denied = Request::websocket("/").header("X-Forwarded-For", "192.0.2.7");
    bench.refused(&denied).await;
    bench.refused(&denied.without("Sec-WebSocket-Key")).await;
    let lines = logs.of("wsgate::rejection");
    let [denied, malformed] = &lines[..] else {
        panic!("{lines:#?}");
    };
    assert_eq!(denied.level, Level::WARN);
    assert_eq!(
        denied.names(),
        [
            "client",
            "http_version",
            "line",
            "method",
            "path",
            "peer",
            "reason",
            "route",
            "rule",
            "status"
        ]
    );
    assert_eq!(
        (denied.field("reason"), denied.number("status")),
        ("address_denied", 403)
    );
    assert_eq!(
        (denied.field("route"), denied.field("client")),
        ("test", "192.0.2.7")
    );
    assert!(denied.field("peer").starts_with("127.0.0.1:"), "{denied:?}");
    // Nobody has looked for its route.
    let names = [
        "client",
        "header",
        "http_version",
        "method",
        "path",
        "peer",
        "reason",
        "status",
    ];
    assert_eq!(malformed.names(), names);
    assert_eq!(
        (malformed.field("reason"), malformed.number("status")),
        ("ws_key_missing", 400)
    );
    assert!(logs.of("wsgate::access").is_empty());
}

#[tokio::test]
async fn the_line_of_a_refusal_names_the_header_and_the_rule_with_its_line() {
    let echo = Echo::start().await;
    let rules = "host = \"gate.test\"\n\
                 address = { deny = [\"192.0.2.0/24\"], allow = [\"192.0.2.0/24\", \"127.0.0.1\"] }\n\
                 origin.allow = [\"https://a.test\"]\norigin.missing = \"deny\"";
    let setup = setup([echo.url()])
        .top("[client_ip]\ntrusted_proxies = [\"127.0.0.1\"]\nforwarded_host = true\n")
        .route(rules);
    let settings = setup.toml();
    let bench = setup.host(Host::Service).start().await;
    let page = || Request::websocket("/room?token=c4nary").header("Origin", "https://a.test");
    let plain = Request::plain("/room").header("Origin", "https://a.test");
    let slash = page().line("GET /room%2f?token=c4nary HTTP/1.1");
    let from = |client| page().header("X-Forwarded-For", client);
    for (request, expected) in [
        (
            page().without("Sec-WebSocket-Key"),
            ["ws_key_missing", "sec-websocket-key", ""],
        ),
        (
            page().with("Sec-WebSocket-Version", "8"),
            ["ws_version", "sec-websocket-version", ""],
        ),
        (
            page().with("Connection", "keep-alive"),
            ["not_upgrade", "connection", ""],
        ),
        (
            page().with("Connection", "upgrade, a b"),
            ["bad_header", "connection", ""],
        ),
        (
            page().with("Connection", "upgrade, X-Real-IP"),
            ["connection_nominates", "x-real-ip", ""],
        ),
        (
            page().header("X_Real_IP", "::1"),
            ["header_alias", "x_real_ip", ""],
        ),
        (
            page().header("Sec-WebSocket-Protocol", "a, a"),
            ["bad_header", "sec-websocket-protocol", ""],
        ),
        (
            page().header("Sec-WebSocket-Extensions", "a; ="),
            ["bad_header", "sec-websocket-extensions", ""],
        ),
        (
            page().header("X-Forwarded-Host", "a, b"),
            ["bad_header", "x-forwarded-host", ""],
        ),
        (
            page().header("Content-Length", "1"),
            ["bad_framing", "content-length", ""],
        ),
        (page().with("Host", "a b"), ["bad_host", "host", ""]),
        (page().with("Host", "b.test"), ["host_not_ours", "host", ""]),
        (from("192.0.2.7"), ["address_denied", "", "address.deny"]),
        (from("192.0.3.7"), ["address_denied", "", "address.allow"]),
        (
            page().without("Origin"),
            ["origin_missing", "origin", "origin.missing"],
        ),
        (
            page().with("Origin", "null"),
            ["origin_denied", "origin", "origin.null"],
        ),
        (
            page().with("Origin", "https://b.test"),
            ["origin_denied", "origin", "origin.allow"],
        ),
        (page().with("Origin", "b"), ["origin_invalid", "origin", ""]),
        (plain, ["not_upgrade", "", "http"]),
        (slash, ["encoded_slash", "", "encoded_slashes"]),
    ] {
        let logs = Logs::capture();
        bench.refused(&request).await;
        let lines = logs.of("wsgate::rejection");
        let [line] = &lines[..] else {
            panic!("{expected:?}: {lines:#?}");
        };
        let found = ["reason", "header", "rule"].map(|name| line.field(name));
        assert_eq!(found, expected);
        // What is not written is a default, and has no line.
        let is_written = !matches!(found[2], "" | "http" | "encoded_slashes" | "origin.null");
        let number = line.field("line").parse::<usize>().ok();
        assert_eq!(number.is_some(), is_written, "{line:?}");
        if let (Some(number), Some((_, key))) = (number, found[2].split_once('.')) {
            let written = settings.lines().nth(number - 1).unwrap();
            assert!(written.contains(key), "{line:?}: {written}");
        }
        let path = line.field("path");
        assert_eq!(path.trim_end_matches("%2F"), "/room", "{line:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_refusals_is_a_sample_and_a_count_of_the_rest() {
    let logs = Logs::capture();
    let dead = Upstream::dead();
    let bench = setup([dead.url()]).start().await;
    let service = bench.gate.as_ref().unwrap().service();
    let refuse = || async {
        let request = hyper::Request::get("http://gate.test/")
            .header("host", "gate.test")
            .header("upgrade", "websocket")
            .extension(ClientAddr::Unix)
            .body(())
            .unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 426);
    };
    for _ in 0..1000 {
        refuse().await;
    }
    let lines = || logs.of("wsgate::rejection");
    assert_eq!(lines().len(), 100);
    // The next line says how many have none.
    tokio::time::advance(Duration::from_secs(1)).await;
    refuse().await;
    let lines = lines();
    let reasons = lines.iter().map(|line| line.field("reason"));
    let (counts, each): (Vec<_>, Vec<_>) = reasons.partition(|reason| *reason == "log_suppressed");
    assert_eq!((counts.len(), each.len()), (1, 101));
    assert!(each.iter().all(|reason| *reason == "not_upgrade"));
    assert_eq!(lines[100].number("left_out"), 900);
}

/// What only its sender and its receiver are to know.
const CANARY: &str = "canary";

#[tokio::test]
async fn no_secret_is_in_any_line() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let secret = |request: Request| {
        request
            .header("Cookie", "session=canary")
            .header("Authorization", "Bearer canary")
            .header("Proxy-Authorization", "Basic canary")
            .header("Sec-WebSocket-Protocol", "chat, canary")
            .header("Referer", "http://gate.test/?canary")
    };
    let right = secret(Request::websocket("/?token=canary"));
    let route = "headers.set.x-key = \"canary\"\norigin.allow = [\"same-origin\"]";
    let bench = setup([upstream.url()]).route(route).start().await;

    // A session, with everything that peers say and the ways in which it may end.
    for last in [
        Frame::close(1000, "canary"),
        Frame::new(0xF1, "canary"),
        Frame::new(0x80, "canary"),
    ] {
        let (mut client, mut server) = bench.session_by(&right, &upstream).await;
        client
            .send_frames(&[Frame::text("canary"), Frame::ping("canary")])
            .await;
        server.send_frames(&[Frame::text("canary"), last]).await;
        drop((client, server));
    }
    let (mut client, server) = bench.session_by(&right, &upstream).await;
    let id = bench.handle.sessions().last().unwrap().id;
    bench.handle.close(id, CloseCode::POLICY, CANARY);
    client.expect_close(1008).await;
    drop((client, server));

    // Handshakes that are refused, by us and by the upstream.
    for request in [
        right.clone().without("Sec-WebSocket-Key"),
        right.clone().with("Sec-WebSocket-Key", "canary"),
        right
            .clone()
            .with("Connection", "Upgrade, Authorization, canary"),
        right.clone().header("Origin", "http://canary.test"),
        right.clone().line("GET /../x?canary HTTP/1.1"),
        right.clone().with("Host", "canary@gate.test"),
        right
            .clone()
            .with("Sec-WebSocket-Protocol", "canary, canary"),
    ] {
        assert!(bench.ask(&request).await.head().await.status() >= 400);
    }
    for text in [
        answer("401 canary", "WWW-Authenticate: canary\r\n", CANARY),
        answer("200 canary", "Set-Cookie: canary\r\n", CANARY),
        answer("302 canary", "Location: /?canary\r\n", ""),
        "canary canary".to_owned(),
        "HTTP/1.1 101 canary\r\nSec-WebSocket-Accept: canary\r\nbad canary: x\r\n\r\n".to_owned(),
        String::new(),
    ] {
        let mut client = bench.ask(&right).await;
        let (mut server, request) = upstream.request().await;
        assert_eq!(request.one("x-key"), CANARY);
        server.send(text).await;
        server.shut().await;
        assert!(client.head().await.status() >= 300);
    }

    // A filter that says why.
    let close = |_: &SessionInfo| |_| Verdict::Close(CloseCode::POLICY, CANARY.to_owned());
    let echo = Echo::start().await;
    let setup = setup([echo.url()]).route("compression = \"off\"");
    let filtered = setup
        .build(move |builder| builder.filter("test", close))
        .start()
        .await;
    let mut socket = Socket::open(&filtered.address.to_string(), "/?canary").await;
    socket.send(Message::text(CANARY)).await;
    assert_eq!(socket.farewell().await, Some((1008, CANARY.to_owned())));
    drop(socket);
    let live = || bench.handle.sessions().len() + filtered.handle.sessions().len();
    until("the sessions to end", || live() == 0).await;

    let lines = logs.all();
    assert_eq!(logs.of("wsgate::access").len(), 2 * 5);
    assert_eq!(logs.of("wsgate::rejection").len(), 7 + 6);
    for line in lines {
        assert!(!format!("{line:?}").contains(CANARY), "{line:#?}");
    }
    // Nor in what a host might print.
    let debug = format!("{:?} {:?}", bench.gate, bench.handle);
    assert!(!debug.contains(CANARY), "{debug}");
}
