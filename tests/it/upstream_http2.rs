//! HTTP/2 to servers: sessions that share connections (RFC 8441, RFC 9113).

mod hostile;
#[cfg(feature = "server")]
mod plain;
mod sharing;

use h2::Reason;
use hyper::body::Bytes;

use crate::kit::{Bench, Frame, Http2Upstream, Request, Setup, Wire, setup, soon};

/// A gate before a server of HTTP/2.
fn before(upstream: &Http2Upstream) -> Setup {
    setup([upstream.url()]).upstream("http = \"h2\"")
}

/// The outcome of the one handshake that there was.
fn outcome(bench: &Bench) -> &'static str {
    let handshakes = bench.handle.metrics().handshakes;
    let happened: Vec<_> = handshakes.iter().filter(|one| one.count > 0).collect();
    assert_eq!(happened.len(), 1, "{happened:?}");
    happened[0].outcome
}

/// The client of a session whose handshake the server has answered.
async fn opened(client: &mut Wire) {
    let head = client.head().await;
    assert_eq!(head.status(), 101, "{head:#?}");
}

#[tokio::test]
async fn a_session_is_an_extended_connect_with_the_frames_of_its_client() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let request = Request::websocket("/chat?room=1")
        .header("Origin", "https://gate.test")
        .header("Cookie", "a=b")
        .header("Sec-WebSocket-Protocol", "chat, superchat")
        .header(
            "Sec-WebSocket-Extensions",
            "permessage-deflate; client_max_window_bits",
        );
    let mut client = bench.ask(&request).await;
    let mut peer = upstream.accept().await;
    let asked = peer.request().await;
    assert_eq!(asked.head.method(), "CONNECT");
    assert_eq!(asked.head.uri(), "http://gate.test/chat?room=1");
    let protocol = asked.head.extensions().get::<h2::ext::Protocol>();
    assert_eq!(
        protocol.map(|protocol| protocol.as_str()),
        Some("websocket")
    );
    assert_eq!(asked.header("sec-websocket-version"), Some("13"));
    assert_eq!(
        asked.header("sec-websocket-protocol"),
        Some("chat, superchat")
    );
    assert!(
        asked
            .header("sec-websocket-extensions")
            .unwrap()
            .starts_with("permessage-deflate")
    );
    assert_eq!(asked.header("origin"), Some("https://gate.test"));
    assert_eq!(asked.header("cookie"), Some("a=b"));
    for absent in [
        "host",
        "connection",
        "upgrade",
        "sec-websocket-key",
        "sec-websocket-accept",
    ] {
        assert_eq!(asked.header(absent), None, "{absent}");
    }
    let mut server = asked.accept_with(&[
        ("sec-websocket-protocol", "superchat"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("x-server", "one"),
    ]);
    let head = client.head().await;
    assert_eq!(head.status(), 101, "{head:#?}");
    assert_eq!(head.one("sec-websocket-protocol"), "superchat");
    assert_eq!(head.one("sec-websocket-extensions"), "permessage-deflate");
    assert_eq!(
        head.one("sec-websocket-accept"),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    assert_eq!(head.one("x-server"), "one");
    client.send_frame(&Frame::text("up")).await;
    server.expect(Frame::text("up")).await;
    for length in [0, 1, 125, 126, 16 * 1024, 16 * 1024 + 1, 1_000_000] {
        let frame = Frame::binary(vec![b'x'; length]);
        let ((), ()) = tokio::join!(server.send_frame(&frame), client.expect(frame.clone()));
        let ((), ()) = tokio::join!(client.send_frame(&frame), server.expect(frame.clone()));
    }
    client.send_frame(&Frame::close(4321, "over")).await;
    assert_eq!(server.close_frame().await, (Some(4321), "over".to_owned()));
    server.send_frame(&Frame::close(4321, "over")).await;
    server.shut().await;
    client.expect_close(4321).await;
    client.expect_end().await;
    server.expect_end().await;
}

#[tokio::test]
async fn a_choice_that_was_not_offered_is_refused() {
    for (header, expected) in [
        (("sec-websocket-protocol", "other"), "bad_subprotocol"),
        (
            ("sec-websocket-extensions", "permessage-deflate"),
            "bad_extension",
        ),
    ] {
        let upstream = Http2Upstream::start().await;
        let bench = before(&upstream).start().await;
        let request = Request::websocket("/").header("Sec-WebSocket-Protocol", "chat");
        let serve = async {
            let mut peer = upstream.accept().await;
            let mut server = peer.request().await.accept_with(&[header]);
            // The stream is reset.
            assert!(server.rest().await.is_err());
        };
        let ((head, _), ()) = tokio::join!(bench.refused(&request), serve);
        assert_eq!((head.status(), outcome(&bench)), (502, expected));
    }
}

#[tokio::test]
async fn a_refusal_is_passed_on_and_its_connection_goes_on() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let mut client = bench.ask(&Request::websocket("/")).await;
    let mut peer = upstream.accept().await;
    let headers = [("location", "/login"), ("content-type", "text/plain")];
    peer.request().await.finish(302, &headers, "sign in");
    let (head, body) = client.response().await.parts();
    assert_eq!((head.status(), body.as_str()), (302, "sign in"));
    assert_eq!(head.one("location"), "/login");
    client.expect_end().await;
    for status in [204, 304] {
        let mut client = bench.ask(&Request::websocket("/")).await;
        peer.request().await.finish(status, &[], "");
        assert_eq!(client.head().await.status(), 502, "{status}");
    }
    let mut client = bench.ask(&Request::websocket("/")).await;
    let _server = peer.session().await;
    opened(&mut client).await;
    assert!(upstream.untouched(), "one connection is enough");
}

#[tokio::test]
async fn a_server_without_websockets_has_a_word_of_its_own() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let request = Request::websocket("/");
    let serve = async {
        let mut peer = upstream.accept_with(|builder| builder).await;
        peer.untouched()
    };
    let ((head, body), untouched) = tokio::join!(bench.refused(&request), serve);
    assert_eq!(
        (head.status(), outcome(&bench)),
        (502, "upstream_no_websockets")
    );
    assert_eq!(body, "the backend has no WebSockets\n");
    assert!(untouched);
}

#[tokio::test]
async fn a_reset_stream_and_a_lost_connection_end_their_sessions_and_no_others() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let mut one = bench.ask(&Request::websocket("/")).await;
    let mut peer = upstream.accept().await;
    let (mut send, _receive) = peer.request().await.answer(200, &[]);
    opened(&mut one).await;
    let mut two = bench.ask(&Request::websocket("/")).await;
    let mut server = peer.session().await;
    opened(&mut two).await;

    send.send_reset(Reason::INTERNAL_ERROR);
    one.expect_close(1011).await;
    two.send_frame(&Frame::text("still")).await;
    server.expect(Frame::text("still")).await;

    drop(peer);
    two.expect_close(1011).await;
}

#[tokio::test]
async fn a_session_that_is_cut_resets_its_stream_alone() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let mut one = bench.ask(&Request::websocket("/")).await;
    let mut peer = upstream.accept().await;
    let mut cut = peer.session().await;
    opened(&mut one).await;
    let mut two = bench.ask(&Request::websocket("/")).await;
    let mut server = peer.session().await;
    opened(&mut two).await;
    // In the middle of a frame nothing can be said any more.
    one.send(&Frame::binary(vec![0; 100]).masked()[..50]).await;
    drop(one);
    let _left_over = cut.end().await;
    two.send_frame(&Frame::text("still")).await;
    server.expect(Frame::text("still")).await;
}

#[tokio::test]
async fn the_answer_to_a_close_frame_ends_the_stream_in_one_frame() {
    let upstream = Http2Upstream::start().await;
    let bench = before(&upstream).start().await;
    let mut client = bench.ask(&Request::websocket("/")).await;
    let mut peer = upstream.accept().await;
    let (mut send, mut receive) = peer.request().await.answer(200, &[]);
    opened(&mut client).await;
    let close = Frame::close(1000, "");
    send.send_data(close.plain().into(), false).unwrap();
    client.expect_close(1000).await;
    client.send_frame(&close).await;
    let answer = soon("an answer", receive.data()).await.unwrap().unwrap();
    assert_eq!(answer, close.masked());
    // There is no empty frame behind it.
    assert!(receive.is_end_stream());
    send.send_data(Bytes::new(), true).unwrap();
    client.expect_end().await;
}
