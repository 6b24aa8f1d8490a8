//! Who may publish, where, and what a reload changes about that.

use std::net::TcpListener;

use rustix::process::Signal;
use serde_json::json;

use super::super::admin::ask;
use super::super::kit::{
    ALL, Authority, BILLING, BOTH, Echo, PUBLISH, Program, Publisher, Socket, TlsPeer, Validity,
    Wire,
};
use super::{channels, publishing};
use crate::client_tls::listen_tls;

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

/// The status of a request without its body, on a connection of its own.
async fn status(address: &str, line: &str, authorization: &str) -> (u16, String) {
    let mut wire = Wire::connect(address).await;
    wire.send(format!("{line} HTTP/1.1\r\nHost: a\r\n{authorization}\r\n"))
        .await;
    let response = wire.response().await;
    (response.status(), response.text().to_owned())
}

#[tokio::test]
async fn every_request_needs_a_token_of_the_settings() {
    let program = publishing("ws://127.0.0.1:1").await;
    let address = program.publish().await;
    for (authorization, expected) in [
        ("", 401),
        ("Authorization: Bearer all-t0ke\r\n", 401),
        ("Authorization: Bearer all-t0ken2\r\n", 401),
        ("Authorization: Bearer \r\n", 401),
        ("Authorization: Basic all-t0ken\r\n", 401),
        (
            "Authorization: Bearer all-t0ken\r\nAuthorization: Bearer all-t0ken\r\n",
            401,
        ),
        ("Authorization: Bearer all-t0ken\r\n", 200),
        ("Authorization: bearer all-t0ken\r\n", 200),
    ] {
        for line in ["GET /channels", "GET /openapi.json"] {
            let (status, text) = status(&address, line, authorization).await;
            assert_eq!(status, expected, "{line} {authorization}: {text}");
        }
        let (alive, text) = status(&address, "GET /healthz", authorization).await;
        assert_eq!((alive, &*text), (200, "{\"alive\":true}\n"));
    }
    for line in [
        "GET /",
        "GET /sessions",
        "POST /drain",
        "GET /metrics",
        "GET /config",
    ] {
        let (unknown, _) = status(&address, line, "").await;
        assert_eq!(unknown, 401, "{line}");
        let bearer = "Authorization: Bearer all-t0ken\r\nContent-Length: 0\r\n";
        let (unknown, _) = status(&address, line, bearer).await;
        assert_eq!(unknown, 404, "{line}: only the admin interface has that");
    }
    program.stop().await;
}

#[tokio::test]
async fn a_token_allows_what_the_settings_say_of_it() {
    let program = publishing("ws://127.0.0.1:1").await;
    let mut publisher = Publisher::of(&program, BILLING).await;
    for (line, body, expected) in [
        ("POST /channels/user.1", "x", 200),
        ("GET /channels/user.1", "", 200),
        ("DELETE /channels/user.1/retained", "", 200),
        ("DELETE /channels/user.1/sessions", "", 200),
        ("POST /channels/user", "x", 403),
        ("POST /channels/user.1.2", "x", 403),
        ("POST /channels/room.1", "x", 403),
        ("POST /channels/%72oom.1", "x", 403),
        ("GET /channels/room.1", "", 403),
        ("DELETE /channels/room.1/retained", "", 403),
        ("DELETE /channels/room.1/sessions", "", 403),
        ("PUT /channels/room.1/sessions/0123456789ab-1", "", 403),
        // Who adds a session to a channel can publish to it, and close it.
        ("PUT /channels/user.1/sessions/0123456789ab-1", "", 403),
        ("DELETE /channels/user.1/sessions/0123456789ab-1", "", 404),
        ("POST /sessions/0123456789ab-1", "x", 403),
        ("POST /subjects/alice", "x", 403),
        (
            "POST /tickets",
            "{\"route\": \"chat\", \"subject\": \"alice\"}",
            403,
        ),
    ] {
        let response = publisher.ask(line, "", body).await;
        assert_eq!(response.status(), expected, "{line}: {response:?}");
        if expected == 403 {
            let error = response.json()["error"].as_str().unwrap().to_owned();
            assert!(error.starts_with("the token `billing` "), "{error}");
        }
    }
    program.stop().await;
}

#[tokio::test]
async fn a_token_sees_only_the_channels_that_it_takes() {
    let echo = Echo::start().await;
    let text = channels(echo.url(), PUBLISH).replace("\"all\"]", "\"user.{path.room}\"]");
    let program = Program::run(&text).await;
    let mut socket = Socket::open(&program.address, "/ws/1").await;
    socket.echoes("hello").await;
    for (token, expected) in [(ALL, vec!["room.1", "user.1"]), (BILLING, vec!["user.1"])] {
        let listed = Publisher::of(&program, token)
            .await
            .get("GET /channels")
            .await;
        let listed = listed.json();
        let names = listed["channels"].as_array().unwrap().iter();
        let names: Vec<_> = names
            .map(|channel| channel["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected);
    }
    program.stop().await;
}

#[tokio::test]
async fn a_reload_changes_tokens_and_the_size_for_open_connections_too() {
    let text = channels("ws://127.0.0.1:1", &format!("{ADMIN}{PUBLISH}"));
    let program = Program::run(&text).await;
    let admin = program.admin().await;
    let mut all = Publisher::of(&program, ALL).await;
    let mut billing = Publisher::of(&program, BILLING).await;
    all.publish("/channels/a", "x").await;
    billing.publish("/channels/user.1", "x").await;
    // One that has begun is published.
    let mut slow = Publisher::of(&program, ALL).await;
    let request = slow.request("POST /channels/a", "", "xx");
    slow.wire.send(&request[..request.len() - 1]).await;
    all.publish("/channels/a", "x").await;

    let changed = text
        .replace(ALL, "n3w-t0ken")
        .replace("\"user.*\"", "\"user.2\"")
        .replace("tokens =", "message_size = \"1KiB\"\ntokens =");
    program.rewrite(&changed);
    let done = ask(&admin, "POST /reload", "").await;
    assert_eq!(done.json()["keys"], json!(["publish"]));
    slow.wire.send("x").await;
    assert_eq!(slow.wire.response().await.status(), 200);
    let refused = all.ask("POST /channels/a", "", "x").await;
    assert_eq!(refused.status(), 401, "{refused:?}");
    let refused = billing.ask("POST /channels/user.1", "", "x").await;
    assert_eq!(refused.status(), 403, "{refused:?}");
    billing.publish("/channels/user.2", &"x".repeat(1024)).await;
    let refused = billing
        .ask("POST /channels/user.2", "", "x".repeat(1025))
        .await;
    assert_eq!(refused.status(), 413, "{refused:?}");
    assert!(
        refused.text().contains("more than 1024 bytes"),
        "{refused:?}"
    );
    Publisher::of(&program, "n3w-t0ken")
        .await
        .publish("/channels/a", "x")
        .await;
    let log = program.stop().await;
    assert!(!log.contains("t0ken"), "{log}");
}

#[tokio::test]
async fn a_reload_opens_moves_and_closes_the_interface() {
    let without = channels("ws://127.0.0.1:1", ADMIN);
    let program = Program::run(&without).await;
    let admin = program.admin().await;
    let reload = async |text: &str| {
        program.rewrite(text);
        let done = ask(&admin, "POST /reload", "").await;
        assert_eq!(done.status(), 200, "{done:?}");
    };
    let with = format!("{without}{PUBLISH}");
    reload(&with).await;
    let mut first = Publisher::of(&program, ALL).await;
    first.publish("/channels/a", "x").await;
    // An address that cannot be bound changes nothing.
    let taken = PUBLISH.replace("127.0.0.1:0", &admin);
    program.rewrite(&format!("{without}{taken}"));
    let refused = ask(&admin, "POST /reload", "").await;
    assert_eq!(refused.status(), 422);
    let (refused, own) = (refused.text(), "another listener of this process");
    assert!(refused.contains(own), "{refused}");
    assert!(refused.contains("in a reload of its own"), "{refused}");
    first.publish("/channels/a", "x").await;

    let moved = with.replace(
        PUBLISH,
        &PUBLISH.replace("127.0.0.1:0", "unix:publish.sock"),
    );
    reload(&moved).await;
    assert_eq!(first.wire.end().await, b"");
    let wire = Wire::connect_unix(&program.file("publish.sock")).await;
    let mut second = Publisher::on(wire, ALL);
    second.publish("/channels/a", "x").await;
    program.rewrite(&without);
    program.signal(Signal::HUP);
    program
        .nth_event(1, "publish interface no longer listening")
        .await;
    assert_eq!(second.wire.end().await, b"");
    assert!(!program.file("publish.sock").exists());
    program.stop().await;
}

#[tokio::test]
async fn it_speaks_tls_if_the_settings_say_so_and_shows_a_renewed_certificate() {
    let authority = Authority::new();
    let first = authority.issue("127.0.0.1", Validity::Now);
    let tls = listen_tls(&authority, &[("publish", &first)], "");
    let tls = tls.replace("[listen.tls]", "[publish.tls]");
    let program = Program::run(&channels("ws://127.0.0.1:1", &format!("{PUBLISH}{tls}"))).await;
    let address = program.publish().await;
    // Each of its own: a session that is resumed shows no certificate.
    let connect = async || {
        let peer = TlsPeer::new(&authority, None, BOTH);
        peer.connect(&address, "127.0.0.1", true).await.unwrap()
    };
    let (wire, shown) = connect().await;
    assert_eq!(shown.certificate, *first.certificate());
    let mut publisher = Publisher::on(wire, ALL);
    publisher.publish("/channels/a", "x").await;
    let second = authority.issue("127.0.0.1", Validity::Now);
    authority.write_identity_as("publish", &second);
    let line = program.event("settings reloaded").await;
    assert_eq!(line["keys"], "publish.tls");
    let (wire, shown) = connect().await;
    assert_eq!(shown.certificate, *second.certificate());
    for mut publisher in [publisher, Publisher::on(wire, ALL)] {
        publisher.publish("/channels/a", "x").await;
    }
    let (plain, text) = status(&address, "GET /healthz", "").await;
    assert_eq!(plain, 400, "{text}");
    program.stop().await;
}

#[tokio::test]
async fn a_passed_socket_is_served_and_the_next_process_takes_over() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // Connected before there is anybody to accept.
    let early = Wire::connect(&address).await;
    let table = PUBLISH.replace("127.0.0.1:0", &address);
    let text = channels("ws://127.0.0.1:1", &table);
    let program = Program::run_passed(&text, vec![listener.into()], &[]).await;
    Publisher::on(early, ALL).publish("/channels/a", "x").await;
    program.stop().await;
}

#[tokio::test]
async fn it_is_there_during_the_drain() {
    let echo = Echo::start().await;
    let drain = "[drain]\nspread = \"10s\"\ndeadline = \"20s\"\n";
    let text = channels(echo.url(), &format!("{ADMIN}{PUBLISH}{drain}"));
    let program = Program::run(&text).await;
    let mut publisher = Publisher::of(&program, ALL).await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(Socket::open(&program.address, "/ws/1").await);
    }
    ask(&program.admin().await, "POST /drain", "").await;
    program.event("draining").await;
    assert!(publisher.publish("/channels/room.1", "bye").await > 0);
    let mut other = Publisher::of(&program, ALL).await;
    other.publish("/channels/room.1", "bye").await;
}
