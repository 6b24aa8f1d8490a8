//! Cases H01 to H06, H16 and H19: handshakes that are none, or that look like none.

use rstest::rstest;

use crate::kit::{CANARY, Head, Host, Request, Stage, answer};

/// The key of every client here, and what it is not to be confused with.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn key(value: &str) -> Request {
    Stage::handshake().with("Sec-WebSocket-Key", value)
}

fn version(value: &str) -> Request {
    Stage::handshake().with("Sec-WebSocket-Version", value)
}

/// What a 426 owes the client (RFC 9110 §15.5.22, RFC 6455 §4.4).
#[track_caller]
fn asks_to_upgrade(answer: &Head) {
    answer.assert(&[
        ("upgrade", "websocket"),
        ("connection", "Upgrade, close"),
        ("sec-websocket-version", "13"),
    ]);
}

#[rstest]
#[tokio::test]
async fn h01_the_key_is_missing_or_empty(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let right = Stage::handshake();
    let missing = right.clone().without("Sec-WebSocket-Key");
    for (what, request) in [
        ("missing", missing.clone()),
        ("empty", key("")),
        ("blank", key(" \t ")),
        ("two", right.clone().header("Sec-WebSocket-Key", KEY)),
        ("two cases", right.clone().header("sec-websocket-KEY", KEY)),
        (
            "one is empty",
            right.clone().header("Sec-WebSocket-Key", ""),
        ),
        (
            "of a draft",
            missing.clone().header("Sec-WebSocket-Key1", KEY),
        ),
    ] {
        let answer = stage
            .refused(what, request.text(), 400, "ws_key_missing")
            .await;
        answer.assert(&[("connection", "close"), ("sec-websocket-accept", "")]);
    }
    let alias = missing.header("Sec_WebSocket_Key", KEY);
    stage
        .refused("alias", alias.text(), 400, "header_alias")
        .await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h02_the_key_is_not_base64_of_16_bytes(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let long = "A".repeat(8000);
    for value in [
        "==",
        "AAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAA===",
        "AAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAA==",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZQ==",
        "dGhlIHNhbXBsZSBub25jZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZ-==",
        "dGhlIHNhbXBsZSBub25jZ_==",
        "dGhl*HNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBs ZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ%3D%3D",
        "\"dGhlIHNhbXBsZSBub25jZQ==\"",
        "dGhlIHNhbXBsZSBub25jZQ==;x",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        "d\u{e9}hlIHNhbXBsZSBub25jZQ==",
        &long,
    ] {
        stage
            .refused(value, key(value).text(), 400, "ws_key_invalid")
            .await;
    }
    // White space around it is not of the value; bits that no byte takes are nobody's business.
    for value in [
        "dGhlIHNhbXBsZSBub25jZQ==   ",
        "\t dGhlIHNhbXBsZSBub25jZQ==\t",
        "dGhlIHNhbXBsZSBub25jZR==",
    ] {
        let asked = stage.accepted(value, key(value).text()).await;
        assert_ne!(asked.one("sec-websocket-key"), value.trim());
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h04_the_version_is_not_13(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let right = Stage::handshake();
    let mut requests = vec![
        right.clone().without("Sec-WebSocket-Version"),
        right.clone().header("Sec-WebSocket-Version", "13"),
        right.clone().header("Sec-WebSocket-Version", "8"),
        version("8").header("sec-websocket-VERSION", "13"),
    ];
    requests.extend(
        [
            "",
            "0",
            "7",
            "8",
            "12",
            "14",
            "130",
            "255",
            "013",
            "+13",
            "-13",
            "13.0",
            "0xd",
            "1 3",
            "13;",
            "\"13\"",
            "13, 8",
            "8, 13",
            "13,13",
            "13,",
            "99999999999999999999",
            "13\u{a0}",
        ]
        .map(version),
    );
    for request in &requests {
        let text = request.text();
        let answer = stage.refused(&text, &text, 426, "ws_version").await;
        asks_to_upgrade(&answer);
    }
    for value in ["13 ", "\t13"] {
        stage.accepted(value, version(value).text()).await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn h04_what_is_pipelined_behind_a_refused_upgrade_is_neither_answered_nor_forwarded() {
    let mut stage = Stage::set("http = \"forward\"").await;
    let smuggled = Request::plain("/ws/smuggled").text();
    let upgrade = Stage::handshake().text();
    for behind in [&smuggled, &upgrade, "GET / HTTP/1.1\r\n", "\u{0}"] {
        for (request, status, reason) in [
            (version("8"), 426, "ws_version"),
            (key(""), 400, "ws_key_missing"),
            (
                Stage::handshake().line("POST /ws/room HTTP/1.1"),
                405,
                "method",
            ),
            (
                Stage::handshake().header("Origin", "https://evil.test"),
                403,
                "origin_denied",
            ),
        ] {
            let mut client = stage.client().await;
            client.send(format!("{}{behind}", request.text())).await;
            let (head, _) = client.response().await.parts();
            assert_eq!(head.status(), status, "{reason}");
            client.expect_end().await;
            assert!(stage.upstream.untouched(), "{reason}");
            stage.refuses(reason);
        }
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h06_the_method_is_not_get(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for method in [
        "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "PRI",
        "get", "Get", "GETS",
    ] {
        let request = Stage::handshake().line(&format!("{method} /ws/room HTTP/1.1"));
        let answer = stage.refused(method, request.text(), 405, "method").await;
        answer.assert(&[("allow", "GET"), ("connection", "close")]);
    }
    // With a body, whose bytes are a request.
    let smuggled = Request::plain("/ws/smuggled").text();
    let post = Stage::handshake()
        .line("POST /ws/room HTTP/1.1")
        .header("Content-Length", &smuggled.len().to_string());
    let post = post.text() + &smuggled;
    stage.refused("body", post, 405, "method").await;
    for method in ["", " GET", "GET ", "GE\"T", "G\u{e9}T", "GET\t"] {
        let request = Stage::handshake().line(&format!("{method} /ws/room HTTP/1.1"));
        stage
            .refused(method, request.text(), 400, "bad_request")
            .await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn h06_the_version_of_http_is_not_1_1() {
    let mut stage = Stage::set("").await;
    let line = |line: &str| Stage::handshake().line(line).text();
    let old = line("GET /ws/room HTTP/1.0");
    let answer = stage.refused("1.0", old, 426, "not_upgradable").await;
    asks_to_upgrade(&answer);
    for wrong in [
        "GET /ws/room",
        "GET /ws/room HTTP/0.9",
        "GET /ws/room HTTP/1.2",
        "GET /ws/room HTTP/1.10",
        "GET /ws/room HTTP/2.0",
        "GET /ws/room http/1.1",
        "GET /ws/room HTTP/1.1 ",
        "GET  /ws/room HTTP/1.1",
        "GET\t/ws/room\tHTTP/1.1",
        "PRI * HTTP/2.0",
    ] {
        stage.refused(wrong, line(wrong), 400, "bad_request").await;
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h16_connection_is_a_list_over_all_its_lines(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let bare = Stage::handshake().without("Connection");
    let mut requests: Vec<_> = [
        "keep-alive, Upgrade",
        "KEEP-ALIVE, UPGRADE",
        "UpGrAdE",
        "upgrade,",
        ", Upgrade",
        " ,, Upgrade ,,",
        "Upgrade\t,\tkeep-alive",
        "Upgrade, Upgrade",
        "close, Upgrade",
    ]
    .map(|value| bare.clone().header("Connection", value))
    .to_vec();
    requests.push(
        bare.clone()
            .header("Connection", "keep-alive")
            .header("Connection", "Upgrade"),
    );
    requests.push(
        bare.clone()
            .header("connection", "")
            .header("CONNECTION", "upgrade,")
            .header("Connection", ",keep-alive"),
    );
    for upgrade in ["WebSocket", "WEBSOCKET", "h2c, websocket", "websocket,"] {
        requests.push(Stage::handshake().with("Upgrade", upgrade));
    }
    requests.push(Stage::handshake().header("Upgrade", "h2c"));
    for request in requests {
        let text = request.text();
        let asked = stage.accepted(&text, &text).await;
        asked.assert(&[("connection", "Upgrade"), ("upgrade", "websocket")]);
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h19_a_plain_get_is_refused_where_only_websockets_are_served(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let plain = Request::plain(&format!("/ws/room?token={CANARY}"));
    let right = Stage::handshake();
    for request in [
        plain.clone(),
        plain.line(&format!("POST /ws/room?token={CANARY} HTTP/1.1")),
        right.clone().without("Upgrade"),
        right.clone().without("Connection"),
        right.clone().with("Connection", "keep-alive"),
        right.clone().with("Connection", "upgraded"),
        right.clone().with("Connection", "Upgrade;q=1"),
        right.clone().with("Connection", "\"Upgrade\""),
        right.clone().with("Connection", "Upgrade keep-alive"),
        right.clone().with("Upgrade", ""),
        right.clone().with("Upgrade", "h2c"),
        right.clone().with("Upgrade", "websocket2"),
        right.clone().with("Upgrade", "websocket/13"),
        right.clone().with("Upgrade", "web socket"),
        right.with("Upgrade", "\"websocket\""),
    ] {
        let text = request.text();
        let answer = stage.refused(&text, &text, 426, "not_upgrade").await;
        asks_to_upgrade(&answer);
    }
    stage.stands().await;
}

#[tokio::test]
async fn h19_a_plain_get_is_forwarded_where_the_route_says_so() {
    let mut stage = Stage::set("http = \"forward\"").await;
    let plain = Request::plain(&format!("/ws/room?token={CANARY}"))
        .header("Upgrade", "h2c")
        .header("Connection", "Upgrade, HTTP2-Settings")
        .header("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")
        .header("Sec-WebSocket-Key", KEY)
        .header("Cookie", CANARY);
    let mut client = stage.client().await;
    client.send(plain.text()).await;
    let (mut server, asked) = stage.upstream.request().await;
    assert_eq!(asked.line, format!("GET /ws/room?token={CANARY} HTTP/1.1"));
    assert_eq!(
        asked.names(),
        [
            "cookie",
            "host",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto"
        ]
    );
    server.send(answer("200 OK", "", CANARY)).await;
    let (head, body) = client.response().await.parts();
    assert_eq!((head.status(), body.as_str()), (200, CANARY));
    // A handshake goes by a connection of its own, and half of one goes nowhere.
    stage
        .accepted("an upgrade", Stage::handshake().text())
        .await;
    let half = Stage::handshake().without("Connection");
    let answer = stage
        .refused("half an upgrade", half.text(), 426, "not_upgrade")
        .await;
    asks_to_upgrade(&answer);
    drop((client, server));
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn a_malformed_list_is_refused(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for (name, value) in [
        ("Sec-WebSocket-Protocol", "chat v2"),
        ("Sec-WebSocket-Protocol", "chat, chat"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; =1"),
        ("Sec-WebSocket-Extensions", "permessage deflate"),
    ] {
        let request = Stage::handshake().header(name, value).text();
        stage.refused(value, request, 400, "bad_header").await;
    }
    let quoted = Stage::handshake().with("Connection", "Upgrade, \"x\"");
    stage
        .refused("quoted", quoted.text(), 400, "bad_header")
        .await;
    // Some gateways add the headers without a value.
    let empty = Stage::handshake().header("Sec-WebSocket-Protocol", "");
    let empty = empty.header("Sec-WebSocket-Extensions", "");
    let asked = stage.accepted("empty lists", empty.text()).await;
    for name in ["sec-websocket-protocol", "sec-websocket-extensions"] {
        assert!(!asked.names().contains(&name), "{asked:?}");
    }
    stage.stands().await;
}
