//! The health answer on the serving port, for load balancers.

use super::admin::ask;
use crate::kit::{Program, Upstream, Wire, settings, websocket};

const HEALTH: &str =
    "http = \"forward\"\n[admin]\naddress = \"127.0.0.1:0\"\n[server]\nhealth_path = \"/up\"\n";

/// Requests for the page, as load balancers write them.
const QUESTIONS: [&str; 10] = [
    "GET /up HTTP/1.0\r\n\r\n",
    "HEAD /up HTTP/1.0\r\n\r\n",
    "OPTIONS /up HTTP/1.0\r\n\r\n",
    "OPTIONS /up HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n",
    "GET /up HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n",
    "GET /%75p HTTP/1.1\r\nHost: gate.test\r\n\r\n",
    "GET /up?probe=1 HTTP/1.1\r\nHost: elsewhere.example\r\nUser-Agent: lb\r\n\r\n",
    "HEAD /up HTTP/1.1\r\nHost: gate.test\r\n\r\n",
    "GET http://gate.test/up HTTP/1.1\r\nHost: gate.test\r\n\r\n",
    "GET /up HTTP/1.1\r\nHost: gate.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
];

async fn ask_all(program: &Program, status: u16, text: &str) {
    for question in QUESTIONS {
        let mut wire = Wire::connect(&program.address).await;
        wire.send(question).await;
        let head = wire.head().await;
        assert_eq!(head.status(), status, "{question}");
        assert_eq!(head.one("content-length"), text.len().to_string());
        assert_eq!(head.one("cache-control"), "no-store");
        if !question.starts_with("HEAD") {
            assert_eq!(wire.body(&head).await, text.as_bytes(), "{question}");
        }
    }
}

#[tokio::test]
async fn load_balancers_are_answered_on_every_host_and_nothing_is_counted_or_logged() {
    let upstream = Upstream::start().await;
    let program = Program::run(&settings(upstream.url(), HEALTH)).await;
    let admin = program.admin().await;
    ask_all(&program, 200, "ready\n").await;
    assert_eq!(
        ask(&admin, "POST /drain", "Content-Length: 0\r\n")
            .await
            .status(),
        202
    );
    ask_all(&program, 503, "draining\n").await;
    let metrics = ask(&admin, "GET /metrics", "").await;
    let metrics = metrics.text();
    let counted = |line: &&str| {
        let families = ["wsgate_handshakes_total", "wsgate_plain_requests_total"];
        families.iter().any(|family| line.starts_with(family)) && !line.ends_with(" 0")
    };
    assert_eq!(metrics.lines().find(counted), None);
    let log = program.stop().await;
    assert!(!log.contains("rejected"), "{log}");
}

#[tokio::test]
async fn what_is_no_question_for_health_goes_to_the_routes() {
    let program = Program::run(&settings("ws://127.0.0.1:1", HEALTH)).await;
    for (line, status) in [
        ("POST /up", 404),
        ("DELETE /up", 404),
        ("OPTIONS /other", 404),
        ("GET /up/", 404),
        ("GET /upper", 404),
        ("GET /ws/up", 502),
        ("GET /up#/ws/", 400),
    ] {
        let lines = "Content-Length: 0\r\n";
        let answer = ask(&program.address, line, lines).await;
        assert_eq!(answer.status(), status, "{line}");
    }
    program.stop().await;
}

#[tokio::test]
async fn the_connection_of_a_load_balancer_is_kept_alive() {
    let program = Program::run(&settings("ws://127.0.0.1:1", HEALTH)).await;
    let mut wire = Wire::connect(&program.address).await;
    for _ in 0..3 {
        wire.send("GET /up HTTP/1.1\r\nHost: gate.test\r\n\r\n")
            .await;
        assert_eq!(wire.response().await.text(), "ready\n");
    }
    wire.send(websocket("/up", &program.address, "")).await;
    assert_eq!(wire.head().await.one("connection"), "close");
    program.stop().await;
}
