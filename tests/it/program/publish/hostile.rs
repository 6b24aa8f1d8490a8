//! Clients of the publish interface that do what they should not.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::super::admin::ask;
use super::super::kit::{ALL, AT_ONCE, Echo, Program, Publisher, Socket, Wire, soon};
use super::publishing;

const NOWHERE: &str = "ws://127.0.0.1:1";

async fn metric(program: &Program, line: &str) -> bool {
    let metrics = ask(&program.admin().await, "GET /metrics", "").await;
    metrics.text().lines().any(|found| found == line)
}

#[tokio::test]
async fn a_wrong_request_is_refused_in_a_sentence_and_the_connection_stays() {
    let program = publishing(NOWHERE).await;
    let mut publisher = Publisher::of(&program, ALL).await;
    let many = "x".repeat(256);
    for (line, lines, body, expected) in [
        // Names.
        ("POST /channels/", "", &b"x"[..], 404),
        ("POST /channels/a..b", "", b"x", 400),
        ("POST /channels/.", "", b"x", 400),
        ("POST /channels/a*", "", b"x", 400),
        ("POST /channels/a%", "", b"x", 400),
        ("POST /channels/a%2", "", b"x", 400),
        ("POST /channels/a%zz", "", b"x", 400),
        ("POST /channels/a%FF", "", b"x", 400),
        ("POST /channels/a%00", "", b"x", 400),
        ("POST /channels/a%2Fb", "", b"x", 400),
        ("POST /channels/a/b", "", b"x", 404),
        ("POST /channels/%C3%A4", "", b"x", 400),
        (&format!("POST /channels/{many}"), "", b"x", 400),
        ("POST /sessions/1", "", b"x", 400),
        ("POST /sessions/0123456789AB-1", "", b"x", 400),
        ("POST /sessions/%zz", "", b"x", 400),
        ("POST /subjects/%FF", "", b"x", 400),
        ("PUT /channels/a/sessions/1", "", b"", 400),
        ("GET /channels?after=a..b", "", b"", 400),
        ("GET /channels?limit=0", "", b"", 400),
        // Queries and heads.
        ("POST /channels/a?exclude=1", "", b"x", 400),
        ("POST /channels/a?excluded=1", "", b"x", 400),
        ("POST /channels/a?exclude=%zz", "", b"x", 400),
        (
            "POST /channels/a?exclude=0123456789ab-1&exclude=0123456789ab-2",
            "",
            b"x",
            400,
        ),
        ("POST /channels/a", "Idempotency-Key: \r\n", b"x", 400),
        ("POST /channels/a", "Idempotency-Key: a b\r\n", b"x", 400),
        (
            "POST /channels/a",
            &format!("Idempotency-Key: {many}\r\n"),
            b"x",
            400,
        ),
        (
            "POST /channels/a",
            "Idempotency-Key: a\r\nIdempotency-Key: a\r\n",
            b"x",
            400,
        ),
        ("POST /channels/a", "Content-Type: json\r\n", b"x", 415),
        (
            "POST /channels/a",
            "Content-Type: a/b\r\nContent-Type: a/b\r\n",
            b"x",
            415,
        ),
        ("POST /channels/a", "Content-Encoding: gzip\r\n", b"x", 415),
        // A text is UTF-8.
        ("POST /channels/a", "", b"\xFF", 400),
        (
            "POST /channels/a",
            "Content-Type: application/json\r\n",
            b"\xC3",
            400,
        ),
        (
            "POST /channels/a",
            "Content-Type: text/plain; charset=latin1\r\n",
            b"\xE4",
            400,
        ),
        // Methods.
        ("PUT /channels/a", "", b"", 405),
        ("GET /sessions/0123456789ab-1", "", b"", 405),
        ("GET /tickets", "", b"", 405),
        ("POST /openapi.json", "", b"", 405),
        ("OPTIONS /channels/a", "", b"", 405),
        ("DELETE /channels/a/sessions?code=1005", "", b"", 400),
        ("POST /tickets", "", b"x", 400),
    ] {
        let response = publisher.ask(line, lines, body).await;
        assert_eq!(response.status(), expected, "{line} {lines}: {response:?}");
        let error = response.json()["error"].as_str().unwrap().to_owned();
        assert!(!error.is_empty() && !error.contains(&many), "{error}");
    }
    publisher.publish("/channels/a", "x").await;
    program.stop().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_the_limit_and_the_client_reads_that() {
    let program = publishing(NOWHERE).await;
    let address = program.publish().await;
    let mut publisher = Publisher::at(&address, ALL).await;
    publisher
        .publish("/channels/a", &"x".repeat(1024 * 1024))
        .await;
    let sentence = json!({"error": "the body has more than 1048576 bytes"});
    // The client sends all of it before it reads.
    for (token, expected) in [(ALL, 413), ("no-t0ken", 401)] {
        for size in [1024 * 1024 + 1, 8 * 1024 * 1024] {
            let mut publisher = Publisher::at(&address, token).await;
            let refused = publisher
                .ask("POST /channels/a", "", "x".repeat(size))
                .await;
            assert_eq!(refused.status(), expected);
            assert_eq!(refused.head.one("connection"), "close");
            if expected == 413 {
                assert_eq!(refused.json(), sentence);
            }
            publisher.wire.expect_end().await;
        }
    }
    // In chunks the size shows later.
    let mut publisher = Publisher::at(&address, ALL).await;
    let lines = "Transfer-Encoding: chunked\r\n";
    let request = publisher.request("POST /channels/a", lines, "");
    let head = String::from_utf8(request)
        .unwrap()
        .replace("Content-Length: 0\r\n", "");
    publisher.wire.send(head).await;
    let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, "x".repeat(64 * 1024));
    for _ in 0..17 {
        publisher.wire.send(&chunk).await;
    }
    let refused = publisher.wire.response().await;
    assert_eq!((refused.status(), refused.json()), (413, sentence));
    // Nobody has to send what is refused.
    let mut publisher = Publisher::at(&address, ALL).await;
    let lines = "Expect: 100-continue\r\n";
    let request = publisher.request("POST /channels/a", lines, "x".repeat(2 * 1024 * 1024));
    let head = request.len() - 2 * 1024 * 1024;
    publisher.wire.send(&request[..head]).await;
    assert_eq!(publisher.wire.response().await.status(), 413);
    let mut publisher = Publisher::at(&address, ALL).await;
    let request = publisher.request("POST /channels/a", lines, "x");
    publisher.wire.send(&request[..request.len() - 1]).await;
    assert_eq!(publisher.wire.head().await.status(), 100);
    publisher.wire.send("x").await;
    assert_eq!(publisher.wire.response().await.status(), 200);
    program.stop().await;
}

#[tokio::test]
async fn pipelined_publications_are_published_and_answered_in_their_order() {
    const MANY: usize = 500;
    let echo = Echo::start().await;
    let program = publishing(echo.url()).await;
    let mut publisher = Publisher::of(&program, ALL).await;
    let mut socket = Socket::open(&program.address, "/ws/1").await;
    socket.echoes("hello").await;
    let requests = (0..MANY).map(|number| {
        let target = ["/channels/room.1", "/channels/room.0"][usize::from(number % 5 == 4)];
        publisher.request(&format!("POST {target}"), "", number.to_string())
    });
    let requests: Vec<u8> = requests.collect::<Vec<_>>().concat();
    publisher.wire.send(requests).await;
    for number in 0..MANY {
        let response = publisher.wire.response().await;
        let expected = usize::from(number % 5 != 4);
        assert_eq!(response.json()["reached"], expected, "{number}");
    }
    for number in (0..MANY).filter(|number| number % 5 != 4) {
        assert_eq!(socket.next().await, number.to_string().into());
    }
    program.stop().await;
}

#[tokio::test]
async fn a_client_that_reads_no_answer_is_not_read_any_more_and_closed() {
    let program = publishing(NOWHERE).await;
    let address = program.publish().await;
    let wire = Wire::connect_small(address.parse().unwrap()).await;
    let mut publisher = Publisher::on(wire, ALL);
    let request = publisher.request("POST /channels/a", "", "x").repeat(100);
    let sent = soon("the end of it", async {
        let mut sent = 0;
        while publisher.wire.try_send(&request).await {
            sent += request.len();
        }
        sent
    });
    // The system keeps some megabytes of requests and answers; the rest is not read.
    assert!(sent.await < 64 * 1024 * 1024);
    Publisher::at(&address, ALL)
        .await
        .publish("/channels/a", "x")
        .await;
    program.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_keeps_nobody_out() {
    let program = publishing(NOWHERE).await;
    let address = program.publish().await;
    let mut slow = Vec::new();
    for _ in 0..1000 {
        let mut publisher = Publisher::at(&address, ALL).await;
        let request = publisher.request("POST /channels/a", "", "xx");
        publisher.wire.try_send(&request[..request.len() - 1]).await;
        slow.push(publisher);
    }
    let published = timeout(AT_ONCE, async {
        Publisher::at(&address, ALL)
            .await
            .publish("/channels/a", "x")
            .await
    });
    assert_eq!(published.await.expect("an answer at once"), 0);
    assert!(metric(&program, "wsgate_publish_refusals_total{status=\"413\"} 0").await);
    program.stop().await;
}

#[tokio::test]
async fn no_request_is_smuggled_in_behind_a_body() {
    let program = publishing(NOWHERE).await;
    let address = program.publish().await;
    let inner = "POST /channels/inner HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer all-t0ken\r\n\
                 Content-Length: 1\r\n\r\nx";
    let length = inner.len();
    for (authorization, framing) in [
        ("", format!("Content-Length: {length}\r\n\r\n{inner}")),
        (
            "",
            format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{inner}\r\n0\r\n\r\n"),
        ),
        (
            "Authorization: Bearer all-t0ken\r\n",
            format!("Content-Length: {length}\r\n\r\n{inner}"),
        ),
        (
            "Authorization: Bearer all-t0ken\r\n",
            format!("Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{inner}"),
        ),
        (
            "Authorization: Bearer all-t0ken\r\n",
            format!("Transfer-Encoding: x\r\n\r\n{inner}"),
        ),
    ] {
        for line in ["POST /channels/outer", "GET /channels", "POST /nowhere"] {
            let mut wire = Wire::connect(&address).await;
            let close = "Connection: close\r\n";
            let request = format!("{line} HTTP/1.1\r\nHost: a\r\n{close}{authorization}{framing}");
            wire.send(request).await;
            let answers = String::from_utf8(wire.end().await).unwrap();
            assert_eq!(
                answers.matches("HTTP/1.1 ").count(),
                1,
                "{line} {framing}: {answers}"
            );
        }
    }
    program.stop().await;
}

#[tokio::test]
async fn many_requests_on_one_connection_leave_sessions_their_time() {
    let echo = Echo::start().await;
    let program = publishing(echo.url()).await;
    let mut socket = Socket::open(&program.address, "/ws/9").await;
    let publisher = Publisher::of(&program, ALL).await;
    let request = publisher.request("POST /channels/a", "", "x").repeat(50);
    let (mut answers, mut requests) = publisher.wire.split();
    let flood = async {
        loop {
            requests.send(&request).await;
        }
    };
    let read = async {
        loop {
            answers.response().await;
        }
    };
    let serves = async {
        for _ in 0..20 {
            let echoed = timeout(Duration::from_secs(10), socket.echoes("hello"));
            echoed.await.expect("an echo at once");
        }
    };
    tokio::select! {
        () = flood => {}
        () = read => {}
        () = serves => {}
    }
    program.stop().await;
}
