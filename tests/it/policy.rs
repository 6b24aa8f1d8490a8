//! Who is let in, and how much they may do.

use std::time::{Duration, Instant};

use crate::kit::{Bench, Echo, Frame, Logs, Request, Upstream, bits, setup, switching, until};

const TRUSTED: &str = "[client_ip]\ntrusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\n";

/// Checks for each request whether it is refused with this status; 101 is a session.
async fn decides(bench: &Bench, cases: &[(Request, u16)]) {
    for (request, status) in cases {
        let mut wire = bench.ask(request).await;
        assert_eq!(wire.head().await.status(), *status, "{}", request.text());
    }
}

/// A request that a trusted proxy sends on for this address.
fn from(address: &str) -> Request {
    Request::websocket("/").header("X-Forwarded-For", address)
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused() {
    let echo = Echo::start().await;
    let origin = |origin| Request::websocket("/").header("Origin", origin);
    let bench = setup([echo.url()]).start().await;
    decides(
        &bench,
        &[
            (Request::websocket("/"), 101),
            (origin("http://gate.test"), 101),
            (origin("http://GATE.test:80"), 101),
            (origin("https://gate.test"), 101),
            (origin("http://gate.test:81"), 403),
            (origin("http://other.test"), 403),
            (origin("http://a.gate.test"), 403),
            (origin("http://gate.test.other.test"), 403),
            (origin("null"), 403),
            (origin("http://gate.test, http://gate.test"), 400),
            (
                origin("http://gate.test").header("Origin", "http://gate.test"),
                400,
            ),
            (origin("gate.test"), 400),
        ],
    )
    .await;
    let route = r#"
        origin.allow = ["https://app.test:8443", "https://*.pages.test"]
        origin.missing = "deny"
        origin.null = "allow""#;
    let bench = setup([echo.url()]).route(route).start().await;
    decides(
        &bench,
        &[
            (Request::websocket("/"), 403),
            (origin("http://gate.test"), 403),
            (origin("https://app.test:8443"), 101),
            (origin("http://app.test:8443"), 403),
            (origin("https://app.test"), 403),
            (origin("https://a.pages.test"), 101),
            (origin("https://pages.test"), 403),
            (origin("null"), 101),
        ],
    )
    .await;
    assert_eq!(echo.taken(), 7);
}

#[tokio::test]
async fn an_address_is_allowed_or_denied() {
    let echo = Echo::start().await;
    for (route, status) in [
        ("", 101),
        ("address.allow = [\"127.0.0.1\"]", 101),
        ("address.allow = [\"192.0.2.0/24\"]", 403),
        ("address.deny = [\"127.0.0.0/8\"]", 403),
        ("address.deny = [\"192.0.2.0/24\"]", 101),
        (
            "address.allow = [\"127.0.0.0/8\"]\naddress.deny = [\"127.0.0.1\"]",
            403,
        ),
    ] {
        let bench = setup([echo.url()]).route(route).start().await;
        // Nobody trusts this peer, whatever it says.
        let forged = Request::websocket("/").header("X-Forwarded-For", "192.0.2.1");
        decides(&bench, &[(forged, status)]).await;
    }
}

#[tokio::test]
async fn the_address_is_the_clients_behind_trusted_proxies() {
    let echo = Echo::start().await;
    let setup = setup([echo.url()])
        .top(TRUSTED)
        .route("address.deny = [\"192.0.2.0/24\"]");
    let bench = setup.start().await;
    decides(
        &bench,
        &[
            (Request::websocket("/"), 101),
            (from("192.0.2.1"), 403),
            (from("198.51.100.1"), 101),
            // The last that is no proxy is who it is; what stands before it is hearsay.
            (from("198.51.100.1, 192.0.2.1"), 403),
            (from("192.0.2.1, 198.51.100.1"), 101),
            (from("192.0.2.1, 10.0.0.1, 127.0.0.1"), 403),
            (
                from("198.51.100.1").header("X-Forwarded-For", "192.0.2.1"),
                403,
            ),
            (from("192.0.2.1:1234"), 403),
            (from("::ffff:192.0.2.1"), 403),
            (from("192.0.2.1, garbage"), 101),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_handshake_that_fails_gives_its_place_back() {
    let dead = Upstream::dead();
    let bench = setup([dead.url()])
        .route("limits.per_ip.connections = 1")
        .start()
        .await;
    for _ in 0..3 {
        let (head, _) = bench.refused(&Request::websocket("/")).await;
        assert_eq!(head.status(), 502);
    }
}

#[tokio::test]
async fn the_sockets_of_an_address_share_its_message_rate() {
    let upstream = Upstream::start().await;
    let route = "limits.per_ip.messages = { rate = \"1/h\", burst = 3 }";
    let bench = setup([upstream.url()])
        .top(TRUSTED)
        .route(route)
        .start()
        .await;
    let (mut one, mut one_up) = bench.session_by(&from("192.0.2.1"), &upstream).await;
    let (mut two, mut two_up) = bench.session_by(&from("192.0.2.1"), &upstream).await;
    let (mut other, mut other_up) = bench.session_by(&from("192.0.2.2"), &upstream).await;
    one.send_frames(&[Frame::text("1"), Frame::text("2")]).await;
    one_up.expect(Frame::text("1")).await;
    one_up.expect(Frame::text("2")).await;
    two.send_frames(&[Frame::text("3"), Frame::text("4")]).await;
    two_up.expect(Frame::text("3")).await;
    two_up.expect_close(1001).await;
    assert_eq!(
        two.close_frame().await,
        (Some(1008), "message rate exceeded".to_owned())
    );
    // It ends the session of the message, and no other.
    one_up.send_frames(&[Frame::text("still here")]).await;
    one.expect(Frame::text("still here")).await;
    other.send_frames(&[Frame::text("1")]).await;
    other_up.expect(Frame::text("1")).await;
}

#[tokio::test]
async fn the_sockets_of_an_address_share_its_byte_rate() {
    let upstream = Upstream::start().await;
    let route = "limits.message_size = \"1000B\"\n\
                 limits.per_ip.bytes = { rate = \"1B/h\", burst = \"2000B\" }";
    let bench = setup([upstream.url()])
        .top(TRUSTED)
        .route(route)
        .start()
        .await;
    let (mut one, mut one_up) = bench.session_by(&from("192.0.2.1"), &upstream).await;
    let (mut two, mut two_up) = bench.session_by(&from("192.0.2.1"), &upstream).await;
    let big = Frame::binary(vec![1; 900]);
    one.send_frame(&big).await;
    one_up.expect(big.clone()).await;
    two.send_frames(&[big.clone(), big.clone()]).await;
    two_up.expect(big).await;
    two_up.expect_close(1001).await;
    assert_eq!(
        two.close_frame().await,
        (Some(1008), "byte rate exceeded".to_owned())
    );
}

#[tokio::test]
async fn a_session_over_its_own_rate_is_closed() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let route = "limits.per_connection.messages = { rate = \"1/h\", burst = 2 }";
    let bench = setup([upstream.url()]).route(route).start().await;
    // Each session has its own.
    for _ in 0..2 {
        let (mut client, mut server) = bench.session(&upstream).await;
        // Big fragments, the last one and control frames do not count.
        let (first, last) = (Frame::new(1, "a"), Frame::new(128, ""));
        let middle = Frame::new(0, vec![b'b'; 126]);
        let sent = [
            first,
            Frame::ping("x"),
            middle,
            last,
            Frame::text("2"),
            Frame::ping("y"),
        ];
        client.send_frames(&sent).await;
        for frame in sent {
            server.expect(frame).await;
        }
        client
            .send_frames(&[Frame::text("3"), Frame::text("4")])
            .await;
        client.expect_close(1008).await;
        server.expect_close(1001).await;
        client.send_frames(&[Frame::close(1008, "")]).await;
        server.send_frames(&[Frame::close(1001, "")]).await;
        client.expect_end().await;
        // It is for the server to end the connection (RFC 6455 §7.1.1).
        server.shut().await;
        server.expect_end().await;
    }
    until("the sessions to end", || bench.handle.sessions().is_empty()).await;
    let line = logs.of("wsgate::access").pop().unwrap();
    assert_eq!(
        (line.field("reason"), line.number("client_messages")),
        ("frame_rate", 2)
    );
}

#[tokio::test]
async fn a_session_over_its_own_rate_is_slowed_down() {
    let upstream = Upstream::start().await;
    let route = "limits.on_exceed = \"delay\"\n\
                 limits.per_connection.messages = { rate = \"20/s\", burst = 2 }";
    let bench = setup([upstream.url()]).route(route).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    let messages: Vec<_> = (0..6)
        .map(|number| Frame::text(&number.to_string()))
        .collect();
    let start = Instant::now();
    client.send_frames(&messages).await;
    for message in messages {
        server.expect(message).await;
    }
    // Two at once, and the other four a twentieth of a second apart.
    assert!(
        start.elapsed() >= Duration::from_millis(199),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_frame_bigger_than_the_burst_is_slowed_down_and_not_refused() {
    let upstream = Upstream::start().await;
    let route = "limits.on_exceed = \"delay\"\n\
                 limits.per_connection.bytes = { rate = \"100KB/s\", burst = \"10KB\" }";
    let bench = setup([upstream.url()]).route(route).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    let big = Frame::binary((0..30_000_u32).map(|byte| byte as u8).collect::<Vec<_>>());
    let start = Instant::now();
    client
        .send_frames(&[big.clone(), Frame::text("behind")])
        .await;
    server.expect(big).await;
    server.expect(Frame::text("behind")).await;
    assert!(
        start.elapsed() >= Duration::from_millis(199),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_compressed_message_over_the_rate_is_never_dropped() {
    // The ones behind it could not be read without it.
    let upstream = Upstream::start().await;
    let route = "limits.on_exceed = \"drop\"\n\
                 limits.per_connection.messages = { rate = \"1/h\", burst = 1 }";
    let bench = setup([upstream.url()]).route(route).start().await;
    let offer = Request::websocket("/").header("Sec-WebSocket-Extensions", "permessage-deflate");
    let mut client = bench.ask(&offer).await;
    let (mut server, request) = upstream.request().await;
    let chosen = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    server.send(switching(&request, chosen)).await;
    client.head().await;
    let compressed = Frame::new(bits::FIN | bits::RSV1 | bits::TEXT, "x");
    // One that is not compressed may be missing.
    client
        .send_frames(&[compressed.clone(), Frame::text("plain"), compressed.clone()])
        .await;
    server.expect(compressed).await;
    server.expect_close(1001).await;
    client.expect_close(1008).await;
}
