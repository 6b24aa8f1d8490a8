//! Plain HTTP on routes with `http = "forward"`.

use crate::kit::{Head, Program, Upstream, Wire, settings, websocket};

pub(super) const HOST: &str = "Host: gate.test\r\n";

pub(super) async fn forwarding(upstream: &Upstream) -> Program {
    Program::run(&settings(upstream.url(), "http = \"forward\"")).await
}

/// Bytes that are not the same everywhere.
fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 7 / 3) as u8).collect()
}

/// One chunk of a body.
fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[tokio::test]
async fn a_request_and_its_answer_go_through_without_what_belongs_to_a_hop() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    client
        .send(format!(
            "GET /ws/page?a=1 HTTP/1.1\r\n{HOST}Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\
             Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n\
             Proxy-Authorization: Basic x\r\nX-Forwarded-For: 192.0.2.66\r\n\
             X-Real-IP: 192.0.2.66\r\nForwarded: for=192.0.2.66\r\nCookie: a=1\r\n\
             X-End: 1\r\n\r\n"
        ))
        .await;
    let (mut server, request) = upstream.request().await;
    assert_eq!(request.line, "GET /ws/page?a=1 HTTP/1.1");
    for (name, values) in [
        ("host", &["gate.test"][..]),
        ("cookie", &["a=1"]),
        ("x-end", &["1"]),
        ("x-forwarded-for", &["127.0.0.1"]),
        ("x-forwarded-proto", &["http"]),
        ("x-forwarded-host", &["gate.test"]),
        ("x-real-ip", &[]),
        ("forwarded", &[]),
        ("x-hop", &[]),
        ("keep-alive", &[]),
        ("proxy-connection", &[]),
        ("proxy-authorization", &[]),
        ("te", &[]),
        ("upgrade", &[]),
    ] {
        assert_eq!(request.all(name), values, "{name} in {request:?}");
    }
    assert!(!request.all("connection").contains(&"X-Hop"), "{request:?}");
    server
        .send(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\
             Keep-Alive: timeout=5\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nhi",
        )
        .await;
    let response = client.response().await;
    assert_eq!((response.status(), response.text()), (200, "hi"));
    assert_eq!(response.head.all("set-cookie"), ["a=1", "b=2"]);
    for name in ["x-hop", "keep-alive"] {
        assert!(response.head.all(name).is_empty(), "{name} in {response:?}");
    }
}

#[tokio::test]
async fn an_upload_of_megabytes_streams_with_a_length_and_in_chunks() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let body = payload(5 * 1024 * 1024);
    let (first, rest) = body.split_at(1000);
    let chunks: Vec<u8> = rest.chunks(100_000).flat_map(chunk).collect();
    let length = format!("Content-Length: {}\r\n", body.len());
    for (framing, first_sent, rest_sent) in [
        (&*length, first.to_vec(), rest.to_vec()),
        (
            "Transfer-Encoding: chunked\r\n",
            chunk(first),
            [&chunks, LAST_CHUNK].concat(),
        ),
    ] {
        let mut client = Wire::connect(&program.address).await;
        let head = format!("POST /ws/upload HTTP/1.1\r\n{HOST}{framing}Connection: close\r\n\r\n");
        client.send([head.as_bytes(), &first_sent].concat()).await;
        let (mut server, request) = upstream.request().await;
        // The beginning is there before the rest is even sent.
        let received = match request.all("content-length").is_empty() {
            true => server.chunk().await,
            false => server.take(first.len()).await,
        };
        assert_eq!(received, first);
        let answer = async {
            let rest_received = match request.all("content-length").is_empty() {
                true => server.body(&request).await,
                false => server.take(rest.len()).await,
            };
            assert!(rest_received == rest, "{framing}");
            server
                .send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
                .await;
        };
        tokio::join!(client.send(rest_sent), answer);
        assert_eq!(client.response().await.status(), 201);
        // The next request is to come on a connection of its own.
        drop(server);
    }
}

#[tokio::test]
async fn a_download_of_megabytes_streams_with_a_length_and_in_chunks() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let body = payload(5 * 1024 * 1024);
    let (first, rest) = body.split_at(1000);
    let chunks: Vec<u8> = rest.chunks(100_000).flat_map(chunk).collect();
    let length = format!("Content-Length: {}\r\n", body.len());
    for (framing, first_sent, rest_sent) in [
        (&*length, first.to_vec(), rest.to_vec()),
        (
            "Transfer-Encoding: chunked\r\n",
            chunk(first),
            [&chunks, LAST_CHUNK].concat(),
        ),
    ] {
        let mut client = Wire::connect(&program.address).await;
        client
            .send(format!("GET /ws/file HTTP/1.1\r\n{HOST}\r\n"))
            .await;
        let (mut server, _) = upstream.request().await;
        let head = format!("HTTP/1.1 200 OK\r\n{framing}Connection: close\r\n\r\n");
        server.send([head.as_bytes(), &first_sent].concat()).await;
        let head = client.head().await;
        let received = match head.all("content-length").is_empty() {
            true => client.chunk().await,
            false => client.take(first.len()).await,
        };
        assert_eq!(received, first);
        let read = async {
            let received = match head.all("content-length").is_empty() {
                true => client.body(&head).await,
                false => client.take(rest.len()).await,
            };
            assert!(received == rest, "{framing}");
        };
        tokio::join!(server.send(rest_sent), read);
    }
}

#[tokio::test]
async fn connections_on_both_sides_are_used_again() {
    let upstream = Upstream::start().await;
    let more = "http = \"forward\"\n[server]\nworkers = 1";
    let program = Program::run(&settings(upstream.url(), more)).await;
    let mut client = Wire::connect(&program.address).await;
    let mut server: Option<Wire> = None;
    for number in 0..5 {
        let request = format!("GET /ws/{number} HTTP/1.1\r\n{HOST}\r\n");
        client.send(request).await;
        let mut on = match server.take() {
            Some(server) => server,
            None => upstream.accept().await,
        };
        let request = on.head().await;
        assert_eq!(request.line, format!("GET /ws/{number} HTTP/1.1"));
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{number}");
        on.send(answer).await;
        assert_eq!(client.response().await.text(), number.to_string());
        server = Some(on);
    }
}

#[tokio::test]
async fn an_answer_without_a_body_ends_with_its_head() {
    let upstream = Upstream::start().await;
    let more = "http = \"forward\"\n[server]\nworkers = 1";
    let program = Program::run(&settings(upstream.url(), more)).await;
    let mut client = Wire::connect(&program.address).await;
    client
        .send(format!("HEAD /ws/file HTTP/1.1\r\n{HOST}\r\n"))
        .await;
    let (mut server, request) = upstream.request().await;
    assert_eq!(request.line, "HEAD /ws/file HTTP/1.1");
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
        .await;
    let head = client.head().await;
    assert_eq!((head.status(), head.one("content-length")), (200, "1234"));
    for status in ["204 No Content", "304 Not Modified"] {
        client
            .send(format!("GET /ws/file HTTP/1.1\r\n{HOST}\r\n"))
            .await;
        server.head().await;
        server
            .send(format!("HTTP/1.1 {status}\r\nETag: \"1\"\r\n\r\n"))
            .await;
        let head = client.head().await;
        assert_eq!(head.line, format!("HTTP/1.1 {status}"));
        assert_eq!(head.one("etag"), "\"1\"");
    }
    client
        .send(format!("GET /ws/gone HTTP/1.1\r\n{HOST}\r\n"))
        .await;
    server.head().await;
    server
        .send("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone")
        .await;
    let response = client.response().await;
    assert_eq!((response.status(), response.text()), (404, "gone"));
}

#[tokio::test]
async fn a_server_that_is_down_is_a_502_and_one_that_does_not_answer_a_504() {
    let dead = Upstream::dead();
    let url = dead.url();
    let more = "http = \"forward\"";
    let program = Program::run(&settings(url, more)).await;
    let mut client = Wire::connect(&program.address).await;
    let request = format!("GET /ws/page HTTP/1.1\r\n{HOST}\r\n");
    client.send(&request).await;
    assert_eq!(client.response().await.status(), 502);

    let silent = Upstream::start().await;
    let text = settings(silent.url(), "http.response_timeout = \"200ms\"");
    let program = Program::run(&text).await;
    let mut client = Wire::connect(&program.address).await;
    client.send(&request).await;
    let _server = silent.request().await;
    assert_eq!(client.response().await.status(), 504);
    let rejected = program.event("request rejected").await;
    assert_eq!(rejected["reason"], "upstream_timeout");
}

#[tokio::test]
async fn a_route_that_refuses_says_what_it_wants() {
    let program = Program::run(&settings("ws://127.0.0.1:1", "http = \"refuse\"")).await;
    let mut client = Wire::connect(&program.address).await;
    client
        .send(format!("GET /ws/page HTTP/1.1\r\n{HOST}\r\n"))
        .await;
    let response = client.response().await;
    assert_eq!(response.status(), 426);
    assert_eq!(response.head.one("upgrade"), "websocket");
    assert_eq!(response.head.one("sec-websocket-version"), "13");
    assert_eq!(client.end().await, b"");
}

#[tokio::test]
async fn a_body_framed_twice_reaches_no_server_as_two_requests() {
    let upstream = Upstream::start().await;
    let program = forwarding(&upstream).await;
    let mut client = Wire::connect(&program.address).await;
    let smuggled = format!("GET /ws/smuggled HTTP/1.1\r\n{HOST}\r\n");
    let length = LAST_CHUNK.len() + smuggled.len();
    client
        .send(format!(
            "POST /ws/upload HTTP/1.1\r\n{HOST}Content-Length: {length}\r\n\
             Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
        ))
        .await;
    let answer = async { client.end().await };
    let serve = async {
        // Whatever it is taken for, the server gets one frame for the body of the first.
        let (mut server, request) = upstream.request().await;
        assert_eq!(request.line, "POST /ws/upload HTTP/1.1");
        assert!(request.all("content-length").is_empty(), "{request:?}");
        assert_eq!(server.body(&request).await, b"");
    };
    tokio::select! {
        answer = answer => {
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        }
        () = serve => {}
    }
}

/// What Socket.IO does: it polls over plain HTTP, and then opens a WebSocket under the same path.
#[tokio::test]
async fn polling_and_then_a_websocket_work_on_one_route() {
    let upstream = Upstream::start().await;
    let text = settings(upstream.url(), "http = \"forward\"");
    let program = Program::run(&text.replace("/ws/*", "/socket.io/*")).await;
    let host = &program.address;
    let origin = format!("Origin: http://{host}\r\n");
    let mut client = Wire::connect(host).await;
    let poll = "/socket.io/?EIO=4&transport=polling";
    client
        .send(format!("GET {poll} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
        .await;
    let (mut server, request) = upstream.request().await;
    assert_eq!(request.line, format!("GET {poll} HTTP/1.1"));
    let opened = r#"0{"sid":"x","upgrades":["websocket"]}"#;
    let length = opened.len();
    server
        .send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{opened}"
        ))
        .await;
    assert_eq!(client.response().await.text(), opened);

    let post = format!(
        "POST {poll}&sid=x HTTP/1.1\r\nHost: {host}\r\n{origin}Content-Length: 2\r\n\r\n40"
    );
    client.send(post).await;
    let post: Head = server.head().await;
    assert_eq!(post.line, format!("POST {poll}&sid=x HTTP/1.1"));
    assert_eq!(server.body(&post).await, b"40");
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(client.response().await.text(), "ok");

    let upgrade = "/socket.io/?EIO=4&transport=websocket&sid=x";
    let mut socket = Wire::connect(host).await;
    socket.send(websocket(upgrade, host, &origin)).await;
    let (mut session, request) = upstream.request().await;
    assert_eq!(request.line, format!("GET {upgrade} HTTP/1.1"));
    let key = request.one("sec-websocket-key");
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    session
        .send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ))
        .await;
    assert_eq!(socket.head().await.status(), 101);
    let probe = *b"\x81\x862222\0BDPPW";
    socket.send(probe).await;
    assert_eq!(session.take(probe.len()).await, probe);
    session.send(b"\x81\x063probe").await;
    assert_eq!(socket.take(8).await, b"\x81\x063probe");

    // The polling goes on beside it, until the client lets go of it.
    let post = format!("POST {poll}&sid=x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\n\r\n1");
    client.send(post).await;
    let post = server.head().await;
    assert_eq!(server.body(&post).await, b"1");
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(client.response().await.text(), "ok");
}

#[tokio::test]
async fn a_drained_process_sends_those_who_ask_for_pages_elsewhere_too() {
    let upstream = Upstream::start().await;
    let more = "http = \"forward\"\n[admin]\naddress = \"127.0.0.1:0\"";
    let program = Program::run(&settings(upstream.url(), more)).await;
    let admin = program.admin().await;
    let page = format!("GET /ws/page HTTP/1.1\r\n{HOST}\r\n");
    let mut kept = Wire::connect(&program.address).await;
    kept.send(&page).await;
    let (mut server, _) = upstream.request().await;
    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(kept.response().await.status(), 200);
    let mut operator = Wire::connect(&admin).await;
    let drain = format!("POST /drain HTTP/1.1\r\nHost: {admin}\r\nContent-Length: 0\r\n\r\n");
    operator.send(drain).await;
    assert_eq!(operator.response().await.status(), 202);
    program.event("drained").await;
    let mut new = Wire::connect(&program.address).await;
    for client in [&mut kept, &mut new] {
        client.send(&page).await;
        let answer = client.response().await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.head.all("retry-after"), ["5"]);
        assert_eq!(answer.head.all("connection"), ["close"]);
        client.end().await;
    }
    let log = program.stop().await;
    assert_eq!(log.matches("\"reason\":\"draining\"").count(), 2, "{log}");
}
