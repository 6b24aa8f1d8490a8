//! Case F14: floods of messages that say nothing.

use std::cell::Cell;

use futures_util::future::join;

use rstest::rstest;

use crate::kit::{CANARY, Frame, Host, Side, Stage, Wire, bits, is_held_back};

use bits::{BINARY, CONTINUATION, FIN, PING, PONG, TEXT};

/// How many frames there are in a flood, and how many of a kind the limit lets through: so many
/// at once, and then one an hour.
const FLOOD: usize = 5000;
const BURST: usize = 100;

/// The lines of a route with that limit.
fn limited(on_exceed: &str, whose: &str) -> String {
    format!(
        "limits.on_exceed = \"{on_exceed}\"\ntimeouts.close = \"200ms\"\n\
         [route.limits.{whose}]\nmessages = {{ rate = \"1/h\", burst = {BURST} }}"
    )
}

/// The smallest frames that cost a turn each.
fn crumbs() -> Vec<Frame> {
    let mut crumbs = Vec::new();
    for kind in [TEXT, BINARY, PING, PONG] {
        crumbs.push(Frame::new(FIN | kind, ""));
        crumbs.push(Frame::new(FIN | kind, "x"));
    }
    crumbs
}

/// Checks that so many of these arrive.
async fn arrive(receiver: &mut Wire, crumb: &Frame, count: usize) {
    let bytes = crumb.masked().repeat(count);
    assert!(receiver.take(bytes.len()).await == bytes, "{crumb:?}");
}

#[tokio::test]
async fn f14_a_flood_over_the_limit_is_closed() {
    for whose in ["per_connection", "per_ip"] {
        for crumb in crumbs() {
            // The buckets of an address are shared by its sessions, so that each gets a new gate.
            let mut stage = Stage::set(&limited("close", whose)).await;
            let (mut client, mut server) = stage.session().await;
            client.send(crumb.masked().repeat(FLOOD)).await;
            client.send_frame(&Frame::text(CANARY)).await;
            arrive(&mut server, &crumb, BURST).await;
            server.expect(Frame::close(1001, "")).await;
            client
                .expect(Frame::close(1008, "message rate exceeded"))
                .await;
            client.send_frame(&Frame::bare_close()).await;
            server.send_frame(&Frame::bare_close()).await;
            server.shut().await;
            client.expect_end().await;
            client.shut().await;
            server.expect_end().await;
            stage.ends("frame_rate");
            stage.stands().await;
        }
    }
}

#[rstest]
#[tokio::test]
async fn f14_a_flood_over_the_limit_is_dropped(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, &limited("drop", "per_connection")).await;
    for crumb in crumbs() {
        let (mut client, mut server) = stage.session().await;
        client.send(crumb.masked().repeat(FLOOD)).await;
        arrive(&mut server, &crumb, BURST).await;
        // A message is dropped whole; pings have a limit of their own, and so have messages.
        let is_control = crumb.first & 0x8 != 0;
        let fragments = [
            Frame::new(TEXT, CANARY),
            Frame::ping("between"),
            Frame::new(CONTINUATION, CANARY),
            Frame::new(FIN | CONTINUATION, CANARY),
            Frame::binary(vec![5; 100_000]),
            Frame::ping("behind"),
        ];
        client.send_frames(&fragments).await;
        for fragment in fragments {
            if (fragment.first == FIN | PING) != is_control {
                server.expect(fragment).await;
            }
        }
        // What the upstream says is not limited, and neither is the end.
        Stage::passes(&mut server, &mut client, &vec![crumb; 2 * BURST]).await;
        stage.parts(client, server).await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn f14_a_flood_over_the_limit_is_not_read() {
    let mut stage = Stage::set(&limited("delay", "per_connection")).await;
    let before = stage.vitals().memory;
    for crumb in crumbs() {
        let (client, mut server) = stage.small_session().await;
        let (mut client, mut flooding) = client.split();
        let sent = Cell::new(0);
        let flood = async {
            let bytes = crumb.masked().repeat(FLOOD);
            while flooding.try_send(&bytes).await {
                sent.set(sent.get() + bytes.len());
            }
        };
        tokio::select! {
            () = flood => panic!("the gate hung up"),
            () = stage.until_stalled(&sent) => {}
        }
        is_held_back(sent.get());
        arrive(&mut server, &crumb, BURST).await;
        assert!(server.there().is_empty(), "{server:?}");
        // A client that is not read is still told.
        server.send_frame(&Frame::close(4000, "enough")).await;
        client.expect(Frame::close(4000, "enough")).await;
        client.end().await;
        server.end().await;
        stage.ends("closed");
    }
    let took = stage.vitals().memory.saturating_sub(before);
    assert!(took < 4 << 20, "{took}");
    stage.stands().await;
}

#[tokio::test]
async fn f14_a_flood_that_is_slowed_down_arrives_in_its_order() {
    let route = "limits.on_exceed = \"delay\"\n\
                 [route.limits.per_connection]\nmessages = { rate = \"2000/s\", burst = 10 }";
    let mut stage = Stage::set(route).await;
    let (mut client, mut server) = stage.session().await;
    let frames: Vec<_> = (0..600_usize)
        .map(|number| match number % 2 {
            0 => Frame::text(&number.to_string()),
            _ => Frame::ping(&number.to_string()),
        })
        .collect();
    join(
        Stage::passes(&mut client, &mut server, &frames),
        stage.serves_others(),
    )
    .await;
    stage.parts(client, server).await;
    stage.stands().await;
}

#[tokio::test]
async fn f14_the_sessions_of_one_address_share_its_limit() {
    let mut stage = Stage::set(&limited("drop", "per_ip")).await;
    let crumb = Frame::binary("");
    let mut sessions = Vec::new();
    for (count, let_through) in [(60, 60), (FLOOD, 40), (FLOOD, 0)] {
        let (mut client, mut server) = stage.session().await;
        client.send(crumb.masked().repeat(count)).await;
        client.send_frame(&Frame::ping("behind it")).await;
        arrive(&mut server, &crumb, let_through).await;
        server.expect(Frame::ping("behind it")).await;
        sessions.push((client, server));
    }
    for (client, server) in sessions {
        stage.parts(client, server).await;
    }
    stage.stands().await;
}

/// So many crumbs, where nothing limits them.
const UNLIMITED: usize = 50_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f14_other_sessions_go_on_beside_a_flood_without_a_limit() {
    let mut stage = Stage::set("").await;
    for from in [Side::Client, Side::Upstream] {
        for crumb in [
            Frame::text(""),
            Frame::binary("x"),
            Frame::ping(""),
            Frame::pong("x"),
        ] {
            let (mut client, mut server) = stage.session().await;
            let (sender, receiver) = match from {
                Side::Client => (&mut client, &mut server),
                Side::Upstream => (&mut server, &mut client),
            };
            let flood = vec![crumb; UNLIMITED];
            let others = async {
                for _ in 0..5 {
                    stage.serves_others().await;
                }
            };
            join(Stage::passes(sender, receiver, &flood), others).await;
            stage.parts(client, server).await;
        }
    }
    stage.stands().await;
}
