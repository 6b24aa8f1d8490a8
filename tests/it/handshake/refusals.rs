//! What a gate refuses that serves one host and nothing else; all else stands in the hostile cases.

use super::{right, strict};
use crate::kit::{Logs, Request, Upstream};

#[tokio::test]
async fn a_request_without_a_route_is_refused() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = strict(&upstream).await;
    for (reason, status, request) in [
        ("no_route", 404, Request::websocket("/ws")),
        ("no_route", 404, Request::websocket("/other")),
        ("no_route", 404, Request::websocket("/WS/a")),
        ("no_route", 404, Request::plain("/other")),
        ("host_not_ours", 421, right().with("Host", "other.test")),
        (
            "host_not_ours",
            421,
            right().with("Host", "gate.test.other.test"),
        ),
        (
            "host_not_ours",
            421,
            Request::plain("/ws/a").with("Host", "other.test"),
        ),
        ("not_upgrade", 426, Request::plain("/ws/a")),
    ] {
        let (head, body) = bench.refused(&request).await;
        assert_eq!(head.status(), status, "{}", request.text());
        assert!(body.ends_with('\n'), "{body}");
        let line = logs.of("wsgate::rejection").pop().unwrap();
        assert_eq!(line.field("reason"), reason, "{}", request.text());
        assert_eq!(line.number("status"), u64::from(status));
    }
    assert!(upstream.untouched());
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
