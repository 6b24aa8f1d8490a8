//! Connections that are no sessions: who holds them without a use, and who needs them.

use crate::kit::{Echo, Program, Socket, Upstream, Wire, settings, soon, websocket};

const REQUEST: &str = "GET /ws/page HTTP/1.1\r\nHost: gate.test\r\n\r\n";

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n[server]\nworkers = 2\n";

/// Few enough for a test to use up.
pub(super) const DESCRIPTORS: u32 = 128;

/// More connections than there are descriptors.
const FLOOD: usize = 400;

pub(super) const MADE_ROOM: &str = "connections without a request are closed to make room";

async fn is_alive(admin: &str) -> bool {
    let mut wire = Wire::connect(admin).await;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    wire.send(request).await;
    wire.head().await.status() == 200
}

/// How many connections were closed for this reason.
pub(super) async fn closed(admin: &str, reason: &str) -> u64 {
    let mut wire = Wire::connect(admin).await;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    wire.send(request).await;
    let response = wire.response().await;
    let name = format!("wsgate_connections_closed_total{{reason=\"{reason}\"}} ");
    let mut lines = response.text().lines();
    let count = lines.find_map(|line| line.strip_prefix(&name));
    count.expect("a sample").parse().expect("a number")
}

/// Connections that say nothing, and as many that begin a request and leave it at that.
pub(super) async fn flood(address: &str) -> Vec<Wire> {
    let mut idle = Vec::with_capacity(FLOOD);
    for index in 0..FLOOD {
        let mut wire = Wire::connect(address).await;
        if index % 2 == 1 {
            wire.try_send("G").await;
        }
        idle.push(wire);
    }
    idle
}

#[tokio::test]
async fn idle_connections_are_evicted_to_make_room_for_others() {
    let echo = Echo::start().await;
    let program = Program::run_limited(&settings(echo.url(), ADMIN), DESCRIPTORS).await;
    let admin = program.admin().await;
    let mut sessions = Vec::new();
    for _ in 0..8 {
        sessions.push(Socket::open(&program.address, "/ws/").await);
    }
    let mut idle = flood(&program.address).await;

    let mut fresh = Socket::open(&program.address, "/ws/").await;
    fresh.echoes("there was a place").await;
    for session in &mut sessions {
        session.echoes("not disturbed").await;
    }
    assert!(is_alive(&admin).await);

    // Who came first went first, and was told: its request may have been on its way.
    for evicted in &mut idle[..2] {
        let told = String::from_utf8(evicted.end().await).unwrap();
        assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
        assert!(told.contains("\r\nretry-after: "), "{told}");
        assert!(told.contains("\r\nconnection: close\r\n"), "{told}");
    }
    // Who came last is still there.
    let mut last = idle.pop().unwrap();
    let handshake = websocket("/ws/", &program.address, "");
    last.send(&handshake[1..]).await;
    assert_eq!(last.head().await.status(), 101);

    let line = program.event(MADE_ROOM).await;
    assert_eq!(line["reason"], "overload");
    assert!(closed(&admin, "reclaimed").await > 0);
    assert_eq!(closed(&admin, "turned_away").await, 0);
    let log = program.stop().await;
    let lines = log.matches(MADE_ROOM).count();
    assert!((1..5).contains(&lines), "not one a connection: {log}");
    assert!(!log.contains("cannot be accepted"), "{log}");
}

#[tokio::test]
async fn a_request_that_is_being_answered_is_never_closed_to_make_room() {
    let upstream = Upstream::start().await;
    let text = settings(upstream.url(), "http = \"forward\"");
    let program = Program::run_limited(&text, DESCRIPTORS).await;
    let mut client = Wire::connect(&program.address).await;
    client.send(REQUEST).await;
    let (mut server, _) = upstream.request().await;
    let _idle = flood(&program.address).await;
    program.event(MADE_ROOM).await;
    server
        .send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 8\r\n\r\nanswered")
        .await;
    assert_eq!(client.response().await.text(), "answered");
    // Now it waits like the others, but not for as long: it is not the first to go.
    client.send(REQUEST).await;
    tokio::select! {
        _ = upstream.request() => {}
        end = client.end() => panic!("{:?} {}", String::from_utf8_lossy(&end), program.stop().await),
    }
}

#[tokio::test]
async fn more_requests_than_there_are_descriptors_are_told_to_come_back() {
    let upstream = Upstream::start().await;
    let more = format!("http.response_timeout = \"5s\"\n{ADMIN}");
    let program = Program::run_limited(&settings(upstream.url(), &more), 64).await;
    let mut first = Wire::connect(&program.address).await;
    first.send(REQUEST).await;
    let (mut server, _) = upstream.request().await;
    let mut others = Vec::new();
    for _ in 0..60 {
        let mut wire = Wire::connect(&program.address).await;
        wire.try_send(REQUEST).await;
        others.push(wire);
    }
    // Who was first is answered whatever became of the others.
    assert!(is_alive(&program.admin().await).await);
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(first.response().await.text(), "ok");
    // The last come when no connection can be evicted for them. Only a few of those are waited for: the
    // others may see a reset before the answer.
    let mut refused = Vec::new();
    while !refused.starts_with(b"HTTP/1.1 503 ") {
        let mut last = others.pop().expect("one that is refused");
        refused = last.end().await;
    }
    let refused = String::from_utf8(refused).unwrap();
    assert!(refused.contains("\r\nretry-after: 5\r\n"), "{refused}");
    let log = program.stop().await;
    assert!(log.contains("\"reason\":\"overload\""), "{log}");
    assert!(!log.contains("Too many open files"), "{log}");
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending_its_body() {
    let program = Program::run(&settings("ws://127.0.0.1:1", "http = \"forward\"")).await;
    let chunk = vec![b'x'; 8 * 1024];
    for begun in [0, 1, 16] {
        let mut client = Wire::connect(&program.address).await;
        let head = "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
        client
            .send([head.as_bytes(), &chunk.repeat(begun)].concat())
            .await;
        assert_eq!(client.response().await.status(), 404, "{begun}");
        for _ in 0..8 {
            assert!(client.try_send(&chunk).await, "{begun}");
        }
        assert_eq!(client.rest().await.expect("no reset"), b"", "{begun}");
    }
    program.stop().await;
}

#[tokio::test]
async fn a_connection_between_two_requests_has_a_deadline_for_each_part() {
    let upstream = Upstream::start().await;
    // Whichever limit does not hold would be waited for in vain.
    for (limits, begun, answer) in [
        (
            "handshake_timeout = \"1h\"\nkeepalive_timeout = \"300ms\"",
            "",
            "",
        ),
        (
            "handshake_timeout = \"300ms\"\nkeepalive_timeout = \"1h\"",
            "GET /ws/",
            "HTTP/1.1 408 Request Timeout\r\n",
        ),
    ] {
        let more = format!("http = \"forward\"\n[server]\n{limits}");
        let program = Program::run(&settings(upstream.url(), &more)).await;
        let mut client = Wire::connect(&program.address).await;
        client.send(REQUEST).await;
        let (mut server, _) = upstream.request().await;
        server
            .send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
            .await;
        assert_eq!(client.response().await.text(), "ok");
        client.send(begun).await;
        let end = String::from_utf8(client.end().await).unwrap();
        assert!(end.starts_with(answer), "{end}");
        assert_eq!(end.is_empty(), answer.is_empty(), "{end}");
        let log = program.stop().await;
        let lines = log.matches("handshake_timeout").count();
        assert_eq!(lines, usize::from(!answer.is_empty()), "{log}");
    }
}

#[tokio::test]
async fn a_head_that_began_does_not_hold_up_a_stop() {
    let more = "[server]\nhandshake_timeout = \"1h\"\n[drain]\ndeadline = \"1h\"\nspread = \"0s\"";
    let program = Program::run(&settings("ws://127.0.0.1:1", more)).await;
    let mut begun = Wire::connect(&program.address).await;
    begun.send("GET /ws/ HTTP/1.1\r\n").await;
    // The byte before is read by the time that this is.
    let mut other = Wire::connect(&program.address).await;
    other.send("nonsense\r\n\r\n").await;
    other.end().await;
    let log = program.stop().await;
    assert!(!log.contains("cut off"), "{log}");
    begun.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off_on_both_sides() {
    let upstream = Upstream::start().await;
    let more = "http.write_timeout = \"300ms\"";
    let program = Program::run(&settings(upstream.url(), more)).await;
    let mut client = Wire::connect(&program.address).await;
    client.send(REQUEST).await;
    let (mut server, _) = upstream.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    client.head().await;
    let chunk = [b"10000\r\n", &vec![b'x'; 0x10000][..], b"\r\n"].concat();
    // Until the program hangs up.
    let endless = async { while server.try_send(&chunk).await {} };
    soon("the server to be let go", endless).await;
    let line = program.event("request forwarded").await;
    assert_eq!(line["reason"], "slow_client");
    let log = program.stop().await;
    assert_eq!(log.matches("slow_client").count(), 1, "{log}");
}

#[tokio::test]
async fn what_is_no_http_leaves_one_line_without_its_bytes() {
    let program = Program::run(&settings("ws://127.0.0.1:1", "")).await;
    let hello = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03\xde\xad\xbe\xef\x1b[31mhello\xff";
    let mut wire = Wire::connect(&program.address).await;
    wire.send(hello).await;
    assert_eq!(wire.head().await.status(), 400);
    assert_eq!(wire.end().await, b"");
    let log = program.stop().await;
    assert_eq!(log.matches("rejected").count(), 1, "{log}");
    assert!(!log.contains("hello"), "{log}");
}

#[tokio::test]
async fn a_flood_of_leading_line_ends_or_of_single_bytes_ends_at_the_limit() {
    let more = "[server]\nhead_size = \"8KiB\"";
    let program = Program::run(&settings("ws://127.0.0.1:1", more)).await;
    for (start, byte, status) in [
        ("", "\n", 400),
        ("GET /", "x", 414),
        ("GET /ws/ HTTP/1.1\r\nX: ", "x", 431),
    ] {
        let mut wire = Wire::connect(&program.address).await;
        wire.send(start).await;
        for _ in 0..8 * 1024 {
            wire.try_send(byte).await;
        }
        assert_eq!(wire.head().await.status(), status, "{start}");
        tokio::time::timeout(crate::kit::AT_ONCE, wire.end())
            .await
            .expect("closed");
    }
}
