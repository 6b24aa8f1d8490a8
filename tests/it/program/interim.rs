//! Interim answers (1xx) of a server on routes with `http = "forward"`.

use super::conversation::{OK, UPLOAD, request};
use super::forward::{HOST, forwarding};
use crate::kit::{Upstream, Wire};

/// The next request comes on another connection.
const CLOSING: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// An interim answer, and what goes on of it.
const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x-hop\r\n\
                     X-Hop: 1\r\nContent-Length: 4\r\n\r\n";
const PASSED: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n";

#[tokio::test]
async fn an_interim_answer_reaches_the_client_ahead_of_the_response() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    // The second request stands behind the first one from the start.
    client.send(request("GET", "") + &request("GET", "")).await;
    for _ in 0..2 {
        let (mut server, _) = upstream.request().await;
        server.send(HINTS).await;
        // It is there before there is a response.
        assert_eq!(client.take(PASSED.len()).await, PASSED.as_bytes());
        server.send("HTTP/1.1 102 Processing\r\n\r\n").await;
        assert_eq!(client.head().await.line, "HTTP/1.1 102 Processing");
        // With the response in one write; a 100 is not for a client that expects none.
        server
            .send(format!(
                "HTTP/1.1 100 Continue\r\n\r\n{HINTS}{HINTS}{CLOSING}"
            ))
            .await;
        for _ in 0..2 {
            assert_eq!(client.take(PASSED.len()).await, PASSED.as_bytes());
        }
        assert_eq!(client.response().await.text(), "ok");
    }
}

#[tokio::test]
async fn an_interim_answer_goes_beside_an_expected_body() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    let lines = "Content-Length: 4\r\nExpect: 100-continue\r\n";
    client.send(request("POST", lines)).await;
    let (mut server, asked) = upstream.request().await;
    server.send(HINTS).await;
    assert_eq!(client.take(PASSED.len()).await, PASSED.as_bytes());
    server.send("HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(client.head().await.line, "HTTP/1.1 100 Continue");
    server.send(HINTS).await;
    assert_eq!(client.take(PASSED.len()).await, PASSED.as_bytes());
    client.send("body").await;
    assert_eq!(server.body(&asked).await, b"body");
    server.send(OK).await;
    assert_eq!(client.response().await.text(), "ok");
}

#[tokio::test]
async fn more_interim_answers_than_a_server_may_send_are_no_answer_even_with_one() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let interim = format!(
        "HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n",
        "x".repeat(33_000)
    );
    // It is no matter of chance.
    for _ in 0..16 {
        let mut client = Wire::connect(&program.address).await;
        client.send(request("GET", "")).await;
        let (mut server, _) = upstream.request().await;
        server.send(format!("{interim}{OK}")).await;
        assert_eq!(client.response().await.status(), 502);
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_no_interim_answer() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    client
        .send(format!("GET /ws/page HTTP/1.0\r\n{HOST}\r\n"))
        .await;
    let (mut server, _) = upstream.request().await;
    server.send(format!("{HINTS}{OK}")).await;
    let answer = client.end().await;
    assert!(
        answer.starts_with(b"HTTP/1.0 200 OK\r\n"),
        "{}",
        answer.escape_ascii()
    );
}

/// The client reads nothing of a first response, and has asked for a second one meanwhile.
#[tokio::test]
async fn no_interim_answer_gets_into_another_response() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    client.send(request("GET", "") + &request("GET", "")).await;
    let (mut server, _) = upstream.request().await;
    let body = vec![b'x'; UPLOAD];
    let serve = async {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {UPLOAD}\r\nConnection: close\r\n\r\n");
        server.send([head.as_bytes(), &body].concat()).await;
        let (mut server, _) = upstream.request().await;
        server.send(format!("{HINTS}{CLOSING}")).await;
    };
    let read = async {
        assert!(client.response().await.text().as_bytes() == body);
        let mut head = client.head().await;
        if head.status() == 103 {
            head = client.head().await;
        }
        assert_eq!(head.status(), 200);
        assert_eq!(client.body(&head).await, b"ok");
    };
    tokio::join!(serve, read);
}
