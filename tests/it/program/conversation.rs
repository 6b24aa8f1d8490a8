//! The conversation with a server on routes with `http = "forward"`: requests that are tried again, answers
//! that come early, and expectations.

use std::time::Instant;

use rustix::process::Signal;

use super::forward::{HOST, forwarding};
use crate::kit::{Program, Upstream, Wire, settings};

pub(super) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

pub(super) fn request(method: &str, lines: &str) -> String {
    format!("{method} /ws/page HTTP/1.1\r\n{HOST}{lines}\r\n")
}

/// A client whose gate has an idle connection to the server.
async fn reused(upstream: &Upstream, program: &Program) -> (Wire, Wire) {
    let mut client = Wire::connect(&program.address).await;
    client.send(request("GET", "")).await;
    let (mut server, _) = upstream.request().await;
    server.send(OK).await;
    assert_eq!(client.response().await.text(), "ok");
    (client, server)
}

#[tokio::test]
async fn an_idempotent_request_whose_connection_ended_is_sent_on_another() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    for (method, lines) in [
        ("GET", ""),
        ("OPTIONS", ""),
        ("TRACE", ""),
        ("DELETE", ""),
        ("PUT", "Content-Length: 0\r\n"),
    ] {
        let (mut client, mut server) = reused(&upstream, &program).await;
        client.send(request(method, lines)).await;
        let first = server.head().await;
        // It crosses with the end of the connection.
        drop(server);
        let (mut server, again) = upstream.request().await;
        assert_eq!(again.line, first.line);
        assert_eq!(again.names(), first.names());
        server.send(OK).await;
        assert_eq!(client.response().await.text(), "ok", "{method}");
    }
    let log = program.stop().await;
    assert!(!log.contains("upstream_reset"), "{log}");
}

#[tokio::test]
async fn a_body_that_nothing_was_taken_of_is_sent_again() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let (mut client, mut server) = reused(&upstream, &program).await;
    client.send(request("PUT", "Content-Length: 4\r\n")).await;
    server.head().await;
    drop(server);
    let (mut server, again) = upstream.request().await;
    client.send("body").await;
    assert_eq!(server.body(&again).await, b"body");
    server.send(OK).await;
    assert_eq!(client.response().await.text(), "ok");
}

#[tokio::test]
async fn a_request_that_may_have_been_acted_on_is_not_repeated() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    for (method, lines, body, answer) in [
        ("POST", "Content-Length: 0\r\n", "", ""),
        ("PATCH", "Content-Length: 0\r\n", "", ""),
        ("POST", "Content-Length: 4\r\n", "body", ""),
        ("PUT", "Content-Length: 4\r\n", "body", ""),
        // The response has begun.
        ("GET", "", "", "HTTP/1.1 200 OK\r\nContent-Le"),
        ("GET", "", "", "HTTP/1.1 100 Continue\r\n\r\n"),
    ] {
        let (mut client, mut server) = reused(&upstream, &program).await;
        client.send(request(method, lines) + body).await;
        let head = server.head().await;
        if !body.is_empty() {
            assert_eq!(server.body(&head).await, body.as_bytes());
        }
        server.send(answer).await;
        drop(server);
        let response = client.response().await;
        assert_eq!(response.status(), 502, "{method}");
        assert!(upstream.untouched(), "{method} {lines}");
    }
}

#[tokio::test]
async fn a_server_that_closes_every_connection_is_one_failure() {
    let upstream = Upstream::start().await;
    let more = "http = \"forward\"\n[admin]\naddress = \"127.0.0.1:0\"";
    let program = Program::run(&settings(upstream.url(), more)).await;
    let admin = program.admin().await;
    let (mut client, mut server) = reused(&upstream, &program).await;
    client.send(request("GET", "")).await;
    server.head().await;
    drop(server);
    let (server, _) = upstream.request().await;
    drop(server);
    assert_eq!(client.response().await.status(), 502);
    assert!(upstream.untouched());
    let mut operator = Wire::connect(&admin).await;
    let get = format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    operator.send(get).await;
    let metrics = operator.response().await;
    let url = upstream.url();
    let counted = format!(
        "wsgate_upstream_failures_total{{upstream=\"chat\",server=\"{url}\",kind=\"plain\"}} 1\n"
    );
    assert!(metrics.text().contains(&counted), "{}", metrics.text());
    let log = program.stop().await;
    assert_eq!(log.matches("upstream_reset").count(), 1, "{log}");
}

/// More than sockets and buffers hold between the client and the server.
pub(super) const UPLOAD: usize = 8 * 1024 * 1024;

#[tokio::test]
async fn an_answer_to_an_upload_that_the_server_does_not_read_arrives() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let length = format!("Content-Length: {UPLOAD}\r\n");
    let closing = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n";
    for round in 0..60 {
        let (lines, whole) = [
            ("Content-Length: 9\r\n\r\ntoo large", true),
            ("Content-Length: 0\r\n\r\n", true),
            (
                "Transfer-Encoding: chunked\r\n\r\n9\r\ntoo large\r\n0\r\n\r\n",
                true,
            ),
            // It ends where the connection does, with or without a reset: that may be all of it or not.
            ("\r\ntoo large", false),
            ("\r\n", false),
        ][round % 5];
        let mut client = Wire::connect(&program.address).await;
        let body = vec![0; UPLOAD];
        // Such a client reads nothing before it has sent everything.
        let upload = async {
            client.send(request("POST", &length)).await;
            client.try_send(&body).await;
            let head = client.head().await;
            let body = client.end().await;
            (head, body)
        };
        let answer = async {
            let (mut server, _) = upstream.request().await;
            if round % 2 == 0 {
                server.take(UPLOAD / 8).await;
            }
            server.send(format!("{closing}{lines}")).await;
            // With the rest unread: a reset.
            drop(server);
        };
        let ((head, body), ()) = tokio::join!(upload, answer);
        assert_eq!(head.status(), 413, "round {round}");
        assert_eq!(head.all("connection"), ["close"], "round {round}");
        let body = String::from_utf8(body).unwrap();
        if whole {
            let (rest, _) = lines.split_once("\r\n\r\n").unwrap();
            assert!(body.ends_with(&lines[rest.len() + 4..]), "{round}: {body}");
        }
    }
}

#[tokio::test]
async fn an_upload_goes_on_behind_an_early_answer() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    client
        .send(request("POST", "Content-Length: 8\r\n") + "half")
        .await;
    let (mut server, _) = upstream.request().await;
    assert_eq!(server.take(4).await, b"half");
    server
        .send("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(client.response().await.status(), 202);
    client.send("rest").await;
    assert_eq!(server.take(4).await, b"rest");
    // Both connections serve the next request.
    client.send(request("GET", "")).await;
    server.head().await;
    server.send(OK).await;
    assert_eq!(client.response().await.text(), "ok");
}

#[tokio::test]
async fn a_process_that_stops_waits_for_the_upload_behind_an_early_answer() {
    let upstream = Upstream::start().await;
    let mut program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    let head = request("POST", "Content-Length: 8\r\n");
    client.send(head + "half").await;
    let (mut server, _) = upstream.request().await;
    assert_eq!(server.take(4).await, b"half");
    server
        .send("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(client.response().await.status(), 202);
    program.signal(Signal::TERM);
    program
        .line("draining", |line| line.contains("draining").then_some(()))
        .await;
    client.send("re").await;
    assert_eq!(server.take(2).await, b"re");
    client.send("st").await;
    assert_eq!(server.take(2).await, b"st");
    // There was no other request to answer.
    assert_eq!(client.end().await, b"");
    drop((client, server));
    assert_eq!(program.ended().await.0, Some(0));
}

#[tokio::test]
async fn a_server_that_has_answered_and_takes_no_more_of_the_upload_is_given_up() {
    let upstream = Upstream::start().await;
    let text = settings(upstream.url(), "http.response_timeout = \"300ms\"");
    let program = Program::run(&text).await;
    let mut client = Wire::connect(&program.address).await;
    let upload = async {
        let head = request("POST", &format!("Content-Length: {UPLOAD}\r\n"));
        client.send(head).await;
        let _sent = client.try_send(&vec![0; UPLOAD]).await;
        let head = client.head().await;
        client.end().await;
        head
    };
    let answer = async {
        let (mut server, _) = upstream.request().await;
        server
            .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        server
    };
    let (head, server) = tokio::join!(upload, answer);
    assert_eq!(head.status(), 200);
    drop(server);
}

#[tokio::test]
async fn a_client_is_asked_for_its_body_when_the_server_wants_it() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    let lines = "Content-Length: 4\r\nExpect: 100-continue\r\n";
    for _ in 0..2 {
        client.send(request("PUT", lines)).await;
        let (mut server, asked) = upstream.request().await;
        assert_eq!(asked.all("expect"), ["100-continue"]);
        assert!(client.there().is_empty(), "{client:?}");
        server.send("HTTP/1.1 100 Continue\r\n\r\n").await;
        assert_eq!(client.head().await.line, "HTTP/1.1 100 Continue");
        client.send("body").await;
        assert_eq!(server.body(&asked).await, b"body");
        server
            .send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .await;
        assert_eq!(client.response().await.status(), 201);
    }
}

#[tokio::test]
async fn a_client_is_not_asked_for_a_body_that_the_server_refuses() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    for status in [
        "401 Unauthorized",
        "413 Content Too Large",
        "417 Expectation Failed",
    ] {
        let mut client = Wire::connect(&program.address).await;
        let lines = "Content-Length: 4\r\nExpect: 100-Continue\r\n";
        client.send(request("POST", lines)).await;
        let (mut server, _) = upstream.request().await;
        server
            .send(format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno"))
            .await;
        let response = client.response().await;
        assert_eq!(response.head.line, format!("HTTP/1.1 {status}"));
        assert_eq!(response.text(), "no");
        // What the client sends now would be the body, or another request.
        assert_eq!(response.head.all("connection"), ["close"]);
        assert_eq!(client.end().await, b"");
        assert_eq!(server.end().await, b"");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_of_the_expected_body_gets_it_after_a_second() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    let began = Instant::now();
    let lines = "Content-Length: 4\r\nExpect: 100-continue\r\n";
    client.send(request("POST", lines)).await;
    let (mut server, asked) = upstream.request().await;
    assert_eq!(client.head().await.line, "HTTP/1.1 100 Continue");
    assert!(began.elapsed().as_millis() >= 1000);
    client.send("body").await;
    assert_eq!(server.body(&asked).await, b"body");
    server.send(OK).await;
    assert_eq!(client.response().await.text(), "ok");
}

#[tokio::test]
async fn no_expectation_goes_to_or_comes_from_http_1_0() {
    let upstream = Upstream::start().await;
    let more = format!("http = \"forward\"\n[server]\nworkers = {WORKERS}");
    let program = Program::run(&settings(upstream.url(), &more)).await;
    let lines = "Content-Length: 4\r\nExpect: 100-continue\r\n";
    // The client's own version, and a request without a body.
    for head in [
        format!("POST /ws/page HTTP/1.0\r\n{HOST}{lines}\r\nbody"),
        request("POST", "Content-Length: 0\r\nExpect: 100-continue\r\n"),
    ] {
        let mut client = Wire::connect(&program.address).await;
        client.send(head).await;
        let (mut server, asked) = upstream.request().await;
        assert!(asked.all("expect").is_empty(), "{asked:?}");
        server.body(&asked).await;
        server
            .send("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await;
        assert_eq!(client.response().await.text(), "ok");
    }
    // The server is known by now, to every worker: each takes one of these clients.
    let mut clients = Vec::new();
    for _ in 0..WORKERS {
        let mut client = Wire::connect(&program.address).await;
        client.send(request("POST", lines)).await;
        assert_eq!(client.head().await.line, "HTTP/1.1 100 Continue");
        clients.push(client);
    }
    for mut client in clients {
        client.send("body").await;
        let (mut server, asked) = upstream.request().await;
        assert!(asked.all("expect").is_empty(), "{asked:?}");
        assert_eq!(server.body(&asked).await, b"body");
        server
            .send("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await;
        assert_eq!(client.response().await.text(), "ok");
    }
}

const WORKERS: usize = 4;
