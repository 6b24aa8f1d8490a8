//! What the log says of a server that fails.

use serde_json::{Value, from_str};

#[cfg(target_os = "linux")]
use crate::kit::{Program, Upstream, Wire, settings, websocket};

/// A handshake, and the status of its answer.
async fn handshake(program: &Program) -> u16 {
    let mut wire = Wire::connect(&program.address).await;
    wire.send(websocket("/ws/", &program.address, "")).await;
    wire.response().await.status()
}

#[tokio::test]
async fn a_failed_connect_is_logged_with_its_cause() {
    let dead = Upstream::dead();
    let url = dead.url();
    let json = settings(url, "");
    let text = json.replace("\"json\"", "\"text\"");
    let program = Program::run(&json).await;
    assert_eq!(handshake(&program).await, 502);
    let event = program.event("handshake rejected").await;
    assert_eq!(event["reason"], "upstream_refused");
    assert_eq!(event["upstream"], "chat");
    assert_eq!(event["server"], *url);
    let error = event["error"].as_str().unwrap();
    assert!(error.starts_with("the server could not be connected to: "));
    assert!(error.contains("Connection refused"), "{error}");

    let program = Program::run(&text).await;
    assert_eq!(handshake(&program).await, 502);
    let line = program.line("the failure", |line| {
        line.contains("handshake rejected").then(|| line.to_owned())
    });
    let line = line.await;
    assert!(line.contains("Connection refused"), "{line}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_gate_without_descriptors_says_that_it_is_full_and_blames_no_server() {
    let upstream = Upstream::start().await;
    // Two servers: with the second one it would go no better, and it is not tried.
    let url = upstream.url();
    let program = Program::run(&settings(&format!("{url}\", \"{url}/"), "")).await;
    let mut wire = Wire::connect(&program.address).await;
    let request = websocket("/ws/", &program.address, "");
    let (begun, rest) = request.split_at(5);
    wire.send(begun).await;
    // It has been accepted once another behind it has been answered. From now on it needs nothing more
    // but a connection to the server.
    let mut behind = Wire::connect(&program.address).await;
    behind.send(websocket("/", &program.address, "")).await;
    assert_eq!(behind.head().await.status(), 404);
    program.limit_descriptors(0);
    wire.send(rest).await;
    let head = wire.head().await;
    assert_eq!(head.status(), 503);
    assert!(head.one("retry-after").parse::<u64>().unwrap() > 0);
    let event = program.nth_event(1, "handshake rejected").await;
    assert_eq!(event["reason"], "overload");
    let error = event["error"].as_str().unwrap();
    assert!(error.starts_with("there is no file descriptor left in the process: "));
    assert!(program.events("no resources left to connect").is_empty());
}

#[tokio::test]
async fn a_failed_handshake_is_logged_with_its_cause() {
    let upstream = Upstream::start().await;
    let program = Program::run(&settings(upstream.url(), "")).await;
    let serve = async {
        let (mut wire, _) = upstream.request().await;
        wire.send("this is no HTTP\r\n\r\n").await;
    };
    let (status, ()) = tokio::join!(handshake(&program), serve);
    assert_eq!(status, 502);
    let event = program.event("handshake rejected").await;
    let error = event["error"].as_str().unwrap();
    let cause = error.strip_prefix("the answer cannot be read: ").unwrap();
    assert!(!cause.is_empty());
    assert!(
        !error.contains("no HTTP"),
        "what came is not shown: {error}"
    );
}

#[tokio::test]
async fn a_plain_request_that_fails_is_logged_with_its_cause() {
    let upstream = Upstream::start().await;
    let program = Program::run(&settings(upstream.url(), "http = \"forward\"")).await;
    let mut wire = Wire::connect(&program.address).await;
    let request = "GET /ws/page HTTP/1.1\r\nHost: gate.test\r\n\r\n";
    wire.send(request).await;
    let (mut server, _) = upstream.request().await;
    server.send("this is no HTTP\r\n\r\n").await;
    assert_eq!(wire.response().await.status(), 502);
    let event = program.event("request rejected").await;
    let error = event["error"].as_str().unwrap();
    assert!(error.contains("invalid HTTP version parsed"), "{error}");
}

#[tokio::test]
async fn the_failures_of_a_dead_server_are_sampled_and_the_rest_is_counted() {
    const HANDSHAKES: u64 = 300;
    // A second server is tried each time, so that the failure of the first has a line of its own.
    let dead = Upstream::dead();
    let url = dead.url();
    let program = Program::run(&settings(&format!("{url}\", \"{url}/"), "")).await;
    for _ in 0..HANDSHAKES {
        assert_eq!(handshake(&program).await, 502);
    }
    let log = program.stop().await;
    let events: Vec<Value> = log.lines().map(|line| from_str(line).unwrap()).collect();
    for (message, told) in [
        (
            "connect failed",
            "more failures of an upstream than are logged",
        ),
        (
            "handshake rejected",
            "more requests rejected than are logged",
        ),
    ] {
        let with = |message| {
            events
                .iter()
                .filter(move |event| event["message"] == message)
        };
        let logged = with(message).count() as u64;
        assert!((100..HANDSHAKES).contains(&logged), "{logged} {message}");
        let left_out = with(told).map(|event| event["left_out"].as_u64().unwrap());
        assert_eq!(logged + left_out.sum::<u64>(), HANDSHAKES, "{message}");
        assert!(with(told).all(|event| event["reason"] == "log_suppressed"));
    }
}
