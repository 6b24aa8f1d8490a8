//! The admin interface.

mod events;
mod expiry;
mod openapi;
mod sessions;
mod settings;
mod tls;
mod upstreams;

use serde_json::json;

use super::kit::{Echo, Program, Response, Socket, Wire, settings, websocket};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

/// One request, with further lines (each with its line end), on a connection of its own.
pub(super) async fn ask(admin: &str, line: &str, lines: &str) -> Response {
    let mut wire = Wire::connect(admin).await;
    wire.send(format!("{line} HTTP/1.1\r\nHost: {admin}\r\n{lines}\r\n"))
        .await;
    let head = wire.head().await;
    let body = match head.status() {
        204 => Vec::new(),
        _ => wire.body(&head).await,
    };
    Response { head, body }
}

/// A PATCH with this body.
pub(super) async fn patch(admin: &str, target: &str, body: &str) -> Response {
    // The end of the head is the end of the body as well here, where it is a space.
    let length = body.len() + 2;
    let lines = format!("Content-Length: {length}\r\n\r\n{body}");
    ask(admin, &format!("PATCH {target}"), &lines).await
}

async fn status(admin: &str, line: &str, lines: &str) -> u16 {
    ask(admin, line, lines).await.status()
}

#[tokio::test]
async fn sessions_are_listed_and_can_be_closed() {
    let echo = Echo::start().await;
    // The session and the interface are on one thread: what a peer has seen is counted before the next
    // answer.
    let more = format!("{ADMIN}[server]\nworkers = 1\n");
    let program = Program::run(&settings(echo.url(), &more)).await;
    let admin = program.admin().await;
    let none = ask(&admin, "GET /sessions", "").await;
    let empty = json!({"sessions": [], "total": 0, "next": null});
    assert_eq!((none.status(), none.json()), (200, empty));
    assert_eq!(none.head.one("content-type"), "application/json");
    assert_eq!(none.head.one("cache-control"), "no-store");

    let mut socket = Socket::open(&program.address, "/ws/room?token=c4nary").await;
    socket.echoes("hello").await;
    let mut other = Socket::open(&program.address, "/ws/").await;
    let listed = ask(&admin, "GET /sessions", "").await.json();
    let first = &listed["sessions"][0];
    let id = first["id"].as_u64().unwrap();
    let expected = json!({
        "id": id,
        "name": first["name"],
        "route": "chat",
        "client": "127.0.0.1",
        "peer": first["peer"],
        "tls": null,
        "http_version": "h1",
        "upstream": "chat",
        "server": echo.url(),
        "opened": first["opened"],
        "age_seconds": first["age_seconds"],
        "idle_seconds": first["idle_seconds"],
        "messages_from_client": 1,
        "bytes_from_client": 11,
        "messages_from_upstream": 1,
        "bytes_from_upstream": 7,
    });
    assert_eq!(*first, expected);
    let seconds = |key: &str| first[key].as_u64().unwrap();
    assert!(seconds("idle_seconds") <= seconds("age_seconds"));
    let peer = first["peer"].as_str().unwrap();
    assert!(peer.starts_with("127.0.0.1:"), "{peer}");
    let opened = first["opened"].as_str().unwrap();
    assert!(
        opened.starts_with("20") && opened.ends_with('Z'),
        "{opened}"
    );
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 2);

    let close = format!("DELETE /sessions/{id}");
    assert_eq!(status(&admin, &close, "").await, 204);
    let farewell = (1001, "closed by an administrator".to_owned());
    assert_eq!(socket.closed().await, farewell);
    socket.end().await;
    let closed = program.event("session closed").await;
    assert_eq!(
        (&closed["reason"], &closed["id"]),
        (&"kicked".into(), &id.to_string().into())
    );
    assert_eq!(status(&admin, &close, "").await, 404);
    other.echoes("not disturbed").await;

    for (line, expected) in [
        ("GET /", 404),
        ("DELETE /sessions/nobody", 404),
        ("POST /sessions", 405),
        ("DELETE /sessions", 400),
        ("GET /drain", 405),
        ("GET /sessions/1", 405),
    ] {
        assert_eq!(status(&admin, line, "").await, expected, "{line}");
    }
}

#[tokio::test]
async fn the_probes_report_that_it_is_alive_and_whether_it_is_ready() {
    let echo = Echo::start().await;
    let more =
        format!("timeouts.close = \"1h\"\n{ADMIN}[drain]\nspread = \"0s\"\ndeadline = \"1h\"");
    let mut program = Program::run(&settings(echo.url(), &more)).await;
    let admin = program.admin().await;
    let ready = ask(&admin, "GET /readyz", "").await;
    assert_eq!(
        (ready.status(), ready.json()),
        (200, json!({"ready": true}))
    );
    // A client that does not answer its close keeps the drain waiting.
    let mut stuck = Wire::connect(&program.address).await;
    stuck.send(websocket("/ws/", &program.address, "")).await;
    assert_eq!(stuck.head().await.status(), 101);
    program.signal(rustix::process::Signal::TERM);
    program.event("draining").await;
    let ready = ask(&admin, "GET /readyz", "").await;
    assert_eq!(
        (ready.status(), ready.json()),
        (503, json!({"ready": false}))
    );
    assert_eq!(status(&admin, "GET /healthz", "").await, 200);
    let listed = ask(&admin, "GET /sessions", "").await.json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
    drop(stuck);
    assert_eq!(program.ended().await.0, Some(0));
}

#[tokio::test]
async fn a_drain_closes_every_session_and_the_process_stays() {
    let echo = Echo::start().await;
    let more = format!("{ADMIN}[drain]\nspread = \"0s\"");
    let program = Program::run(&settings(echo.url(), &more)).await;
    let admin = program.admin().await;
    let mut socket = Socket::open(&program.address, "/ws/").await;
    let drain = ask(&admin, "POST /drain", "Content-Length: 0\r\n").await;
    assert_eq!(drain.status(), 202);
    assert_eq!(drain.json(), json!({"draining": true, "sessions": 1}));
    assert_eq!(socket.closed().await.0, 1001);
    socket.end().await;
    let mut late = Wire::connect(&program.address).await;
    late.send(websocket("/ws/", &program.address, "")).await;
    assert_eq!(late.response().await.status(), 503);
    assert_eq!(status(&admin, "GET /readyz", "").await, 503);
    assert_eq!(status(&admin, "GET /healthz", "").await, 200);
    program.stop().await;
}

#[tokio::test]
async fn where_a_token_is_set_it_has_to_be_right() {
    let more = format!("{ADMIN}token = \"${{WSGATE_TEST_TOKEN}}\"");
    let variables = [("WSGATE_TEST_TOKEN", "right-t0ken")];
    let program = Program::run_with(&settings("ws://127.0.0.1:1", &more), &variables).await;
    let admin = program.admin().await;
    let bearer = |token: &str| format!("Authorization: {token}\r\n");
    for (lines, expected) in [
        (String::new(), 401),
        (bearer("Bearer wrong"), 401),
        (bearer("Bearer right-t0ke"), 401),
        (bearer("Bearer right-t0kenn"), 401),
        (bearer("Basic right-t0ken"), 401),
        (bearer("Bearer"), 401),
        (bearer("right-t0ken").repeat(2), 401),
        (bearer("Bearer right-t0ken").repeat(2), 401),
        (bearer("Bearer right-t0ken"), 200),
        (bearer("bearer right-t0ken"), 200),
    ] {
        let answer = ask(&admin, "GET /sessions", &lines).await;
        assert_eq!(answer.status(), expected, "{lines}");
        if expected == 401 {
            assert_eq!(answer.head.one("www-authenticate"), "Bearer");
        }
    }
    for line in ["POST /drain", "DELETE /sessions/1", "GET /nowhere"] {
        assert_eq!(status(&admin, line, "").await, 401, "{line}");
    }
    for line in ["GET /healthz", "GET /readyz"] {
        assert_eq!(status(&admin, line, "").await, 200, "{line}");
    }
    assert_eq!(
        status(&admin, "GET /sessions?token=right-t0ken", "").await,
        401
    );
    assert!(!program.stop().await.contains("right-t0ken"));
}

#[tokio::test]
async fn pages_of_other_sites_are_not_answered() {
    let program = Program::run(&settings("ws://127.0.0.1:1", ADMIN)).await;
    let admin = program.admin().await;
    for (lines, expected) in [
        (String::new(), 200),
        (format!("Origin: http://{admin}\r\n"), 200),
        ("Sec-Fetch-Site: none\r\n".to_owned(), 200),
        ("Origin: http://evil.test\r\n".to_owned(), 403),
        ("Origin: null\r\n".to_owned(), 403),
        ("Sec-Fetch-Site: cross-site\r\n".to_owned(), 403),
        ("Sec-Fetch-Site: same-site\r\n".to_owned(), 403),
    ] {
        for line in ["GET /sessions", "GET /readyz"] {
            assert_eq!(
                status(&admin, line, &lines).await,
                expected,
                "{line} {lines}"
            );
        }
    }
    let drain = "Origin: http://evil.test\r\nContent-Length: 0\r\n";
    assert_eq!(status(&admin, "POST /drain", drain).await, 403);
    assert_eq!(
        status(&admin, "GET /readyz", "").await,
        200,
        "it does not drain"
    );
    // A name that somebody's DNS points here.
    let mut rebound = Wire::connect(&admin).await;
    rebound
        .send("GET /sessions HTTP/1.1\r\nHost: evil.test\r\n\r\n")
        .await;
    assert_eq!(rebound.response().await.status(), 421);
}

#[tokio::test]
async fn an_address_that_others_reach_needs_a_token() {
    let more = "[admin]\naddress = \"0.0.0.0:0\"";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wsgate.toml");
    std::fs::write(&file, settings("ws://127.0.0.1:1", more)).unwrap();
    let wrong = super::kit::finish(&["run", file.to_str().unwrap()]).await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.stderr.contains("needs a token"), "{wrong:?}");
}
