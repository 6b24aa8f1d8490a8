//! The lines and counts of plain requests that were forwarded.

use serde_json::{Value, json};

use super::admin::ask;
use super::forward::HOST;
use crate::kit::{Program, Upstream, Wire, settings, soon};

const ADMIN: &str = "http = \"forward\"\n[admin]\naddress = \"127.0.0.1:0\"\n";

const FORWARDED: &str = "request forwarded";

/// The value of a sample of `GET /metrics`.
async fn sample(admin: &str, name: &str) -> Option<f64> {
    let answer = ask(admin, "GET /metrics", "").await;
    let mut values = answer.text().lines().filter_map(|line| {
        let (sample, value) = line.rsplit_once(' ')?;
        (sample == name).then(|| value.parse().unwrap())
    });
    values.next()
}

fn outcome(outcome: &str, status: &str) -> String {
    format!(
        "wsgate_plain_requests_total{{route=\"chat\",outcome=\"{outcome}\",status=\"{status}\"}}"
    )
}

#[tokio::test]
async fn a_forwarded_request_is_a_line_and_a_count_when_its_response_is_over() {
    let upstream = Upstream::start().await;
    let program = Program::run(&settings(upstream.url(), ADMIN)).await;
    let admin = program.admin().await;
    let open = "wsgate_plain_requests_open{route=\"chat\"}";
    let mut client = Wire::connect(&program.address).await;
    client
        .send(format!(
            "POST /ws/a%7eb?token=c4nary HTTP/1.1\r\n{HOST}Content-Length: 5\r\n\r\nhello"
        ))
        .await;
    let (mut server, request) = upstream.request().await;
    assert_eq!(server.body(&request).await, b"hello");
    server
        .send("HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno")
        .await;
    assert_eq!(client.head().await.status(), 403);
    assert_eq!(client.take(2).await, b"no");
    assert_eq!(sample(&admin, open).await, Some(1.0));
    assert!(program.events(FORWARDED).is_empty(), "it is not over");
    server.send(" way").await;
    assert_eq!(client.take(4).await, b" way");

    let line = program.event(FORWARDED).await;
    let expected = json!({
        "level": "INFO", "target": "wsgate::access", "message": FORWARDED,
        "reason": "forwarded", "status": 403, "method": "POST", "path": "/ws/a~b",
        "route": "chat", "client": "127.0.0.1", "upstream": "chat", "server": upstream.url(),
        "client_bytes": 5, "upstream_bytes": 6, "http_version": "h1",
        "timestamp": line["timestamp"], "peer": line["peer"],
        "duration_ms": line["duration_ms"], "upstream_head_ms": line["upstream_head_ms"],
    });
    assert_eq!(line, expected);
    assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    let duration = line["duration_ms"].as_u64().unwrap();
    assert!(line["upstream_head_ms"].as_u64().unwrap() <= duration);
    for (name, value) in [
        (&*outcome("forwarded", "4xx"), 1.0),
        (open, 0.0),
        (
            "wsgate_plain_bytes_total{route=\"chat\",from=\"client\"}",
            5.0,
        ),
        (
            "wsgate_plain_bytes_total{route=\"chat\",from=\"upstream\"}",
            6.0,
        ),
        (
            "wsgate_plain_request_duration_seconds_count{route=\"chat\"}",
            1.0,
        ),
        (
            "wsgate_plain_response_head_duration_seconds_count{route=\"chat\"}",
            1.0,
        ),
    ] {
        assert_eq!(sample(&admin, name).await, Some(value), "{name}");
    }
    let log = program.stop().await;
    assert!(!log.contains("c4nary"), "{log}");
}

#[tokio::test]
async fn an_applications_own_refusal_is_told_from_the_gates() {
    let upstream = Upstream::start().await;
    let more = format!(
        "http.origin = \"check\"\n{}",
        ADMIN.split_once('\n').unwrap().1
    );
    let program = Program::run(&settings(upstream.url(), &more)).await;
    let admin = program.admin().await;
    let get = format!("GET /ws/page HTTP/1.1\r\n{HOST}");
    let mut client = Wire::connect(&program.address).await;
    client.send(format!("{get}\r\n")).await;
    let (mut server, _) = upstream.request().await;
    server
        .send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(client.response().await.status(), 403);
    client
        .send(format!("{get}Origin: http://evil.test\r\n\r\n"))
        .await;
    assert_eq!(client.response().await.status(), 403);

    assert_eq!(program.event(FORWARDED).await["reason"], "forwarded");
    let rejected = program.event("request rejected").await;
    assert_eq!(rejected["reason"], "origin_denied");
    assert_eq!(rejected["method"], "GET");
    for word in ["forwarded", "origin_denied"] {
        let counted = sample(&admin, &outcome(word, "4xx")).await;
        assert_eq!(counted, Some(1.0), "{word}");
    }
    let open = "wsgate_plain_requests_open{route=\"chat\"}";
    assert_eq!(sample(&admin, open).await, Some(0.0));
}

/// What a server sends, before which of the two goes.
struct Ending {
    sends: &'static str,
    leaves: Option<Leaves>,
    reason: &'static str,
    status: &'static str,
    bytes: u64,
}

enum Leaves {
    Client,
    Server,
}

#[tokio::test]
async fn a_request_that_breaks_off_says_who_it_was() {
    const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf";
    let upstream = Upstream::start().await;
    let more = format!(
        "http.idle_timeout = \"300ms\"\n{}",
        ADMIN.split_once('\n').unwrap().1
    );
    let program = Program::run(&settings(upstream.url(), &more)).await;
    let admin = program.admin().await;
    let cases = [
        Ending {
            sends: "",
            leaves: Some(Leaves::Client),
            reason: "abandoned",
            status: "",
            bytes: 0,
        },
        Ending {
            sends: HALF,
            leaves: Some(Leaves::Client),
            reason: "client_lost",
            status: "2xx",
            bytes: 4,
        },
        Ending {
            sends: HALF,
            leaves: Some(Leaves::Server),
            reason: "upstream_lost",
            status: "2xx",
            bytes: 4,
        },
        // What is no chunk.
        Ending {
            sends: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nxyz\r\n",
            leaves: None,
            reason: "upstream_lost",
            status: "2xx",
            bytes: 4,
        },
        Ending {
            sends: HALF,
            leaves: None,
            reason: "upstream_idle",
            status: "2xx",
            bytes: 4,
        },
    ];
    for (index, case) in cases.iter().enumerate() {
        let name = outcome(case.reason, case.status);
        let before = sample(&admin, &name).await.unwrap_or_default();
        let mut client = Wire::connect(&program.address).await;
        client
            .send(format!("GET /ws/{index} HTTP/1.1\r\n{HOST}\r\n"))
            .await;
        let (mut server, _) = upstream.request().await;
        server.send(case.sends).await;
        if !case.sends.is_empty() {
            client.head().await;
        }
        if case.sends == HALF {
            assert_eq!(client.take(4).await, b"half");
        }
        let mut ends = (Some(client), Some(server));
        match case.leaves {
            Some(Leaves::Client) => ends.0 = None,
            Some(Leaves::Server) => ends.1 = None,
            None => {}
        }
        let line = program.nth_event(index, FORWARDED).await;
        let told = (&line["reason"], &line["path"], &line["upstream_bytes"]);
        let path = format!("/ws/{index}");
        assert_eq!(
            told,
            (&json!(case.reason), &json!(path), &json!(case.bytes)),
            "{line}"
        );
        assert_eq!(line["status"].is_null(), case.status.is_empty(), "{line}");
        assert_eq!(line["server"], upstream.url(), "{line}");
        let failed = case.reason.starts_with("upstream");
        assert_eq!(line["error"].is_string(), failed, "{line}");
        assert_eq!(sample(&admin, &name).await, Some(before + 1.0), "{name}");
        drop(ends);
    }
    let open = "wsgate_plain_requests_open{route=\"chat\"}";
    assert_eq!(sample(&admin, open).await, Some(0.0));
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_body_has_abandoned_it() {
    let upstream = Upstream::start().await;
    let program = Program::run(&settings(upstream.url(), ADMIN)).await;
    let admin = program.admin().await;
    let abandoned = outcome("abandoned", "");
    for (index, part) in ["Content-Length: 8\r\n\r\nhalf", CHUNK].iter().enumerate() {
        let mut client = Wire::connect(&program.address).await;
        client
            .send(format!("POST /ws/page HTTP/1.1\r\n{HOST}{part}"))
            .await;
        let _server = upstream.request().await;
        drop(client);
        let line = program.nth_event(index, FORWARDED).await;
        assert_eq!(line["reason"], "abandoned", "{line}");
        assert_eq!(line["client_bytes"], 4, "{line}");
        assert_eq!(line["status"], Value::Null, "{line}");
        let counted = sample(&admin, &abandoned).await;
        assert_eq!(counted, Some(index as f64 + 1.0));
    }
    // What is malformed is answered.
    let mut client = Wire::connect(&program.address).await;
    client
        .send(format!("POST /ws/page HTTP/1.1\r\n{HOST}{CHUNK}xyz\r\n"))
        .await;
    assert_eq!(client.response().await.status(), 400);
    let counted = sample(&admin, &outcome("bad_body", "4xx")).await;
    assert_eq!(counted, Some(1.0));
}

/// The head of a body in chunks, and the first of them.
const CHUNK: &str = "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";

#[tokio::test]
async fn the_response_to_head_is_whole_without_a_body() {
    let upstream = Upstream::start().await;
    let program = Program::run(&settings(upstream.url(), ADMIN)).await;
    let mut client = Wire::connect(&program.address).await;
    client
        .send(format!("HEAD /ws/page HTTP/1.1\r\n{HOST}\r\n"))
        .await;
    let (mut server, _) = upstream.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        .await;
    assert_eq!(client.head().await.status(), 200);
    let line = program.event(FORWARDED).await;
    let told = ["reason", "method", "upstream_bytes"].map(|field| line[field].clone());
    assert_eq!(told, [json!("forwarded"), json!("HEAD"), json!(0)]);
}

#[tokio::test]
async fn a_request_that_is_still_running_at_the_deadline_of_a_stop_is_cut() {
    let upstream = Upstream::start().await;
    let more = format!("{ADMIN}[drain]\nspread = \"0s\"\ndeadline = \"1s\"\n");
    let program = Program::run(&settings(upstream.url(), &more)).await;
    let mut client = Wire::connect(&program.address).await;
    client
        .send(format!("GET /ws/events HTTP/1.1\r\n{HOST}\r\n"))
        .await;
    let (mut server, _) = upstream.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    client.head().await;
    // Its server has not answered yet.
    let mut waiting = Wire::connect(&program.address).await;
    waiting
        .send(format!("GET /ws/slow HTTP/1.1\r\n{HOST}\r\n"))
        .await;
    let _silent = upstream.request().await;
    let log = program.stop().await;
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    for (path, status) in [("/ws/events", json!(200)), ("/ws/slow", Value::Null)] {
        let is_its = |line: &&Value| line["message"] == FORWARDED && line["path"] == path;
        let line = lines.iter().find(is_its).unwrap();
        assert_eq!(line["reason"], "cut", "{log}");
        assert_eq!(line["status"], status, "{log}");
    }
}

#[tokio::test]
async fn without_access_lines_requests_are_counted_all_the_same() {
    let upstream = Upstream::start().await;
    let text = settings(upstream.url(), ADMIN).replace("[log]\n", "[log]\naccess = false\n");
    let program = Program::run(&text).await;
    let admin = program.admin().await;
    let mut events = Wire::connect(&admin).await;
    events
        .send(format!(
            "GET /events?kind=forward HTTP/1.1\r\nHost: {admin}\r\n\r\n"
        ))
        .await;
    assert_eq!(events.head().await.status(), 200);
    assert_eq!(events.chunk().await, b": listening\n\n");
    let mut client = Wire::connect(&program.address).await;
    client
        .send(format!("GET /ws/page HTTP/1.1\r\n{HOST}\r\n"))
        .await;
    let (mut server, _) = upstream.request().await;
    server
        .send("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno")
        .await;
    assert_eq!(client.response().await.status(), 503);
    let event = soon("the event", events.chunk()).await;
    let event = String::from_utf8(event).unwrap();
    assert!(event.contains("\nevent: forward\n"), "{event}");
    assert!(event.contains("\"status\":503"), "{event}");
    let counted = sample(&admin, &outcome("forwarded", "5xx")).await;
    assert_eq!(counted, Some(1.0));
    let log = program.stop().await;
    assert!(!log.contains(FORWARDED), "{log}");
}
