//! Case H21: frames that come before the 101.

use crate::kit::{CANARY, Frame, Request, Stage, answer, bits, switching};

/// Frames with so much payload together, each payload unlike the others.
fn frames(length: usize) -> Vec<Frame> {
    let payload: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
    let chunks = payload.chunks(1000);
    chunks.map(Frame::binary).collect()
}

fn encoded(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::masked).collect()
}

#[tokio::test]
async fn h21_frames_before_the_101_are_held_and_delivered_once() {
    let mut stage = Stage::set("").await;
    let head = Stage::handshake().text().into_bytes();
    // What hyper reads ahead is 16 KiB with the head; beyond it they wait in the socket.
    for length in [
        0,
        1,
        1000,
        16 * 1024 - head.len(),
        16 * 1024,
        16 * 1024 + 1,
        200 * 1024,
    ] {
        let frames = frames(length);
        let bytes = [&head[..], &encoded(&frames)].concat();
        // In one segment; the head's end with the frames; a frame in two; the frames alone.
        for cut in [0, head.len() - 1, head.len() + 1, head.len()] {
            let cut = cut.min(bytes.len());
            let mut client = stage.client().await;
            client.send(&bytes[..cut]).await;
            if cut >= head.len() {
                // By now the head has been read for itself.
                stage.serves_others().await;
            }
            client.send(&bytes[cut..]).await;
            let (mut server, asked) = stage.upstream.request().await;
            stage.serves_others().await;
            assert!(server.there().is_empty(), "{length}, {cut}: {server:?}");
            server.send(switching(&asked, "")).await;
            assert_eq!(client.head().await.status(), 101, "{length}, {cut}");
            client.send_frame(&Frame::text(CANARY)).await;
            for frame in &frames {
                server.expect(frame.clone()).await;
            }
            server.expect(Frame::text(CANARY)).await;
            client.send_frame(&Frame::close(1000, "")).await;
            server.expect_close(1000).await;
            server.send_frame(&Frame::close(1000, "")).await;
            client.expect_close(1000).await;
            client.end().await;
            stage.was_accepted();
            stage.ends("closed");
        }
    }
    stage.stands().await;
}

#[tokio::test]
async fn h21_a_refusal_by_the_gate_drops_what_came_early() {
    let mut stage = Stage::set("").await;
    let early = encoded(&frames(8000));
    for (request, status, reason) in [
        (
            Stage::handshake().header("Origin", "https://evil.test"),
            403,
            "origin_denied",
        ),
        (
            Stage::handshake().without("Sec-WebSocket-Key"),
            400,
            "ws_key_missing",
        ),
    ] {
        let bytes = [request.text().as_bytes(), &early].concat();
        stage.refused(reason, bytes, status, reason).await;
    }
    stage.stands().await;
}

// What hyper has not read is still in the socket: closed as it is, it would be reset, and a reset can
// take the answer with it.
#[tokio::test]
async fn h21_a_refusal_reaches_a_client_that_sent_more_than_was_read() {
    let mut stage = Stage::set("").await;
    for length in [8 * 1024, 32 * 1024, 200 * 1024] {
        let request = Stage::handshake().header("Origin", "https://evil.test");
        let bytes = [request.text().as_bytes(), &encoded(&frames(length))].concat();
        let mut client = stage.client().await;
        client.send(bytes).await;
        let (head, _) = client.response().await.parts();
        assert_eq!(head.status(), 403);
        client.expect_end().await;
        stage.refuses("origin_denied");
    }
    stage.stands().await;
}

#[tokio::test]
async fn h21_a_refusal_by_the_upstream_drops_what_came_early() {
    let mut stage = Stage::set("").await;
    let smuggled = Request::plain("/ws/smuggled").text();
    for early in [encoded(&frames(4000)), smuggled.into_bytes()] {
        for (status, seen, reason) in [
            ("403 Forbidden", 403, "upstream_answered"),
            ("200 OK", 502, "upstream_not_101"),
        ] {
            let mut client = stage.client().await;
            let bytes = [Stage::handshake().text().as_bytes(), &early].concat();
            client.send(bytes).await;
            let (mut server, _) = stage.upstream.request().await;
            stage.serves_others().await;
            assert!(server.there().is_empty(), "{status}: {server:?}");
            server.send(answer(status, "", "")).await;
            let (head, _) = client.response().await.parts();
            assert_eq!(head.status(), seen);
            assert_eq!(head.one("connection"), "close");
            client.expect_end().await;
            // Of the client's bytes none but the head of the handshake, and then the end.
            server.expect_end().await;
            stage.refuses(reason);
        }
    }
    stage.stands().await;
}

#[tokio::test]
async fn h21_a_request_behind_the_handshake_is_no_frame() {
    let mut stage = Stage::set("").await;
    let smuggled = Request::plain("/ws/smuggled").text();
    let mut client = stage.client().await;
    let text = Stage::handshake().text();
    client.send(format!("{text}{smuggled}")).await;
    let (mut server, asked) = stage.upstream.request().await;
    server.send(switching(&asked, "")).await;
    assert_eq!(client.head().await.status(), 101);
    stage.was_accepted();
    client.expect_close(1002).await;
    server.expect_close(1001).await;
    drop(server);
    client.end().await;
    stage.ends("rsv_or_opcode");
    stage.stands().await;
}

#[tokio::test]
async fn h21_a_wrong_frame_before_the_101_is_one_after_it() {
    let mut stage = Stage::set("").await;
    let right = Frame::text("first");
    let wrong = Frame::new(bits::FIN | bits::TEXT, CANARY).plain();
    let mut client = stage.client().await;
    let text = Stage::handshake().text();
    let bytes = [text.as_bytes(), &right.masked(), &wrong].concat();
    client.send(bytes).await;
    let (mut server, asked) = stage.upstream.request().await;
    server.send(switching(&asked, "")).await;
    assert_eq!(client.head().await.status(), 101);
    stage.was_accepted();
    server.expect(right).await;
    server.expect_close(1001).await;
    drop(server);
    client.expect_close(1002).await;
    client.end().await;
    stage.ends("unmasked");
    stage.stands().await;
}
