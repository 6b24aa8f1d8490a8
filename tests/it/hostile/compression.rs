//! Case F17: permessage-deflate, agreed on or not (RFC 7692).

use rstest::rstest;

use crate::kit::{CANARY, Fault, Frame, Host, Side, Stage, Wire, bits, switching};

use bits::{BINARY, CONTINUATION, FIN, PING, RSV1, TEXT};

/// What a client offers, and what of it goes on.
const OFFER: &str = "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits, \
                     permessage-deflate";
const OFFERED: &str = "permessage-deflate; client_max_window_bits, permessage-deflate";

const AGREED: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// Opens a session by an offer, and tells what the upstream was asked and the client answered.
async fn offer(stage: &mut Stage, lines: &str) -> (Wire, Wire, String, String) {
    let request = Stage::handshake().header("Sec-WebSocket-Extensions", OFFER);
    let mut client = stage.client().await;
    client.send(request.text()).await;
    let (mut server, asked) = stage.upstream.request().await;
    server.send(switching(&asked, lines)).await;
    let answer = client.head().await;
    assert_eq!(answer.status(), 101, "{answer:?}");
    stage.was_accepted();
    let extensions = |head: &crate::kit::Head| head.all("sec-websocket-extensions").join("|");
    (client, server, extensions(&asked), extensions(&answer))
}

/// A compressed message may not come from this side of the session; it ends with this.
async fn refuses(stage: &mut Stage, from: Side, ends: (Wire, Wire), before: &[Frame], bad: &Frame) {
    let (mut client, mut server) = ends;
    let (sender, honest) = match from {
        Side::Client => (&mut client, &mut server),
        Side::Upstream => (&mut server, &mut client),
    };
    Stage::passes(sender, honest, before).await;
    sender
        .send_frames(&[bad.clone(), Frame::text(CANARY)])
        .await;
    let told = match from {
        Side::Client => [(1002, "protocol error"), (1001, "")],
        Side::Upstream => [(1011, "upstream protocol error"), (1002, "protocol error")],
    };
    let [to_client, to_upstream] = told.map(|(code, reason)| Frame::close(code, reason));
    client.expect(to_client).await;
    server.expect(to_upstream).await;
    for wire in [&mut client, &mut server] {
        wire.shut().await;
    }
    client.expect_end().await;
    server.expect_end().await;
    stage.ends("rsv_or_opcode");
}

/// Every first byte that says that its frame is compressed.
fn compressed() -> [u8; 4] {
    [TEXT, BINARY, FIN | TEXT, FIN | BINARY].map(|first| first | RSV1)
}

/// Those that never may, and what has to come before them.
fn never_compressed() -> Vec<(u8, Vec<Frame>)> {
    let begun = vec![Frame::new(RSV1 | TEXT, "begun")];
    let plain = vec![Frame::new(TEXT, "begun")];
    vec![
        (RSV1 | CONTINUATION, begun.clone()),
        (RSV1 | FIN | CONTINUATION, begun.clone()),
        (RSV1 | CONTINUATION, plain.clone()),
        (RSV1 | FIN | CONTINUATION, plain),
        (RSV1 | FIN | PING, Vec::new()),
        (RSV1 | FIN | bits::PONG, begun),
        (RSV1 | FIN | bits::CLOSE, Vec::new()),
        (0x20 | RSV1 | FIN | TEXT, Vec::new()),
        (0x10 | RSV1 | FIN | BINARY, Vec::new()),
    ]
}

#[tokio::test]
async fn f17_an_offer_is_removed_and_a_compressed_message_refused_where_compression_is_off() {
    for route in ["compression = \"off\"", "validate_utf8 = true"] {
        let mut stage = Stage::set(route).await;
        for from in [Side::Client, Side::Upstream] {
            for first in compressed() {
                let (client, server, asked, answered) = offer(&mut stage, "").await;
                assert_eq!((&*asked, &*answered), ("", ""), "{route}");
                let bad = Frame::new(first, CANARY);
                refuses(&mut stage, from, (client, server), &[], &bad).await;
            }
        }
        stage.stands().await;
    }
}

#[rstest]
#[tokio::test]
async fn f17_an_upstream_that_compresses_without_an_offer(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    for route in ["compression = \"off\"", "compression = \"passthrough\""] {
        let mut stage = Stage::on(host, route).await;
        let request = match route.contains("off") {
            true => Stage::handshake().header("Sec-WebSocket-Extensions", OFFER),
            false => Stage::handshake(),
        };
        let mut client = stage.client().await;
        client.send(request.text()).await;
        let (mut server, asked) = stage.upstream.request().await;
        asked.assert(&[("sec-websocket-extensions", "")]);
        server.send(switching(&asked, AGREED)).await;
        assert_eq!(client.head().await.status(), 502);
        client.end().await;
        server.expect_end().await;
        stage.refuses("bad_extension");
        stage.stands().await;
    }
}

#[tokio::test]
async fn f17_a_compressed_message_without_negotiated_compression() {
    let mut stage = Stage::set("compression = \"passthrough\"").await;
    let mut faults = Vec::new();
    for first in compressed() {
        let what = format!("{first:#04x}");
        let frame = Frame::new(first, CANARY);
        let (client, upstream) = (&frame.masked()[..6], &frame.plain()[..2]);
        faults.push(Fault::bytes("rsv_or_opcode", &what, client, upstream).cut(6));
        faults.push(Fault::frame("rsv_or_opcode", &what, &frame));
    }
    stage.breaks(&faults).await;
    // The client did offer it, and the upstream did not take it.
    for from in [Side::Client, Side::Upstream] {
        for first in compressed() {
            let (client, server, asked, answered) = offer(&mut stage, "").await;
            assert_eq!((&*asked, &*answered), (OFFERED, ""));
            let bad = Frame::new(first, CANARY);
            refuses(&mut stage, from, (client, server), &[], &bad).await;
        }
    }
    stage.stands().await;
}

#[tokio::test]
async fn f17_compressed_messages_pass_where_both_sides_agreed() {
    let mut stage = Stage::set("compression = \"passthrough\"").await;
    let (mut client, mut server, asked, answered) = offer(&mut stage, AGREED).await;
    assert_eq!((&*asked, &*answered), (OFFERED, "permessage-deflate"));
    let mut frames = Vec::new();
    for kind in [TEXT, BINARY] {
        frames.extend([
            Frame::new(RSV1 | FIN | kind, b"\xF2\x48\xCD\xC9\xC9\x07\x00"),
            Frame::new(FIN | kind, CANARY),
            Frame::new(RSV1 | FIN | kind, ""),
            Frame::new(RSV1 | kind, b"\xF2\x48"),
            Frame::ping("between"),
            Frame::new(CONTINUATION, b"\xCD\xC9"),
            Frame::new(FIN | CONTINUATION, b"\xC9\x07\x00"),
        ]);
    }
    Stage::passes(&mut client, &mut server, &frames).await;
    Stage::passes(&mut server, &mut client, &frames).await;
    stage.parts(client, server).await;
    stage.stands().await;
}

#[tokio::test]
async fn f17_the_bit_is_for_the_first_frame_of_a_message_alone() {
    let mut stage = Stage::set("").await;
    for from in [Side::Client, Side::Upstream] {
        for (first, before) in never_compressed() {
            let (client, server, ..) = offer(&mut stage, AGREED).await;
            let bad = Frame::new(first, b"\x03\xE8c4nary");
            refuses(&mut stage, from, (client, server), &before, &bad).await;
        }
    }
    stage.stands().await;
}

#[tokio::test]
async fn f17_a_decompression_bomb_costs_no_memory() {
    let mut stage = Stage::set("limits.message_size = \"64KiB\"").await;
    let (mut client, mut server, ..) = offer(&mut stage, AGREED).await;
    let before = stage.vitals().memory;
    // The beginning of a block of zeros without end: nobody here looks inside.
    let bomb = [&[0xED, 0xC1][..], &[0; 65_534]].concat();
    for _ in 0..50 {
        let bomb = [Frame::new(RSV1 | FIN | BINARY, &bomb[..])];
        Stage::passes(&mut client, &mut server, &bomb).await;
        Stage::passes(&mut server, &mut client, &bomb).await;
    }
    let took = stage.vitals().memory.saturating_sub(before);
    assert!(took < 4 << 20, "{took}");
    // What counts is what is on the wire.
    let over = Frame::new(RSV1 | FIN | BINARY, [&bomb[..], &[0]].concat());
    client.send_frame(&over).await;
    client.expect(Frame::close(1009, "message too big")).await;
    server.expect(Frame::close(1001, "")).await;
    server.send_frame(&Frame::bare_close()).await;
    server.shut().await;
    client.expect_end().await;
    client.shut().await;
    server.expect_end().await;
    stage.ends("too_big");
    stage.stands().await;
}
