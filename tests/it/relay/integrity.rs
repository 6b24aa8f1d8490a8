//! Every byte arrives, once and in its order.

use futures_util::future::join_all;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use crate::kit::{Echo, Frame, Upstream, Wire, bits, setup, until};

/// Payload in which no two near places look alike.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64)
        .map(|at| (at.wrapping_mul(0x9E37_79B9) >> 13) as u8)
        .collect()
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
fn any_bytes_arrive_as_a_prefix_of_them_and_one_close_frame() {
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
