//! Case R15: peers that go on sending when their session has ended.

use std::cell::Cell;

use futures_util::future::join;
use rstest::rstest;

use super::pressure::of;
use crate::kit::{Frame, Host, Side, Stage, Wire, soon};

/// What is read and discarded, and what the buffers of two sockets hold on this machine.
const MOST: usize = 48 << 20;

/// Sends for as long as it is taken, and returns how much that was.
async fn pour(peer: &mut Wire) -> usize {
    let message = peer.encode(&Frame::binary(vec![7; 64 * 1024]));
    let mut poured = 0;
    while poured < 16 * MOST && peer.try_send(&message).await {
        poured += message.len();
    }
    poured
}

#[rstest]
#[tokio::test]
async fn r15_a_peer_that_pours_behind_the_end_of_its_session_is_cut(
    #[values(Host::Program, Host::HyperService)] host: Host,
    #[values(Side::Client, Side::Upstream)] pours: Side,
) {
    let mut stage = Stage::on(host, "timeouts.close = \"1h\"").await;
    let (mut client, mut server) = stage.session().await;
    // An unmasked frame.
    client.send(b"\x81\x01x").await;
    client.expect_close(1002).await;
    server.expect_close(1001).await;
    let (pouring, other) = of(pours, client, server);
    let (mut reader, mut writer) = pouring.split();
    let (mut other_reader, mut other) = other.split();
    // It ends as it should.
    other.shut().await;
    let poured = soon("the end of the pouring", pour(&mut writer)).await;
    assert!(poured < MOST, "{poured}");
    other_reader.end().await;
    reader.end().await;
    drop((reader, writer, other, other_reader));
    stage.ends("unmasked");
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn r15_an_upstream_that_pours_at_a_client_that_does_not_read_is_cut(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let timeouts = "timeouts = { write = \"200ms\", close = \"2s\" }";
    let mut stage = Stage::on(host, timeouts).await;
    let (client, server) = stage.session().await;
    let (mut reader, mut writer) = server.split();
    // Of these the client's leg stops at a frame boundary, wherever it stops.
    let empty = writer.encode(&Frame::binary([])).repeat(16 * 1024);
    let is_told = Cell::new(false);
    let is_slow = async {
        reader.expect_close(1001).await;
        is_told.set(true);
    };
    let sends = async { while !is_told.get() && writer.try_send(&empty).await {} };
    join(is_slow, sends).await;
    let poured = soon("the end of the pouring", pour(&mut writer)).await;
    assert!(poured < MOST, "{poured}");
    drop((client, reader, writer));
    stage.ends("slow_client");
    stage.stands().await;
}
