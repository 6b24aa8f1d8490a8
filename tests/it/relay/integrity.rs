//! Every byte arrives, once and in its order.

use futures_util::future::{join, join_all};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message;

use crate::kit::{Echo, Frame, Upstream, Wire, bits, setup, until};

/// Payload in which no two near places look alike.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64)
        .map(|at| (at.wrapping_mul(0x9E37_79B9) >> 13) as u8)
        .collect()
}

#[tokio::test]
async fn messages_of_every_size_come_back_as_they_were() {
    let echo = Echo::start().await;
    let bench = setup([echo.url()]).start().await;
    let mut socket = bench.open().await;
    for size in [
        0,
        1,
        2,
        125,
        126,
        127,
        4096,
        65_535,
        65_536,
        65_537,
        262_144,
        1 << 20,
    ] {
        let binary = Message::binary(pattern(size));
        socket.send(binary.clone()).await;
        assert!(socket.next().await == binary, "{size}");
        let text = Message::text("\u{e9}".repeat(size / 2));
        socket.send(text.clone()).await;
        assert!(socket.next().await == text, "{size}");
    }
    assert_eq!(
        socket.close_with(1000, "").await,
        Some((1000, String::new()))
    );
}

#[tokio::test]
async fn frames_pass_as_they_are_both_ways() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    let frames = [
        Frame::new(bits::TEXT, "frag"),
        Frame::ping("between"),
        Frame::new(bits::CONTINUATION, ""),
        Frame::pong("unasked"),
        Frame::new(bits::CONTINUATION, pattern(70_000)),
        Frame::ping(""),
        Frame::new(bits::FIN | bits::CONTINUATION, "ment"),
        Frame::binary(""),
        Frame::binary(pattern(126)),
        Frame::pong(""),
    ];
    let both = [(true, "client"), (false, "upstream")];
    for (from_client, side) in both {
        let (sender, receiver) = match from_client {
            true => (&mut client, &mut server),
            false => (&mut server, &mut client),
        };
        let bytes = frames.iter().map(|frame| sender.encode(frame));
        let bytes = bytes.collect::<Vec<_>>().concat();
        sender.send(&bytes).await;
        // The very bytes, the client's mask included.
        assert!(receiver.take(bytes.len()).await == bytes, "{side}");
    }
}

#[tokio::test]
async fn a_ping_goes_end_to_end_and_so_does_its_pong() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    client.send_frames(&[Frame::ping("to the server")]).await;
    server.expect(Frame::ping("to the server")).await;
    server
        .send_frames(&[Frame::pong("to the server"), Frame::ping("to the client")])
        .await;
    client.expect(Frame::pong("to the server")).await;
    client.expect(Frame::ping("to the client")).await;
    client.send_frames(&[Frame::pong("to the client")]).await;
    server.expect(Frame::pong("to the client")).await;
}

#[tokio::test]
async fn one_byte_at_a_time_is_enough() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    let frames = [
        Frame::text("slowly"),
        Frame::new(bits::BINARY, pattern(130)),
        Frame::ping("now"),
        Frame::new(bits::FIN | bits::CONTINUATION, pattern(3)),
        Frame::close(1000, "done"),
    ];
    for frame in &frames {
        for byte in client.encode(frame) {
            client.send([byte]).await;
        }
        server.expect(frame.clone()).await;
        for byte in server.encode(frame) {
            server.send([byte]).await;
        }
        client.expect(frame.clone()).await;
    }
}

#[tokio::test]
async fn many_frames_in_one_write_are_many_frames() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    let frames: Vec<_> = (0..5000_usize)
        .map(|n| Frame::text(&n.to_string()))
        .collect();
    let (mut sent, mut arrived) = (frames.clone(), frames.clone());
    sent.push(Frame::binary(pattern(100_000)));
    arrived.push(Frame::binary(pattern(100_000)));
    let receive = async {
        for frame in arrived {
            server.expect(frame).await;
        }
    };
    join(client.send_frames(&sent), receive).await;
    let session = bench.handle.sessions().pop().unwrap();
    assert_eq!(session.messages_from_client, 5001);
}

#[tokio::test]
async fn a_hundred_sessions_do_not_mix() {
    let echo = Echo::start().await;
    let bench = setup([echo.url()]).start().await;
    let mut sockets = join_all((0..100).map(|_| bench.open())).await;
    assert_eq!(bench.handle.sessions().len(), 100);
    let talk = sockets
        .iter_mut()
        .enumerate()
        .map(|(number, socket)| async move {
            for turn in 0..10 {
                socket.echoes(&format!("{number} says {turn}")).await;
            }
        });
    join_all(talk).await;
    for session in bench.handle.sessions() {
        assert_eq!(
            (session.messages_from_client, session.messages_from_upstream),
            (10, 10)
        );
    }
    join_all(
        sockets
            .into_iter()
            .map(|socket| socket.close_with(1000, "")),
    )
    .await;
    until("the sessions to end", || bench.handle.sessions().is_empty()).await;
}

/// A run of whole messages: each in fragments, with control frames between them.
fn messages() -> impl Strategy<Value = Vec<Frame>> {
    let payload = prop_oneof![
        4 => vec(any::<u8>(), 0..20),
        2 => vec(any::<u8>(), 120..130),
        1 => (65_530_usize..65_540).prop_map(pattern),
    ];
    let control = (
        prop_oneof![Just(bits::PING), Just(bits::PONG)],
        vec(any::<u8>(), 0..=125),
    );
    let control = control.prop_map(|(opcode, payload)| Frame::new(bits::FIN | opcode, payload));
    let fragment = (payload, vec(control, 0..3));
    let message = (
        prop_oneof![Just(bits::TEXT), Just(bits::BINARY)],
        vec(fragment, 1..5),
    );
    let message = message.prop_map(|(opcode, fragments)| {
        let last = fragments.len() - 1;
        let mut frames = Vec::new();
        for (at, (payload, controls)) in fragments.into_iter().enumerate() {
            let opcode = if at == 0 { opcode } else { bits::CONTINUATION };
            let fin = if at == last { bits::FIN } else { 0 };
            frames.push(Frame::new(fin | opcode, payload));
            frames.extend(controls);
        }
        frames
    });
    vec(message, 0..6).prop_map(|messages| messages.concat())
}

/// Where writes end, as parts of what is written.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![3 => 1_usize..20, 1 => 1_usize..70_000], 0..30)
}

/// Sends bytes in writes of these sizes, and the rest in one.
async fn send_in_pieces(wire: &mut Wire, mut bytes: &[u8], cuts: &[usize]) {
    for cut in cuts {
        let (piece, rest) = bytes.split_at((*cut).min(bytes.len()));
        wire.send(piece).await;
        tokio::task::yield_now().await;
        bytes = rest;
    }
    wire.send(bytes).await;
}

fn cases(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn any_messages_cut_anywhere_arrive_byte_by_byte_both_ways() {
    let runtime = Runtime::new().unwrap();
    let (upstream, bench) = runtime.block_on(async {
        let upstream = Upstream::start().await;
        let bench = setup([upstream.url()]).start().await;
        (upstream, bench)
    });
    let strategy = ((messages(), cuts()), (messages(), cuts()));
    type Sent = (Vec<Frame>, Vec<usize>);
    let run = |((up, up_cuts), (down, down_cuts)): (Sent, Sent)| {
        runtime.block_on(async {
            let (mut client, mut server) = bench.session(&upstream).await;
            let up: Vec<u8> = up.iter().flat_map(Frame::masked).collect();
            let down: Vec<u8> = down.iter().flat_map(Frame::plain).collect();
            // First one way and then the other, so that neither leg has two readers.
            send_in_pieces(&mut client, &up, &up_cuts).await;
            send_in_pieces(&mut server, &down, &down_cuts).await;
            prop_assert!(server.take(up.len()).await == up);
            prop_assert!(client.take(down.len()).await == down);
            Ok(())
        })
    };
    cases(64).run(&strategy, run).unwrap();
}

#[test]
fn of_any_bytes_at_all_what_arrives_is_how_they_begin_and_one_close_frame() {
    let runtime = Runtime::new().unwrap();
    let (upstream, bench) = runtime.block_on(async {
        let upstream = Upstream::start().await;
        let route = "timeouts.close = \"5ms\"";
        let bench = setup([upstream.url()]).route(route).start().await;
        (upstream, bench)
    });
    let masked = |frames: Vec<Frame>| frames.iter().flat_map(Frame::masked).collect();
    let head = (any::<u8>(), any::<u8>());
    let anything = (head, vec(any::<u8>(), 0..40));
    let anything =
        anything.prop_map(|((first, second), rest)| [vec![first, second], rest].concat());
    let bytes = prop_oneof![2 => messages().prop_map(masked), 1 => anything];
    let bytes = vec(bytes, 1..4).prop_map(|bytes: Vec<Vec<u8>>| bytes.concat());
    let run = |bytes: Vec<u8>| {
        runtime.block_on(async {
            let (mut client, mut server) = bench.session(&upstream).await;
            client.try_send(&bytes).await;
            client.shut().await;
            let arrived = server.rest().await.unwrap();
            let own = ["", "client lost"].map(|reason| Frame::close(1001, reason));
            let all_the_clients = bytes.starts_with(&arrived);
            let ends_with = |frame: &Frame| {
                let at = arrived.len().checked_sub(frame.masked().len());
                let (passed, close) = at.map_or((&[][..], &[][..]), |at| arrived.split_at(at));
                let close = Frame::read(close).map(|(close, ..)| close);
                bytes.starts_with(passed) && close.as_ref() == Some(frame)
            };
            prop_assert!(
                all_the_clients || own.iter().any(ends_with),
                "{}",
                arrived.escape_ascii()
            );
            Ok(())
        })
    };
    cases(128).run(&bytes, run).unwrap();
}
