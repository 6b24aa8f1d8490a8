//! What happens, as it happens.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::super::kit::{Echo, Program, Socket, Wire, settings, websocket};
use super::{ADMIN, ask};

/// A stream of events.
struct Stream {
    wire: Wire,
    read: String,
}

impl Stream {
    async fn open(admin: &str, target: &str) -> Self {
        let mut wire = Wire::connect(admin).await;
        wire.send(format!("GET {target} HTTP/1.1\r\nHost: {admin}\r\n\r\n"))
            .await;
        let head = wire.head().await;
        assert_eq!(
            (head.status(), head.one("content-type")),
            (200, "text/event-stream")
        );
        let mut stream = Self {
            wire,
            read: String::new(),
        };
        assert_eq!(stream.block().await.unwrap(), ": listening");
        stream
    }

    /// What stands before the next empty line; `None` at the stream's own end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                return Some(block);
            }
            let chunk = self.wire.chunk().await;
            if chunk.is_empty() {
                assert_eq!(self.read, "");
                return None;
            }
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Number, kind and data of the next event.
    async fn event(&mut self) -> Option<(u64, String, Value)> {
        let block = self.block().await?;
        let lines: Vec<_> = block.lines().collect();
        let [id, event, data] = lines[..] else {
            panic!("{block}");
        };
        let number = id.strip_prefix("id: ").unwrap().parse().unwrap();
        let kind = event.strip_prefix("event: ").unwrap().to_owned();
        let data = data.strip_prefix("data: ").unwrap();
        Some((number, kind, serde_json::from_str(data).unwrap()))
    }
}

/// A handshake that no route takes.
async fn rejected(program: &Program) {
    let mut wire = Wire::connect(&program.address).await;
    wire.send(websocket("/nowhere?token=c4nary", &program.address, ""))
        .await;
    assert_eq!(wire.response().await.status(), 404);
}

#[tokio::test]
async fn sessions_and_refusals_are_streamed_as_they_happen() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), ADMIN)).await;
    let admin = program.admin().await;
    let mut stream = Stream::open(&admin, "/events").await;
    let mut socket = Socket::open(&program.address, "/ws/?token=c4nary").await;
    let (number, kind, opened) = stream.event().await.unwrap();
    let listed = ask(&admin, "GET /sessions", "").await.json();
    let session = &listed["sessions"][0];
    assert_eq!((number, kind.as_str()), (1, "open"));
    let about = json!({
        "id": session["id"], "name": session["name"], "route": "chat", "client": "127.0.0.1", "peer": session["peer"], "tls": null,
        "http_version": "h1", "upstream": "chat", "server": echo.url(), "opened": session["opened"],
        "time": opened["time"],
    });
    assert_eq!(opened, about);
    socket.echoes("hello").await;
    rejected(&program).await;
    let (number, kind, refused) = stream.event().await.unwrap();
    let expected = json!({
        "reason": "no_route", "status": 404, "kind": "websocket", "method": "GET", "route": null, "client": "127.0.0.1",
        "path": "/nowhere", "header": null, "rule": null, "line": null,
        "peer": refused["peer"], "http_version": "h1", "upstream": null, "server": null, "error": null,
        "time": refused["time"],
    });
    assert_eq!((number, kind.as_str(), refused), (2, "reject", expected));
    let mut malformed = Wire::connect(&program.address).await;
    malformed.send("no HTTP at all\r\n\r\n").await;
    malformed.end().await;
    let (_, kind, refused) = stream.event().await.unwrap();
    let told = (kind.as_str(), &refused["reason"], &refused["client"]);
    assert_eq!(told, ("reject", &json!("bad_request"), &Value::Null));
    socket.close().await;
    let (number, kind, closed) = stream.event().await.unwrap();
    assert_eq!((number, kind.as_str()), (4, "close"));
    for (key, value) in about
        .as_object()
        .unwrap()
        .iter()
        .filter(|(key, _)| *key != "time")
    {
        assert_eq!(closed[key], *value, "{key}");
    }
    let logged = program.event("session closed").await;
    for (key, logged_as) in [
        ("duration_ms", "duration_ms"),
        ("messages_from_client", "client_messages"),
        ("bytes_from_client", "client_bytes"),
        ("messages_from_upstream", "upstream_messages"),
        ("bytes_from_upstream", "upstream_bytes"),
        ("closed_by", "closed_by"),
        ("reason", "reason"),
    ] {
        // The log is written a moment before.
        match key {
            "duration_ms" => assert!(closed[key].as_u64() >= logged[logged_as].as_u64()),
            _ => assert_eq!(closed[key], logged[logged_as], "{key}"),
        }
    }
    assert_eq!(closed["code"], Value::Null);
    assert!(!program.stop().await.contains("c4nary"));
}

#[tokio::test]
async fn a_stream_has_only_the_events_of_its_query() {
    let echo = Echo::start().await;
    let more =
        format!("[[route]]\nname = \"feed\"\npath = \"/feed/*\"\nupstream = \"chat\"\n{ADMIN}");
    let program = Program::run(&settings(echo.url(), &more)).await;
    let admin = program.admin().await;
    let mut closes = Stream::open(&admin, "/events?kind=close,reject&route=feed").await;
    let mut refusals = Stream::open(&admin, "/events?kind=reject").await;
    for target in ["/ws/", "/feed/", "/ws/"] {
        Socket::open(&program.address, target).await.close().await;
    }
    rejected(&program).await;
    let (_, kind, closed) = closes.event().await.unwrap();
    assert_eq!((kind.as_str(), &closed["route"]), ("close", &json!("feed")));
    let (_, kind, refused) = refusals.event().await.unwrap();
    assert_eq!(
        (kind.as_str(), &refused["reason"]),
        ("reject", &json!("no_route"))
    );
    for (query, problem) in [
        (
            "kind=opened",
            "`kind`: give some of open, close, reject, forward, with commas between",
        ),
        ("kind=", "`kind`: give some of"),
        (
            "kinds=open",
            "key 1 of the query is unknown: the keys are route, kind",
        ),
    ] {
        let answer = ask(&admin, &format!("GET /events?{query}"), "").await;
        assert_eq!(answer.status(), 400, "{query}");
        assert!(
            answer.text().contains(problem),
            "{query}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn eight_streams_may_be_open_and_other_requests_are_still_answered() {
    let program = Program::run(&settings("ws://127.0.0.1:1", ADMIN)).await;
    let admin = program.admin().await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(Stream::open(&admin, "/events").await);
    }
    let ninth = ask(&admin, "GET /events", "").await;
    assert_eq!(ninth.status(), 503);
    assert_eq!(
        ninth.json()["error"],
        "there are 8 subscribers already: end one of them"
    );
    assert_eq!(ask(&admin, "GET /sessions", "").await.status(), 200);
    rejected(&program).await;
    for stream in &mut streams {
        assert_eq!(stream.event().await.unwrap().1, "reject");
    }
    // Who only looks whether it is there does not listen.
    drop(streams);
    let head = "HEAD /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    super::super::kit::soon("room for another", async {
        loop {
            let mut wire = Wire::connect(&admin).await;
            wire.send(head).await;
            if wire.head().await.status() == 200 {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_drain_is_the_end_of_a_stream() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), ADMIN)).await;
    let admin = program.admin().await;
    let mut socket = Socket::open(&program.address, "/ws/").await;
    let mut stream = Stream::open(&admin, "/events").await;
    assert_eq!(ask(&admin, "POST /drain", "").await.status(), 202);
    assert_eq!(socket.closed().await.0, 1001);
    socket.end().await;
    let (_, kind, closed) = stream.event().await.unwrap();
    assert_eq!(
        (kind.as_str(), &closed["reason"]),
        ("close", &json!("drain"))
    );
    assert_eq!(stream.event().await, None);
    let late = ask(&admin, "GET /events", "").await;
    assert_eq!(late.status(), 503, "{}", late.text());
}

#[tokio::test]
async fn a_stop_ends_a_stream_in_order_and_is_not_held_up_by_it() {
    let echo = Echo::start().await;
    let mut program = Program::run(&settings(echo.url(), ADMIN)).await;
    let admin = program.admin().await;
    let mut socket = Socket::open(&program.address, "/ws/").await;
    let mut stream = Stream::open(&admin, "/events").await;
    program.signal(Signal::TERM);
    assert_eq!(socket.closed().await.0, 1001);
    socket.end().await;
    assert_eq!(stream.event().await.unwrap().1, "close");
    assert_eq!(stream.event().await, None);
    assert_eq!(program.ended().await.0, Some(0));
}

#[tokio::test]
async fn an_interface_that_goes_elsewhere_ends_its_streams() {
    let text = settings("ws://127.0.0.1:1", ADMIN);
    let program = Program::run(&text).await;
    let admin = program.admin().await;
    let mut stream = Stream::open(&admin, "/events").await;
    rejected(&program).await;
    assert_eq!(stream.event().await.unwrap().1, "reject");
    let elsewhere = program.file("admin.sock");
    let elsewhere = format!("[admin]\naddress = \"unix:{}\"\n", elsewhere.display());
    program.rewrite(&text.replace(ADMIN, &elsewhere));
    assert_eq!(ask(&admin, "POST /reload", "").await.status(), 200);
    assert_eq!(stream.event().await, None);
    stream.wire.end().await;
}
