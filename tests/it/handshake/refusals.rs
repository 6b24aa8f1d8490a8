//! Handshakes that are not right, each with the status and the reason that it is refused with.

use super::{right, strict};
use crate::kit::{Logs, Request, Upstream};

/// Sends each request with another, right one behind it in the same write. Each has to be refused
/// for this reason and with this status, its connection has to end, and the upstream has to hear
/// of none of them.
async fn refuses(cases: &[(&str, u16, Vec<Request>)]) {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
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
    let upstream = Upstream::start().await;
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
        wire.end().await;
    }
    let _client = bench.ask(&Request::websocket("/ws/right")).await;
    let (_, request) = upstream.request().await;
    assert_eq!(request.target(), "/ws/right");
}
