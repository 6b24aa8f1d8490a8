//! What new settings apply to, and what goes on as it was.

use serde_json::json;

use super::{ADMIN, OTHER, RELOADED, reloaded};
use crate::kit::{Echo, Program, Socket, Upstream, Wire, settings, websocket};

#[tokio::test]
async fn the_answer_to_a_reload_lists_what_it_has_changed() {
    let echo = Echo::start().await;
    let more = format!("{OTHER}{ADMIN}");
    let program = Program::run(&settings(echo.url(), &more)).await;
    let mut closed = Socket::open(&program.address, "/other").await;
    let drain = "[drain]\nspread = \"0s\"\nclose_code = 1012\n";
    let body = reloaded(&program, &settings(echo.url(), &format!("{ADMIN}{drain}"))).await;
    let expected = json!({
        "changed": true,
        "routes": {"added": [], "removed": ["other"], "changed": []},
        "sessions_sent_away": 1,
        "listeners": {"added": [], "removed": []},
        "keys": ["drain"],
        "needs_restart": [],
    });
    assert_eq!(body, expected);
    assert_eq!(closed.closed().await, (1012, "route removed".to_owned()));
    closed.end().await;
    program.stop().await;
}

#[tokio::test]
async fn plain_requests_follow_the_settings_on_a_connection_that_is_kept_alive() {
    let (one, two) = (Upstream::start().await, Upstream::start().await);
    let forward = format!("http = \"forward\"\n{ADMIN}");
    let program = Program::run(&settings(one.url(), &forward)).await;
    let mut client = Wire::connect(&program.address).await;
    for (upstream, body) in [(&one, "one"), (&two, "two")] {
        reloaded(&program, &settings(upstream.url(), &forward)).await;
        client
            .send("GET /ws/page HTTP/1.1\r\nHost: gate.test\r\n\r\n")
            .await;
        let (mut server, _) = upstream.request().await;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{body}");
        server.send(answer).await;
        assert_eq!(client.response().await.text(), body);
    }
    program.stop().await;
}

#[tokio::test]
async fn the_log_changes_what_it_shows_and_what_needs_a_restart_is_named() {
    let echo = Echo::start().await;
    let text = |log: &str, workers: &str| {
        let more = format!("{ADMIN}[server]\n{workers}\n");
        settings(echo.url(), &more).replace("[log]", &format!("[log]\n{log}"))
    };
    let program = Program::run(&text("", "workers = 1")).await;
    Socket::open(&program.address, "/ws/").await.close().await;
    program.event("session closed").await;
    let body = reloaded(&program, &text("access = false", "workers = 1")).await;
    assert_eq!(body["keys"], json!(["log.access"]));
    Socket::open(&program.address, "/ws/").await.close().await;
    let body = reloaded(&program, &text("level = \"debug\"", "workers = 2")).await;
    assert_eq!(body["keys"], json!(["log.level", "log.access"]));
    assert_eq!(body["needs_restart"], json!(["server.workers"]));
    let text_format = text("", "workers = 2").replace("\"json\"", "\"text\"");
    let body = reloaded(&program, &text_format).await;
    assert_eq!(
        body["needs_restart"],
        json!(["log.format", "server.workers"])
    );
    let event = program.nth_event(2, RELOADED).await;
    assert_eq!(event["needs_restart"], "log.format, server.workers");
    let body = reloaded(&program, &text_format).await;
    assert_eq!(body["changed"], false);
    assert_eq!(
        body["needs_restart"],
        json!(["log.format", "server.workers"])
    );
    Socket::open(&program.address, "/ws/").await.close().await;
    program.nth_event(1, "session closed").await;
    assert_eq!(program.events("session open").len(), 2, "one had no line");
    program.stop().await;
}

#[tokio::test]
async fn the_health_path_changes_for_connections_that_are_open() {
    let text = |server: &str| settings("ws://127.0.0.1:1", &format!("{ADMIN}[server]\n{server}\n"));
    let program = Program::run(&text("")).await;
    let mut wire = Wire::connect(&program.address).await;
    for (path, status) in [("/a", 200), ("/b", 200)] {
        let body = reloaded(&program, &text(&format!("health_path = \"{path}\""))).await;
        assert_eq!(body["keys"], json!(["server.health_path"]));
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        assert_eq!(wire.response().await.status(), status, "{path}");
    }
    wire.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(wire.response().await.status(), 404);
    program.stop().await;
}

#[tokio::test]
async fn new_connections_go_by_the_new_bounds() {
    let echo = Echo::start().await;
    let text = |server: &str| settings(echo.url(), &format!("{ADMIN}[server]\n{server}\n"));
    let program = Program::run(&text("")).await;
    let long = format!("X-Long: {}\r\n", "x".repeat(9000));
    let mut held = Wire::connect(&program.address).await;
    held.send(websocket("/ws/", &program.address, &long)).await;
    assert_eq!(held.head().await.status(), 101);
    let mut early = Wire::connect(&program.address).await;
    // It has been accepted once another behind it has been answered.
    let mut behind = Wire::connect(&program.address).await;
    behind.send(websocket("/", &program.address, "")).await;
    assert_eq!(behind.head().await.status(), 404);

    let bounds = "head_size = \"8KiB\"\nhandshake_timeout = \"1s\"\nkeepalive_timeout = \"1s\"\nsessions = 1\n";
    let body = reloaded(&program, &text(bounds)).await;
    let keys = [
        "server.handshake_timeout",
        "server.keepalive_timeout",
        "server.head_size",
        "server.sessions",
    ];
    assert_eq!(body["keys"], json!(keys));
    let mut late = Wire::connect(&program.address).await;
    late.send(websocket("/ws/", &program.address, &long)).await;
    assert_eq!(late.head().await.status(), 431);
    // The head is within the bound that it came under; the session is one too many.
    early.send(websocket("/ws/", &program.address, &long)).await;
    assert_eq!(early.head().await.status(), 503);
    let silent = Wire::connect(&program.address).await.end().await;
    assert_eq!(silent, b"");
    program.stop().await;
}
