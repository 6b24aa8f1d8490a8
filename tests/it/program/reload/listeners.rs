//! Listeners that come and go with a reload, the admin interface's too.

use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpStream;

use super::{ADMIN, reloaded};
use crate::kit::{Echo, Program, Socket, Upstream, Wire, settings, soon};
use crate::program::admin::ask;

async fn is_refused(address: &str) -> bool {
    let connected = soon("an answer", TcpStream::connect(address)).await;
    connected.is_err()
}

#[tokio::test]
async fn listeners_come_and_go_and_sessions_of_a_removed_one_go_on() {
    let echo = Echo::start().await;
    let two = |address: &str| {
        let more = format!("[[listen]]\naddress = \"{address}\"\n{ADMIN}");
        settings(echo.url(), &more)
    };
    let program = Program::run(&two("unix:gate.sock")).await;
    let file = program.file("gate.sock");
    let wire = Wire::connect_unix(&file).await;
    let over_unix = Socket::open_on(wire, "gate.test", "/ws/", &[]).await;
    let mut over_unix = over_unix.ok().unwrap();
    let mut over_tcp = Socket::open(&program.address, "/ws/").await;

    let body = reloaded(&program, &two("127.0.0.2:0")).await;
    let added = body["listeners"]["added"][0].as_str().unwrap();
    let removed = format!("unix:{}", file.display());
    assert_eq!(body["listeners"]["removed"], json!([removed]));
    assert!(added.starts_with("127.0.0.2:"), "{body}");
    assert!(!file.exists());
    let mut over_new = Socket::open(added, "/ws/").await;
    for socket in [&mut over_unix, &mut over_tcp, &mut over_new] {
        socket.echoes("still here").await;
    }

    // The first one goes as well, and the unix socket comes back.
    let swapped = two("unix:gate.sock").replacen("127.0.0.1:0", "127.0.0.2:0", 1);
    let body = reloaded(&program, &swapped).await;
    assert_eq!(body["listeners"]["added"], json!([removed]));
    assert_eq!(body["listeners"]["removed"], json!([program.address]));
    assert!(is_refused(&program.address).await);
    let wire = Wire::connect_unix(&file).await;
    let again = Socket::open_on(wire, "gate.test", "/ws/", &[]).await;
    let mut again = again.ok().unwrap();
    for socket in [&mut over_unix, &mut over_tcp, &mut over_new, &mut again] {
        socket.echoes("still here").await;
    }
    for socket in [over_unix, over_tcp, over_new, again] {
        socket.close().await;
    }
    program.stop().await;
    assert!(!file.exists());
}

#[tokio::test]
async fn a_plain_connection_of_a_removed_listener_ends_after_its_request() {
    let upstream = Upstream::start().await;
    let forward = format!("http = \"forward\"\n{ADMIN}");
    let both = format!("{forward}[[listen]]\naddress = \"127.0.0.2:0\"\n");
    let program = Program::run(&settings(upstream.url(), &both)).await;
    let mut busy = Wire::connect(&program.address).await;
    let mut idle = Wire::connect(&program.address).await;
    busy.send("GET /ws/page HTTP/1.1\r\nHost: gate.test\r\n\r\n")
        .await;
    let (mut server, _) = upstream.request().await;
    let only = settings(upstream.url(), &forward).replacen("127.0.0.1:0", "127.0.0.2:0", 1);
    reloaded(&program, &only).await;
    assert_eq!(idle.end().await, b"");
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        .await;
    let response = busy.response().await;
    assert_eq!((response.status(), response.text()), (200, "late"));
    assert_eq!(busy.end().await, b"");
    program.stop().await;
}

#[tokio::test]
async fn the_admin_interface_takes_another_token_and_another_address() {
    let admin = |more: &str| settings("ws://127.0.0.1:1", &format!("{ADMIN}{more}"));
    let program = Program::run(&admin("token = \"0ld-token\"")).await;
    let address = program.admin().await;
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let mut open = Wire::connect(&address).await;
    let request = |token: &str| {
        let bearer = bearer(token);
        format!("GET /sessions HTTP/1.1\r\nHost: {address}\r\n{bearer}\r\n")
    };
    open.send(request("0ld-token")).await;
    assert_eq!(open.response().await.status(), 200);

    program.rewrite(&admin("token = \"n3w-token\""));
    let done = ask(&address, "POST /reload", &bearer("0ld-token")).await;
    assert_eq!(done.json()["keys"], json!(["admin"]));
    for (token, expected) in [("0ld-token", 401), ("n3w-token", 200)] {
        open.send(request(token)).await;
        assert_eq!(open.response().await.status(), expected);
    }
    let denied = ask(&address, "POST /reload", "").await;
    assert_eq!(denied.status(), 401);

    let moved =
        admin("token = \"n3w-token\"").replace(ADMIN, "[admin]\naddress = \"unix:admin.sock\"\n");
    program.rewrite(&moved);
    let done = ask(&address, "POST /reload", &bearer("n3w-token")).await;
    assert_eq!(
        done.status(),
        200,
        "its answer comes over the one that goes"
    );
    assert!(is_refused(&address).await);
    assert_eq!(open.end().await, b"");
    let mut wire = Wire::connect_unix(&program.file("admin.sock")).await;
    wire.send(request("n3w-token")).await;
    assert_eq!(wire.response().await.status(), 200);

    program.rewrite(&settings("ws://127.0.0.1:1", ""));
    program.signal(Signal::HUP);
    program
        .nth_event(1, "admin interface no longer listening")
        .await;
    assert_eq!(wire.end().await, b"");
    let log = program.stop().await;
    assert!(!log.contains("-token"), "{log}");
}
