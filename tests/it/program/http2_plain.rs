//! Plain requests of HTTP/2 on routes with `http = "forward"`.

use std::future::poll_fn;

use bytes::Bytes;
use h2::Reason;
use h2::client::Builder;
use http::HeaderValue;

use super::http2::speaking;
use super::kit::{Http2, Program, Upstream, answer, plain, soon};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async fn forwarding(upstream: &Upstream, more: &str) -> Program {
    let more = match more.contains("http.") {
        true => format!("http.mode = \"forward\"\n{more}"),
        false => format!("http = \"forward\"\n{more}"),
    };
    Program::run(&speaking("[\"h2\"]", upstream.url(), &more)).await
}

#[tokio::test]
async fn a_request_is_one_of_http_1_1_to_its_server() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream, "").await;
    let mut client = Http2::connect(&program.address).await;
    let mut request = plain("GET", "/ws/a?b=c");
    for (name, value) in [
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("te", "trailers"),
        ("x-mine", "1"),
    ] {
        request
            .headers_mut()
            .append(name, HeaderValue::from_static(value));
    }
    let (fetched, head) = tokio::join!(client.fetch(request), async {
        let (mut server, head) = upstream.request().await;
        let lines = "Transfer-Encoding: chunked\r\nTrailer: x-sum\r\nKeep-Alive: timeout=5\r\n\
                     Connection: keep-alive, x-hop\r\nX-Hop: 1\r\nX-Mine: 2\r\n";
        let chunks = "5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n";
        server
            .send(format!("HTTP/1.1 200 OK\r\n{lines}\r\n{chunks}"))
            .await;
        head
    });
    assert_eq!(head.line, "GET /ws/a?b=c HTTP/1.1");
    head.assert(&[
        ("host", "gate.test"),
        ("cookie", "a=1; b=2"),
        ("x-mine", "1"),
        ("x-forwarded-host", "gate.test"),
    ]);
    assert!(head.one("via").starts_with("2 wsgate-"), "{head:?}");
    for name in ["te", "content-length", "transfer-encoding"] {
        assert!(head.all(name).is_empty(), "{head:?}");
    }
    let (answer, body, trailers) = fetched;
    assert_eq!((answer.status().as_u16(), &*body), (200, &b"hello"[..]));
    assert_eq!(trailers["x-sum"], "7");
    assert_eq!(answer.headers()["x-mine"], "2");
    for name in ["connection", "keep-alive", "transfer-encoding", "x-hop"] {
        assert!(!answer.headers().contains_key(name), "{answer:?}");
    }
}

#[tokio::test]
async fn a_length_in_two_lines_reaches_no_server() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream, "").await;
    let mut client = Http2::connect(&program.address).await;
    for lines in [["3", "3"], ["03", "3"]] {
        let mut request = plain("POST", "/ws/");
        for line in lines {
            let length = HeaderValue::from_static(line);
            request.headers_mut().append("content-length", length);
        }
        let (response, mut body) = client.send(request, false);
        body.send_data(Bytes::from_static(b"abc"), true).unwrap();
        let refused = soon("a refusal", response).await.unwrap();
        assert_eq!(refused.status(), 400, "{lines:?}");
    }
    let answered = client.fetch(plain("GET", "/ws/next"));
    let (answered, line) = tokio::join!(answered, async {
        let (mut server, head) = upstream.request().await;
        server.send(OK).await;
        head.line
    });
    assert_eq!(answered.0.status(), 200);
    assert_eq!(line, "GET /ws/next HTTP/1.1");
}

#[tokio::test]
async fn a_head_has_the_length_and_no_body() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream, "").await;
    let mut client = Http2::connect(&program.address).await;
    let (fetched, _server) = tokio::join!(client.fetch(plain("HEAD", "/ws/")), async {
        let (mut server, _) = upstream.request().await;
        server
            .send("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
            .await;
        server
    });
    assert_eq!(fetched.0.headers()["content-length"], "1234");
    assert!(fetched.1.is_empty());
    // Of the gate's own refusals too.
    let (head, body, _) = client.fetch(plain("HEAD", "/nowhere")).await;
    assert_eq!((head.status().as_u16(), body.len()), (404, 0));
}

#[tokio::test]
async fn interim_answers_go_ahead_of_the_response() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream, "").await;
    let mut client = Http2::connect(&program.address).await;
    let mut request = plain("POST", "/ws/");
    let headers = request.headers_mut();
    headers.insert("expect", HeaderValue::from_static("100-continue"));
    headers.insert("content-length", HeaderValue::from_static("4"));
    let (mut response, mut body) = client.send(request, false);
    let (mut server, head) = upstream.request().await;
    server
        .send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nX: 1\r\n\r\n")
        .await;
    let hints = soon(
        "an interim answer",
        poll_fn(|cx| response.poll_informational(cx)),
    );
    let hints = hints.await.unwrap().unwrap();
    assert_eq!(hints.status(), 103);
    assert_eq!(hints.headers().keys().collect::<Vec<_>>(), ["link"]);
    server.send("HTTP/1.1 100 Continue\r\n\r\n").await;
    let asked = soon("to be asked", poll_fn(|cx| response.poll_informational(cx)));
    assert_eq!(asked.await.unwrap().unwrap().status(), 100);
    body.send_data(Bytes::from_static(b"body"), true).unwrap();
    assert_eq!(server.body(&head).await, b"body");
    server.send(OK).await;
    assert_eq!(soon("a response", response).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_without_a_length_goes_on_in_chunks_whatever_the_method() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream, "").await;
    let mut client = Http2::connect(&program.address).await;
    for method in ["POST", "GET"] {
        let (response, mut body) = client.send(plain(method, "/ws/"), false);
        body.send_data(Bytes::from_static(b"some"), false).unwrap();
        let (mut server, head) = upstream.request().await;
        head.assert(&[("transfer-encoding", "chunked")]);
        assert_eq!(server.chunk().await, b"some", "{method}");
        body.send_data(Bytes::new(), true).unwrap();
        assert_eq!(server.chunk().await, b"");
        server
            .send(answer("200 OK", "Connection: close\r\n", "ok"))
            .await;
        assert_eq!(soon("a response", response).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn an_early_answer_ends_an_upload_without_an_error() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream, "").await;
    let mut client = Http2::connect(&program.address).await;
    let (response, mut body) = client.send(plain("POST", "/ws/"), false);
    body.send_data(Bytes::from_static(b"begin"), false).unwrap();
    let (mut server, _) = upstream.request().await;
    let refusal = answer("413 Too Large", "Connection: close\r\n", "no");
    server.send(refusal).await;
    let response = soon("a response", response).await.unwrap();
    assert_eq!(response.status(), 413);
    drop(server);
    let reset = soon(
        "the upload to be stopped",
        poll_fn(|cx| body.poll_reset(cx)),
    );
    assert_eq!(reset.await.unwrap(), Reason::NO_ERROR);
    // Its connection goes on.
    let (fetched, ()) = tokio::join!(client.fetch(plain("GET", "/ws/")), async {
        upstream.request().await.0.send(OK).await;
    });
    assert_eq!(fetched.1, b"ok");
}

#[tokio::test]
async fn a_client_that_resets_its_stream_has_left() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream, "").await;
    let mut client = Http2::connect(&program.address).await;
    // Before the response.
    let (response, mut body) = client.send(plain("GET", "/ws/before"), true);
    let (mut server, _) = upstream.request().await;
    body.send_reset(Reason::CANCEL);
    drop(response);
    server.expect_end().await;
    // In the middle of it.
    let (response, mut body) = client.send(plain("GET", "/ws/within"), true);
    let (mut server, _) = upstream.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome")
        .await;
    let response = soon("a response", response).await.unwrap();
    body.send_reset(Reason::CANCEL);
    drop(response);
    server.expect_end().await;
    program
        .until("both ends", || {
            program.events("request forwarded").len() == 2
        })
        .await;
    let lines = program.events("request forwarded");
    let reasons: Vec<_> = lines.iter().map(|line| &line["reason"]).collect();
    assert_eq!(reasons, ["abandoned", "client_lost"]);
}

#[tokio::test]
async fn a_response_that_breaks_off_resets_its_stream() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream, "").await;
    let mut client = Http2::connect(&program.address).await;
    let asked = client.ask(plain("GET", "/ws/"));
    let (asked, ()) = tokio::join!(asked, async {
        let (mut server, _) = upstream.request().await;
        server
            .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome")
            .await;
    });
    assert_eq!(asked.1.end().await, Err(Reason::INTERNAL_ERROR));
    let line = program.event("request forwarded").await;
    assert_eq!(line["reason"], "upstream_lost");
}

#[tokio::test]
async fn a_client_that_reads_nothing_of_a_response_loses_its_stream_alone() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream, "http.write_timeout = \"200ms\"\n").await;
    // What is not read of one stream leaves room for others.
    let mut windows = Builder::new();
    windows.initial_connection_window_size(1 << 20);
    let mut client = Http2::connect_with(&program.address, &mut windows).await;
    let (response, mut stalled) = client.send(plain("GET", "/ws/stalled"), true);
    let (mut server, _) = upstream.request().await;
    let body = "x".repeat(1_000_000);
    let sent = answer("200 OK", "", &body);
    let (response, _) = tokio::join!(soon("a response", response), server.try_send(&sent));
    let _unread = response.unwrap();
    let reset = soon("a reset", poll_fn(|cx| stalled.poll_reset(cx))).await;
    assert_eq!(reset.unwrap(), Reason::CANCEL);
    let line = program.event("request forwarded").await;
    assert_eq!(line["reason"], "slow_client");
    let (fetched, ()) = tokio::join!(client.fetch(plain("GET", "/ws/")), async {
        upstream.request().await.0.send(OK).await;
    });
    assert_eq!(fetched.1, b"ok");
}

#[tokio::test]
async fn a_connection_without_streams_ends_when_it_has_been_kept_long_enough() {
    let upstream = Upstream::start().await;
    let more = "[server]\nkeepalive_timeout = \"100ms\"\n";
    let program = forwarding(&upstream, more).await;
    let mut client = Http2::connect(&program.address).await;
    assert_eq!(client.fetch(plain("GET", "/nowhere")).await.0.status(), 404);
    // With a GOAWAY, and no error.
    soon("the end", client.ended).await.unwrap().unwrap();
}
