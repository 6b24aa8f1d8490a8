//! The log, as text and as JSON.

use serde_json::Value;

use crate::kit::{Echo, Program, Socket, Wire, settings, spawn_passed, websocket};

/// Opens a session, says something, closes it, and waits for its line.
async fn session(program: &Program) {
    let mut socket = Socket::open(&program.address, "/ws/room").await;
    socket.echoes("hello").await;
    socket.close().await;
    let closed = program.line("a line", |line| {
        line.contains("session closed").then_some(())
    });
    closed.await;
}

async fn ask(program: &Program, request: impl AsRef<[u8]>) -> u16 {
    let mut wire = Wire::connect(&program.address).await;
    wire.send(request).await;
    wire.response().await.status()
}

#[tokio::test]
async fn a_session_is_two_objects_with_all_their_fields() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), "")).await;
    session(&program).await;
    let log = program.stop().await;
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line} is no JSON")))
        .collect();
    for event in &events {
        for field in ["timestamp", "level", "message", "target"] {
            assert!(event[field].is_string(), "{field} in {event}");
        }
    }
    let find = |message: &str| {
        events
            .iter()
            .find(|event| event["message"] == message)
            .unwrap()
    };
    let (open, closed) = (find("session open"), find("session closed"));
    for event in [open, closed] {
        assert_eq!(event["target"], "wsgate::access");
        assert_eq!(event["level"], "INFO");
        assert_eq!(event["id"], open["id"]);
        assert_eq!(event["route"], "chat");
        assert_eq!(event["client"], "127.0.0.1");
        assert_eq!(event["upstream"], "chat");
        assert_eq!(event["server"], echo.url());
    }
    assert_eq!(closed["client_messages"], 1);
    assert_eq!(closed["upstream_messages"], 1);
    assert_eq!(closed["upstream_bytes"], 7 + 2);
    assert_eq!(closed["client_bytes"], 11 + 6);
    assert_eq!(closed["closed_by"], "client");
    assert_eq!(closed["reason"], "closed");
    assert!(closed["duration_ms"].is_u64());
    assert_eq!(closed.get("code"), None, "the client gave no code");
}

#[tokio::test]
async fn a_refusal_is_an_object_with_all_its_fields() {
    let program = Program::run(&settings("ws://127.0.0.1:1", "")).await;
    let evil = websocket("/ws/", "gate.test", "Origin: http://evil.test\r\n");
    assert_eq!(ask(&program, evil).await, 403);
    let rejected = program.event("handshake rejected").await;
    assert_eq!(rejected["reason"], "origin_denied");
    assert_eq!(rejected["status"], 403);
    assert_eq!(rejected["route"], "chat");
    assert_eq!(rejected["client"], "127.0.0.1");
    assert!(rejected["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(rejected["target"], "wsgate::rejection");
    assert_eq!(rejected["level"], "WARN");
}

#[tokio::test]
async fn control_characters_of_clients_are_escaped_in_the_log() {
    let echo = Echo::start().await;
    for format in ["text", "json"] {
        let more = "[client_ip]\ntrusted_proxies = [\"127.0.0.1\"]\n[server]\nhead_size = \"8KiB\"";
        let text = settings(echo.url(), more).replace(
            "format = \"json\"",
            &format!("format = \"{format}\"\nlevel = \"trace\""),
        );
        let program = Program::run(&text).await;
        // C1 controls (CSI, NEL) as UTF-8, which HTTP lets into a value; raw ESC, which it does not.
        let hostile = "\u{9b}31mred\u{85}INFO forged\u{9b}0m";
        for lines in [
            format!("Origin: http://{hostile}\r\n"),
            format!("X-Forwarded-For: {hostile}\r\n"),
            format!("User-Agent: {hostile}\r\nCookie: {hostile}\r\n"),
            format!("Sec-WebSocket-Protocol: {hostile}\r\n"),
            "X-Escape: \x1b[31mred\r\n".to_owned(),
        ] {
            let mut wire = Wire::connect(&program.address).await;
            wire.try_send(websocket("/ws/", "gate.test", &lines)).await;
            wire.head().await;
        }
        for (target, host) in [
            ("/ws/\x1b[31m", "gate.test"),
            ("/ws/%1b%0aINFO%20forged?\u{9b}31m", "gate.test"),
            ("/ws/\u{9b}31m", "gate.test"),
            ("/ws/", hostile),
        ] {
            let mut wire = Wire::connect(&program.address).await;
            wire.try_send(websocket(target, host, "")).await;
            wire.head().await;
        }
        let log = program.stop().await;
        assert!(log.contains("rejected"), "{log}");
        for line in log.lines() {
            let raw: Vec<char> = line.chars().filter(|letter| letter.is_control()).collect();
            assert!(raw.is_empty(), "{format}: {}", line.escape_debug());
            assert!(!line.trim_start().starts_with("INFO forged"), "{line}");
        }
    }
}

#[tokio::test]
async fn the_lines_of_sessions_can_be_turned_off() {
    let echo = Echo::start().await;
    let text = settings(echo.url(), "");
    let text = text.replace("format = \"json\"", "format = \"json\"\naccess = false");
    let program = Program::run(&text).await;
    let mut socket = Socket::open(&program.address, "/ws/room").await;
    socket.echoes("hello").await;
    socket.close().await;
    let nowhere = websocket("/nowhere", "gate.test", "");
    assert_eq!(ask(&program, nowhere).await, 404);
    let log = program.stop().await;
    assert!(!log.contains("session open"), "{log}");
    assert!(!log.contains("session closed"), "{log}");
    assert!(log.contains("no_route"), "{log}");
}

#[tokio::test]
async fn the_level_is_that_of_the_settings() {
    let echo = Echo::start().await;
    let text = settings(echo.url(), "");
    let text = text.replace("format = \"json\"", "format = \"json\"\nlevel = \"debug\"");
    let program = Program::run(&text).await;
    session(&program).await;
    program.stop().await;

    // Nothing tells when this one listens, so that its socket listens before it.
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("gate.sock");
    let text = text.replace("\"debug\"", "\"error\"");
    let text = text.replace("127.0.0.1:0", &format!("unix:{}", socket.display()));
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let child = spawn_passed(folder.path(), &text, vec![listener.into()], &[]);
    let wire = Wire::connect_unix(&socket).await;
    let refused = Socket::open_on(wire, "gate.test", "/nowhere", &[]).await;
    assert_eq!(refused.err(), Some(404));
    let id = rustix::process::Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let ended = crate::kit::soon("the end", child.wait_with_output())
        .await
        .unwrap();
    assert_eq!((ended.status.code(), &*ended.stderr), (Some(0), &b""[..]));
}

#[tokio::test]
async fn a_flood_of_malformed_requests_is_sampled_and_the_rest_is_counted() {
    const REQUESTS: u64 = 300;
    let program = Program::run(&settings("ws://127.0.0.1:1", "")).await;
    for _ in 0..REQUESTS {
        let mut wire = Wire::connect(&program.address).await;
        wire.send("nonsense\r\n\r\n").await;
        assert_eq!(wire.head().await.status(), 400);
        wire.end().await;
    }
    let log = program.stop().await;
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let with = |message| {
        events
            .iter()
            .filter(move |event| event["message"] == message)
    };
    let logged = with("request rejected").count() as u64;
    let left_out = with("more requests rejected than are logged");
    let left_out: u64 = left_out
        .map(|event| event["left_out"].as_u64().unwrap())
        .sum();
    assert!((100..REQUESTS).contains(&logged), "{logged} lines");
    assert_eq!(logged + left_out, REQUESTS);
}
