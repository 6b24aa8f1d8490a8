//! Plain requests over HTTP/2, on routes with `http = "forward"`.

use h2::Reason;

use super::opened;
use crate::kit::{Frame, Http2Upstream, Program, Request, Wire, settings};

/// The program with one worker before a server of HTTP/2.
async fn forwarding(upstream: &Http2Upstream) -> Program {
    let settings = settings(upstream.url(), "http = \"forward\"\n[server]\nworkers = 1");
    let settings = settings.replacen("[[route]]", "http = \"h2\"\n[[route]]", 1);
    Program::run(&settings).await
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: gate.test\r\n\r\n")
}

#[tokio::test]
async fn requests_and_sessions_share_a_connection() {
    let upstream = Http2Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut socket = Wire::connect(&program.address).await;
    socket.send(Request::websocket("/ws/a").text()).await;
    let mut peer = upstream.accept().await;
    let mut server = peer.session().await;
    opened(&mut socket).await;

    let mut client = Wire::connect(&program.address).await;
    let lines = "Host: gate.test\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nCookie: a=1\r\n";
    client
        .send(format!("GET /ws/page?a=1 HTTP/1.1\r\n{lines}\r\n"))
        .await;
    let asked = peer.request().await;
    assert_eq!(asked.head.method(), "GET");
    assert_eq!(asked.head.uri(), "http://gate.test/ws/page?a=1");
    assert_eq!(asked.header("cookie"), Some("a=1"));
    assert_eq!(asked.header("x-forwarded-for"), Some("127.0.0.1"));
    for absent in [
        "host",
        "connection",
        "x-hop",
        "te",
        "transfer-encoding",
        "content-length",
    ] {
        assert_eq!(asked.header(absent), None, "{absent}");
    }
    asked.finish(200, &[("content-length", "2"), ("x-server", "one")], "hi");
    let response = client.response().await;
    assert_eq!((response.status(), response.text()), (200, "hi"));
    assert_eq!(response.head.one("x-server"), "one");
    assert_eq!(response.head.all("transfer-encoding"), [""; 0]);

    client.send(get("/ws/b")).await;
    peer.request().await.finish(404, &[], "not there");
    let response = client.response().await;
    assert_eq!((response.status(), response.text()), (404, "not there"));

    socket.send_frame(&Frame::text("still")).await;
    server.expect(Frame::text("still")).await;
    assert!(upstream.untouched());
}

#[tokio::test]
async fn bodies_of_megabytes_stream_both_ways() {
    let upstream = Http2Upstream::start().await;
    let program = forwarding(&upstream).await;
    let body: Vec<u8> = (0..3_000_000_u32).map(|index| (index / 3) as u8).collect();
    let length = format!("Content-Length: {}\r\n", body.len());
    let chunked = [
        format!("{:x}\r\n", body.len()).as_bytes(),
        &body,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    let mut peer = None;
    for (framing, sent, announced) in [
        (&*length, body.clone(), Some("3000000")),
        ("Transfer-Encoding: chunked\r\n", chunked, None),
    ] {
        let mut client = Wire::connect(&program.address).await;
        let head = format!(
            "POST /ws/up HTTP/1.1\r\nHost: gate.test\r\nConnection: close\r\n{framing}\r\n"
        );
        client.send(head).await;
        let (mut reader, mut writer) = client.split();
        let serve = async {
            if peer.is_none() {
                peer = Some(upstream.accept().await);
            }
            let asked = peer.as_mut().unwrap().request().await;
            assert_eq!(asked.header("content-length"), announced);
            // It is said back as it comes.
            let mut wire = asked.accept();
            let mut left = body.len();
            while left > 0 {
                let part = wire.take(left.min(100_000)).await;
                wire.send(&part).await;
                left -= part.len();
            }
            wire.shut().await;
            wire.expect_end().await;
        };
        let (response, (), ()) = tokio::join!(reader.response(), writer.send(&sent), serve);
        assert!(response.body == body, "{framing}");
    }
}

#[tokio::test]
async fn a_request_that_was_not_processed_is_sent_again() {
    let upstream = Http2Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    client.send(get("/ws/a")).await;
    let mut peer = upstream.accept().await;
    peer.request().await.reset(Reason::REFUSED_STREAM);
    let mut second = upstream.accept().await;
    second.request().await.finish(200, &[], "taken");
    assert_eq!(client.response().await.text(), "taken");
    // And one that was is not.
    client.send(get("/ws/b")).await;
    second.request().await.reset(Reason::INTERNAL_ERROR);
    assert_eq!(client.response().await.status(), 502);
    let refused = program.event("request rejected").await;
    assert_eq!(refused["reason"], "upstream_reset");
    assert!(second.untouched() && peer.untouched());
}

#[tokio::test]
async fn a_response_that_breaks_off_is_cut_and_told() {
    let upstream = Http2Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    client.send(get("/ws/a")).await;
    let mut peer = upstream.accept().await;
    let (mut send, _receive) = peer
        .request()
        .await
        .answer(200, &[("content-length", "10")]);
    send.send_data("half".into(), false).unwrap();
    let head = client.head().await;
    assert_eq!(head.one("content-length"), "10");
    assert_eq!(client.take(4).await, b"half");
    send.send_reset(Reason::INTERNAL_ERROR);
    assert_eq!(client.end().await, b"");
    let told = program.event("request forwarded").await;
    assert_eq!(told["reason"], "upstream_lost");
}

#[tokio::test]
async fn a_server_without_websockets_takes_plain_requests() {
    let upstream = Http2Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    client.send(get("/ws/a")).await;
    let mut peer = upstream.accept_with(|builder| builder).await;
    peer.request().await.finish(200, &[], "page");
    assert_eq!(client.response().await.text(), "page");
    client.send(Request::websocket("/ws/a").text()).await;
    assert_eq!(client.response().await.status(), 502);
    let refused = program.event("handshake rejected").await;
    assert_eq!(refused["reason"], "upstream_no_websockets");
}

#[tokio::test]
async fn interim_answers_go_on_and_a_held_body_is_asked_for() {
    let upstream = Http2Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    let lines = "Host: gate.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n";
    client
        .send(format!("POST /ws/a HTTP/1.1\r\n{lines}\r\n"))
        .await;
    let mut peer = upstream.accept().await;
    let mut asked = peer.request().await;
    assert_eq!(asked.header("expect"), Some("100-continue"));
    asked.inform(103, &[("link", "</a.css>; rel=preload")]);
    let hints = client.head().await;
    assert_eq!(
        (hints.status(), hints.one("link")),
        (103, "</a.css>; rel=preload")
    );
    asked.inform(100, &[]);
    assert_eq!(client.head().await.line, "HTTP/1.1 100 Continue");
    client.send("body").await;
    let mut wire = asked.accept();
    assert_eq!(wire.take(4).await, b"body");
    wire.expect_end().await;
    wire.send("done").await;
    wire.shut().await;
    assert_eq!(client.response().await.text(), "done");
}

#[tokio::test]
async fn a_client_that_leaves_resets_its_stream_and_no_other() {
    let upstream = Http2Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    client.send(get("/ws/a")).await;
    let mut peer = upstream.accept().await;
    let asked = peer.request().await;
    drop(client);
    assert_eq!(asked.was_reset().await, Reason::CANCEL);
    let mut client = Wire::connect(&program.address).await;
    client.send(get("/ws/b")).await;
    peer.request().await.finish(200, &[], "b");
    assert_eq!(client.response().await.text(), "b");
}
