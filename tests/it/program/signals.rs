//! What the signals to stop do: the drain, its deadline, and what cuts it short.

use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::kit::{Echo, Program, Socket, Upstream, Wire, settings, soon, websocket};

/// A drain that tells all at once, and a close that waits for its answer for longer than any test.
fn draining(deadline: &str) -> String {
    format!("timeouts.close = \"1h\"\n[drain]\nspread = \"0s\"\ndeadline = \"{deadline}\"")
}

/// A client that opens a session and says nothing ever after.
async fn silent(program: &Program) -> Wire {
    let mut wire = Wire::connect(&program.address).await;
    wire.send(websocket("/ws/", &program.address, "")).await;
    assert_eq!(wire.head().await.status(), 101);
    wire
}

/// The close frame of a drain, as a server sends it.
fn going_away() -> Vec<u8> {
    let reason = b"server is shutting down";
    let length = u8::try_from(reason.len() + 2).unwrap();
    [&[0x88, length, 0x03, 0xE9], &reason[..]].concat()
}

#[tokio::test]
async fn sigterm_and_sigint_close_every_session_and_exit_with_0() {
    let echo = Echo::start().await;
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let mut program = Program::run(&settings(echo.url(), &draining("30s"))).await;
        let mut sockets = Vec::new();
        for _ in 0..3 {
            let mut socket = Socket::open(&program.address, "/ws/").await;
            socket.echoes("before").await;
            sockets.push(socket);
        }
        program.signal(signal);
        for mut socket in sockets {
            let farewell = (1001, "server is shutting down".to_owned());
            assert_eq!(socket.closed().await, farewell);
            socket.end().await;
        }
        let (code, log) = program.ended().await;
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(program.event("stopping").await["signal"], name);
        assert_eq!(program.event("draining").await["sessions"], 3);
        let drained = program.event("drained").await;
        assert_eq!(
            (&drained["closed"], &drained["cut"]),
            (&3.into(), &0.into())
        );
        for closed in program.events("session closed") {
            assert_eq!(
                (&closed["reason"], &closed["code"]),
                (&"drain".into(), &1001.into())
            );
        }
        assert_eq!(program.events("session closed").len(), 3);
        assert_eq!(program.events("stopped").len(), 1, "{log}");
    }
}

#[tokio::test]
async fn the_code_of_the_drain_is_that_of_the_settings() {
    let echo = Echo::start().await;
    let more = "[drain]\nclose_code = 1012\nspread = \"0s\"";
    let program = Program::run(&settings(echo.url(), more)).await;
    let mut socket = Socket::open(&program.address, "/ws/").await;
    program.signal(Signal::TERM);
    assert_eq!(socket.closed().await.0, 1012);
    socket.end().await;
}

#[tokio::test]
async fn no_client_connects_during_a_drain_and_a_stuck_one_is_cut_at_the_deadline() {
    let echo = Echo::start().await;
    let mut program = Program::run(&settings(echo.url(), &draining("500ms"))).await;
    let mut stuck = silent(&program).await;
    program.signal(Signal::TERM);
    assert_eq!(stuck.take(going_away().len()).await, going_away());
    program.event("draining").await;
    let refused = soon("an answer", TcpStream::connect(&program.address)).await;
    assert_eq!(
        refused.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
    assert_eq!(stuck.end().await, b"");
    let (code, log) = program.ended().await;
    assert_eq!(code, Some(0), "{log}");
    let drained = program.event("drained").await;
    assert_eq!(
        (&drained["closed"], &drained["cut"]),
        (&0.into(), &1.into())
    );
    let closed = program.event("session closed").await;
    assert_eq!(closed["reason"], "cut");
    // At the deadline, and not when something else wakes the session.
    let duration = closed["duration_ms"].as_u64().unwrap();
    assert!((500..10_000).contains(&duration), "{closed}");
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let echo = Echo::start().await;
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut program = Program::run(&settings(echo.url(), &draining("1h"))).await;
        let mut stuck = silent(&program).await;
        program.signal(Signal::TERM);
        assert_eq!(stuck.take(going_away().len()).await, going_away());
        program.signal(signal);
        let (ended, log) = program.ended().await;
        assert_eq!(ended, Some(code), "{log}");
        assert!(log.contains("error: stopped by a second SIG"), "{log}");
        assert_eq!(stuck.end().await, b"");
    }
}

#[tokio::test]
async fn a_sighup_while_it_stops_changes_nothing() {
    let echo = Echo::start().await;
    let mut program = Program::run(&settings(echo.url(), &draining("1h"))).await;
    let mut stuck = silent(&program).await;
    program.signal(Signal::TERM);
    assert_eq!(stuck.take(going_away().len()).await, going_away());
    program.rewrite("not settings");
    program.signal(Signal::HUP);
    let warned = |line: &str| line.contains("SIGHUP").then_some(());
    program.line("a warning", warned).await;
    drop(stuck);
    assert_eq!(program.ended().await.0, Some(0));
    assert!(program.events("reload rejected").is_empty());
}

#[tokio::test]
async fn a_plain_request_is_finished_before_it_ends_and_an_idle_connection_is_not_waited_for() {
    let upstream = Upstream::start().await;
    let more = format!("http = \"forward\"\n{}", draining("30s"));
    let mut program = Program::run(&settings(upstream.url(), &more)).await;
    let mut idle = Wire::connect(&program.address).await;
    let mut busy = Wire::connect(&program.address).await;
    let request = "GET /ws/page HTTP/1.1\r\nHost: gate.test\r\n\r\n";
    busy.send(request).await;
    let (mut server, _) = upstream.request().await;
    program.signal(Signal::TERM);
    assert_eq!(idle.end().await, b"");
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        .await;
    let response = busy.response().await;
    assert_eq!((response.status(), response.text()), (200, "late"));
    assert_eq!(response.head.one("connection"), "close");
    assert_eq!(busy.end().await, b"");
    let (code, log) = program.ended().await;
    assert_eq!(code, Some(0), "{log}");
}

#[tokio::test]
async fn a_signal_ends_it_at_once_without_connections() {
    let program = Program::run(&settings("ws://127.0.0.1:1", "")).await;
    let log = program.stop().await;
    assert!(log.contains("\"closed\":0,\"cut\":0"), "{log}");
}
