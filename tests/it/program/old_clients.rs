//! Clients of HTTP/1.0, which need not name a host (RFC 9112 §3.2): health checks, old devices.

use super::forward::forwarding;
use crate::kit::{Head, Program, Upstream, Wire, settings, websocket};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

/// Sends a plain request that is forwarded, and returns what the upstream is asked. The client gets
/// the answer.
async fn asked(program: &Program, upstream: &Upstream, request: &str) -> Head {
    let mut client = Wire::connect(&program.address).await;
    client.send(request).await;
    let (mut server, asked) = tokio::select! {
        asked = upstream.request() => asked,
        answer = client.head() => panic!("{request}: {answer:#?}"),
    };
    server.send(ANSWER).await;
    let answer = client.response().await;
    assert_eq!(answer.text(), "ok", "{request}");
    assert!(answer.head.line.starts_with("HTTP/1.0 200 "), "{answer:?}");
    assert_eq!(client.end().await, b"", "{request}");
    server.end().await;
    asked
}

/// Sends a request that is refused, and returns its status.
async fn status(program: &Program, request: &str) -> u16 {
    let mut client = Wire::connect(&program.address).await;
    client.send(request).await;
    client.head().await.status()
}

#[tokio::test]
async fn a_request_without_a_host_goes_upstream_with_that_of_the_server() {
    let upstream = Upstream::start().await;
    let more = "http = \"forward\"\n[route.headers]\nforwarded = \"both\"\n\
                set = { x-host = \"at {host}.\" }\n";
    let program = Program::run(&settings(upstream.url(), more)).await;
    let server = upstream.url().strip_prefix("ws://").unwrap().to_owned();
    for line in ["OPTIONS /ws/ HTTP/1.0", "GET /ws/page?a=b HTTP/1.0"] {
        let request = format!("{line}\r\nX-Forwarded-Host: forged.test\r\n\r\n");
        let asked = asked(&program, &upstream, &request).await;
        assert_eq!(asked.line, line.replace("HTTP/1.0", "HTTP/1.1"));
        asked.assert(&[
            ("host", &server),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", ""),
            ("forwarded", "for=127.0.0.1;proto=http"),
            ("x-host", "at ."),
        ]);
        assert!(!asked.names().contains(&"x-forwarded-host"), "{asked:?}");
        assert!(asked.one("via").starts_with("1.0 wsgate-"), "{asked:?}");
    }
    program.stop().await;
}

#[tokio::test]
async fn a_request_without_a_host_to_a_unix_socket_is_for_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::unix(&folder.path().join("a.sock"));
    let program = forwarding(&upstream).await;
    let asked = asked(&program, &upstream, "GET /ws/ HTTP/1.0\r\n\r\n").await;
    asked.assert(&[("host", "localhost")]);
    program.stop().await;
}

#[tokio::test]
async fn a_host_that_the_route_sets_is_the_one() {
    let upstream = Upstream::start().await;
    let more = "http = \"forward\"\nheaders.set.host = \"inside.test\"";
    let program = Program::run(&settings(upstream.url(), more)).await;
    let asked = asked(&program, &upstream, "GET /ws/ HTTP/1.0\r\n\r\n").await;
    asked.assert(&[("host", "inside.test"), ("x-forwarded-host", "")]);
    program.stop().await;
}

#[tokio::test]
async fn a_host_that_is_named_is_used_in_every_version() {
    let upstream = Upstream::start().await;
    let more = "http = \"forward\"\nhost = \"gate.test\"";
    let program = Program::run(&settings(upstream.url(), more)).await;
    for request in [
        "GET /ws/ HTTP/1.0\r\nHost: Gate.test\r\n\r\n",
        "GET http://gate.test/ws/ HTTP/1.0\r\nHost: gate.test\r\n\r\n",
        "GET http://gate.test/ws/ HTTP/1.0\r\n\r\n",
    ] {
        let asked = asked(&program, &upstream, request).await;
        assert_eq!(asked.line, "GET /ws/ HTTP/1.1");
        asked.assert(&[("host", "gate.test"), ("x-forwarded-host", "gate.test")]);
    }
    for (request, expected) in [
        ("GET /ws/ HTTP/1.0\r\n\r\n", 421),
        ("OPTIONS /ws/ HTTP/1.0\r\n\r\n", 421),
        ("GET /ws/ HTTP/1.0\r\nHost: \r\n\r\n", 400),
        ("GET /ws/ HTTP/1.0\r\nHost: a b\r\n\r\n", 400),
        (
            "GET /ws/ HTTP/1.0\r\nHost: gate.test\r\nHost: gate.test\r\n\r\n",
            400,
        ),
        (
            "GET http://b.test/ws/ HTTP/1.0\r\nHost: gate.test\r\n\r\n",
            400,
        ),
        ("GET http://b.test/ws/ HTTP/1.0\r\n\r\n", 421),
        ("GET /ws/ HTTP/1.1\r\n\r\n", 400),
        ("GET http://gate.test/ws/ HTTP/1.1\r\n\r\n", 400),
    ] {
        assert_eq!(status(&program, request).await, expected, "{request}");
    }
    program.stop().await;
}

#[tokio::test]
async fn a_page_is_of_the_same_origin_as_no_host() {
    let upstream = Upstream::start().await;
    let more = "http = { origin = \"check\" }";
    let program = Program::run(&settings(upstream.url(), more)).await;
    let server = upstream.url().strip_prefix("ws://").unwrap();
    for origin in [
        "http://gate.test",
        "null",
        "http://",
        &format!("http://{server}"),
    ] {
        let request = format!("GET /ws/ HTTP/1.0\r\nOrigin: {origin}\r\n\r\n");
        let status = status(&program, &request).await;
        assert!([400, 403].contains(&status), "{origin}: {status}");
    }
    program.stop().await;
}

#[tokio::test]
async fn the_host_that_a_trusted_proxy_forwards_is_used() {
    let upstream = Upstream::start().await;
    let more = "http = \"forward\"\nhost = \"gate.test\"\n[client_ip]\n\
                trusted_proxies = [\"127.0.0.0/8\"]\nforwarded_host = true\n";
    let program = Program::run(&settings(upstream.url(), more)).await;
    let request = "GET /ws/ HTTP/1.0\r\nX-Forwarded-Host: gate.test\r\n\r\n";
    let asked = asked(&program, &upstream, request).await;
    asked.assert(&[("host", "gate.test"), ("x-forwarded-host", "gate.test")]);
    assert_eq!(status(&program, "GET /ws/ HTTP/1.0\r\n\r\n").await, 421);
    program.stop().await;
}

#[tokio::test]
async fn a_websocket_of_http_1_0_is_refused_with_and_without_a_host() {
    let program = Program::run(&settings("ws://127.0.0.1:1", "")).await;
    let right = websocket("/ws/x", "gate.test", "").replace("HTTP/1.1", "HTTP/1.0");
    let hostless = right.replace("Host: gate.test\r\n", "");
    assert_ne!(right, hostless);
    for request in [right, hostless] {
        assert_eq!(status(&program, &request).await, 426, "{request}");
    }
    program.stop().await;
}

#[tokio::test]
async fn an_answer_without_a_length_ends_with_the_connection_and_others_keep_it() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    for kept in ["", "Connection: keep-alive\r\n"] {
        let mut client = Wire::connect(&program.address).await;
        let request = format!("GET /ws/ HTTP/1.0\r\n{kept}\r\n");
        if !kept.is_empty() {
            // One with a length leaves the connection as the client wants it.
            client.send(&request).await;
            let (mut server, _) = upstream.request().await;
            server.send(ANSWER).await;
            let answer = client.response().await;
            assert_eq!(answer.head.one("connection"), "keep-alive", "{answer:?}");
            assert_eq!(answer.text(), "ok");
        }
        client.send(&request).await;
        let (mut server, _) = upstream.request().await;
        let chunks = "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        server
            .send(format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{chunks}"))
            .await;
        let head = client.head().await;
        assert!(head.line.starts_with("HTTP/1.0 200 "), "{head:?}");
        head.assert(&[("transfer-encoding", ""), ("content-length", "")]);
        assert!(!head.all("connection").contains(&"keep-alive"), "{head:?}");
        assert_eq!(client.end().await, b"abc", "{kept}");
        // What is refused ends it too, and says nothing else.
        let mut client = Wire::connect(&program.address).await;
        client.send(request.replace("/ws/", "/")).await;
        let answer = client.response().await;
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.head.all("connection"), ["close"], "{answer:?}");
        assert_eq!(client.end().await, b"");
    }
    program.stop().await;
}
