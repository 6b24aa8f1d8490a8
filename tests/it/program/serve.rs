//! Connections: workers, limits of the process, and clients that do not get on with it.

use std::time::Duration;

use tokio::time::timeout;

use crate::kit::{Echo, Program, Socket, Wire, settings, soon, websocket};

#[tokio::test]
async fn one_worker_or_two_serve_many_sessions() {
    let echo = Echo::start().await;
    for workers in [1, 2] {
        let more = format!("[server]\nworkers = {workers}\n[drain]\nspread = \"0s\"");
        let program = Program::run(&settings(echo.url(), &more)).await;
        let mut sockets = Vec::new();
        for _ in 0..16 {
            sockets.push(Socket::open(&program.address, "/ws/").await);
        }
        for (index, socket) in sockets.iter_mut().enumerate() {
            socket.echoes(&format!("{index} of {workers}")).await;
        }
        program.signal(rustix::process::Signal::TERM);
        for mut socket in sockets {
            assert_eq!(socket.closed().await.0, 1001);
            socket.end().await;
        }
        let mut program = program;
        assert_eq!(program.ended().await.0, Some(0));
    }
}

#[tokio::test]
async fn a_session_over_the_limit_is_answered_503() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), "[server]\nsessions = 1")).await;
    let mut first = Socket::open(&program.address, "/ws/").await;
    let mut second = Wire::connect(&program.address).await;
    second.send(websocket("/ws/", &program.address, "")).await;
    let response = second.response().await;
    assert_eq!(response.status(), 503);
    assert!(response.head.one("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(second.end().await, b"", "a refused upgrade closes");
    first.echoes("not disturbed").await;
    first.close().await;
    program.event("session closed").await;
    Socket::open(&program.address, "/ws/")
        .await
        .echoes("a place is free")
        .await;
    assert_eq!(
        program.events("handshake rejected")[0]["reason"],
        "overload"
    );
}

#[tokio::test]
async fn a_head_has_a_deadline_however_slowly_it_drips() {
    let more = "[server]\nhandshake_timeout = \"400ms\"";
    let program = Program::run(&settings("ws://127.0.0.1:1", more)).await;
    let mut mute = Wire::connect(&program.address).await;
    let mut half = Wire::connect(&program.address).await;
    half.send("GET /ws/ HTTP/1.1\r\nHost: gate").await;
    let mut slow = Wire::connect(&program.address).await;
    slow.send("GET /ws/ HTTP/1.1\r\nHost: ").await;
    // A byte every now and then, until it is cut off.
    let dripping = async {
        while timeout(Duration::from_millis(20), slow.end())
            .await
            .is_err()
        {
            slow.try_send("x").await;
        }
    };
    soon("the end of a dripping head", dripping).await;
    assert_eq!(mute.end().await, b"", "who said nothing is told nothing");
    let answer = String::from_utf8(half.end().await).unwrap();
    let late = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(answer, late);
    for index in 0..2 {
        let line = program.nth_event(index, "request rejected").await;
        assert_eq!(line["reason"], "handshake_timeout");
    }
    let log = program.stop().await;
    let lines = log.matches("rejected").count();
    assert_eq!(lines, 2, "none for who said nothing: {log}");
}

#[tokio::test]
async fn heads_that_are_too_large_or_no_http_are_refused_and_logged() {
    let more = "[server]\nhead_size = \"8KiB\"";
    let program = Program::run(&settings("ws://127.0.0.1:1", more)).await;
    let large = format!("X-Large: {}\r\n", "x".repeat(9 * 1024));
    let many = (0..101)
        .map(|n| format!("X-{n}: 1\r\n"))
        .collect::<String>();
    let long = format!("/ws/{}", "x".repeat(9 * 1024));
    let requests = [
        (
            websocket("/ws/", "gate.test", &large),
            431,
            "head_too_large",
        ),
        (websocket("/ws/", "gate.test", &many), 431, "head_too_large"),
        (websocket(&long, "gate.test", ""), 414, "head_too_large"),
        (
            "\x16\x03\x01 this is TLS\r\n\r\n".to_owned(),
            400,
            "bad_request",
        ),
        ("GET /ws/\r\n".to_owned(), 400, "bad_request"),
        ("\r\n".repeat(5 * 1024), 400, "bad_request"),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            400,
            "bad_request",
        ),
        (
            "GET /ws/ HTTP/1.1\r\nHo st: x\r\n\r\n".to_owned(),
            400,
            "bad_request",
        ),
    ];
    for (index, (request, status, reason)) in requests.into_iter().enumerate() {
        let mut wire = Wire::connect(&program.address).await;
        wire.try_send(&request).await;
        let head = wire.head().await;
        assert_eq!(head.status(), status, "{}", request.escape_debug());
        wire.end().await;
        let line = program.nth_event(index, "request rejected").await;
        assert_eq!(line["reason"], reason, "{}", request.escape_debug());
        assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    }
}

#[tokio::test]
async fn connections_that_say_nothing_cost_the_others_nothing() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), "")).await;
    let mut mute = Vec::new();
    for _ in 0..200 {
        mute.push(Wire::connect(&program.address).await);
    }
    let mut socket = Socket::open(&program.address, "/ws/").await;
    socket.echoes("served all the same").await;
    socket.close().await;
    program.stop().await;
    for mut wire in mute {
        assert_eq!(wire.end().await, b"");
    }
}
