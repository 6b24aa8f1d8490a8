//! Cases R04 and R05: peers that take nothing.

use std::cell::Cell;
use std::pin::pin;

use futures_util::future::join;
use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

use crate::kit::{
    Echo, Ended, Frame, Host, SIZE, Side, Stage, Upstream, Wire, arrived, flood, flood_on,
    is_held_back, numbered, soon,
};

/// A stage whose upstream is on a unix socket, for which the kernel keeps little.
async fn narrow(host: Host, route: &str, more: &str) -> (Stage, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::unix(&folder.path().join("back.sock"));
    let pool = format!("servers = [\"{}\"]", upstream.url());
    (
        Stage::on_with(host, upstream, &pool, route, more).await,
        folder,
    )
}

/// What the gate itself may keep of a session meanwhile.
const KEPT: usize = 512 * 1024;

/// The same, however much it reads and throws away.
const CLOGGED: usize = 8 << 20;

#[tokio::test]
async fn r04_an_upstream_that_stops_reading_holds_back_its_client_alone() {
    const SESSIONS: usize = 10;
    let (mut stage, _folder) = narrow(Host::Program, "timeouts.write = \"1h\"", "").await;
    let before = stage.vitals().memory;
    let mut stalled = Vec::new();
    for _ in 0..SESSIONS {
        let (client, server) = stage.small_session().await;
        let (mut client, mut flooding) = client.split();
        let sent = Cell::new(0);
        tokio::select! {
            () = flood_on(&mut flooding, &sent) => panic!("the gate hung up"),
            () = stage.until_stalled(&sent) => {}
        }
        is_held_back(sent.get() * SIZE);
        assert!(client.there().is_empty(), "{client:?}");
        stalled.push((client, flooding, server));
    }
    let took = stage.vitals().memory.saturating_sub(before);
    assert!(took < SESSIONS * KEPT, "{took}");
    // Nothing is lost of it: an upstream that reads again gets everything in its order.
    // Where the client's last bytes end a frame, the gate's own close frame is behind them, whole.
    for (client, flooding, mut server) in stalled {
        drop((client, flooding));
        let bytes = server.rest().await.unwrap();
        let lost = Frame::close(1001, "client lost");
        let (frames, ended) = arrived(&bytes, Frame::masked, &lost);
        assert!(frames > 0, "{frames}");
        let ends = [Ended::InsideFrame, Ended::Closed { whole: true }];
        assert!(ends.contains(&ended), "{ended:?}");
        stage.ends("client_lost");
    }
    stage.stands().await;
}

/// The two of a session: the one on this side, and the other.
pub(super) fn of<P>(side: Side, client: P, server: P) -> (P, P) {
    match side {
        Side::Client => (client, server),
        Side::Upstream => (server, client),
    }
}

#[rstest]
#[tokio::test]
async fn r04_a_peer_that_reads_again_gets_everything_that_was_held_back(
    #[values(Host::Program, Host::HyperService)] host: Host,
    #[values(Side::Client, Side::Upstream)] slow: Side,
) {
    let (mut stage, _folder) = narrow(host, "timeouts.write = \"1h\"", "").await;
    let (mut client, mut server) = stage.small_session().await;
    let (reader, flooding) = of(slow, &mut client, &mut server);
    let (sent, enough) = (Cell::new(0), Cell::new(false));
    let reads = async {
        stage.until_stalled(&sent).await;
        is_held_back(sent.get() * SIZE);
        // The frame that has stalled is the last.
        enough.set(true);
        let frames = sent.get() + 1;
        for number in 0..frames {
            reader.expect(numbered(number)).await;
        }
        frames
    };
    let ((), frames) = join(flood(flooding, &sent, &enough), reads).await;
    assert_eq!(sent.get(), frames);
    stage.parts(client, server).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn r04_a_stall_of_one_direction_leaves_the_other_alone(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let (mut stage, _folder) = narrow(host, "timeouts.write = \"1h\"", "").await;
    let (mut client, server) = stage.small_session().await;
    let (mut server, mut flooding) = server.split();
    let sent = Cell::new(0);
    tokio::select! {
        () = flood_on(&mut flooding, &sent) => panic!("the gate hung up"),
        () = stage.until_stalled(&sent) => {}
    }
    for number in 0..10 {
        client.send_frame(&numbered(number)).await;
        server.expect(numbered(number)).await;
    }
    drop((client, server, flooding));
    leaves(stage).await;
}

/// What is sent to the peer beside one that takes nothing, and the end in the log.
fn end_of(slow: Side) -> (Frame, &'static str, u16) {
    match slow {
        Side::Client => (Frame::close(1001, ""), "slow_client", 1008),
        Side::Upstream => (
            Frame::close(1011, "upstream too slow"),
            "slow_upstream",
            1011,
        ),
    }
}

#[rstest]
#[tokio::test]
async fn r04_a_peer_that_takes_nothing_for_too_long_is_given_up(
    #[values(Host::Program, Host::HyperService)] host: Host,
    #[values(Side::Client, Side::Upstream)] slow: Side,
) {
    let route = "timeouts = { write = \"300ms\", close = \"200ms\" }";
    let (mut stage, _folder) = narrow(host, route, "").await;
    let (client, server) = stage.small_session().await;
    let (mut silent, flooder) = of(slow, client, server);
    let (mut other, mut flooding) = flooder.split();
    let (close, reason, code) = end_of(slow);
    let sent = Cell::new(0);
    let others = async {
        for _ in 0..10 {
            stage.serves_others().await;
        }
    };
    let closes = async {
        other.expect(close).await;
        other.end().await;
    };
    let flood = soon("the gate to hang up", flood_on(&mut flooding, &sent));
    tokio::join!(flood, others, closes);
    is_held_back(sent.get() * SIZE);
    // Nothing of the gate's stands inside a frame, wherever the end came.
    let bytes = silent.rest().await.unwrap();
    let encode = match slow {
        Side::Client => Frame::plain,
        Side::Upstream => Frame::masked,
    };
    arrived(&bytes, encode, &Frame::close(1008, "slow reader"));
    stage.ends_by(reason, slow, code);
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn r04_a_peer_that_is_given_up_and_reads_again_gets_the_reason(
    #[values(Host::Program, Host::HyperService)] host: Host,
    #[values(Side::Client, Side::Upstream)] slow: Side,
) {
    let route = "timeouts = { write = \"100ms\", close = \"1h\" }";
    let (mut stage, _folder) = narrow(host, route, "").await;
    let (client, server) = stage.small_session().await;
    let (mut reader, flooder) = of(slow, client, server);
    let (mut other, mut flooding) = flooder.split();
    let (close, reason, code) = end_of(slow);
    let reads = async {
        other.expect(close).await;
        let mut whole = 0;
        loop {
            match reader.frame().await {
                frame if frame == numbered(whole) => whole += 1,
                last => return (whole, last),
            }
        }
    };
    let sent = Cell::new(0);
    // What still comes is thrown away, so that the flood may go on without an end.
    let (whole, last) = {
        let mut reads = pin!(reads);
        tokio::select! {
            () = flood_on(&mut flooding, &sent) => reads.await,
            read = &mut reads => read,
        }
    };
    assert!(whole > 0, "{last:?}");
    assert_eq!(last, Frame::close(1008, "slow reader"));
    drop((reader, other, flooding));
    stage.ends_by(reason, slow, code);
    stage.stands().await;
}

/// Fills both ways of a session up, and reads neither, until the gate hangs up. It keeps nothing of
/// it: what still comes while it waits for the peers' farewells is read and thrown away.
async fn clog(stage: &Stage, client: &mut Wire, server: &mut Wire) {
    let before = stage.peak();
    let (up, down) = (Cell::new(0), Cell::new(0));
    let both = join(flood_on(client, &up), flood_on(server, &down));
    soon("the gate to give up", both).await;
    let grown = stage.peak() - before;
    assert!(grown < CLOGGED, "{grown} for {up:?} and {down:?}");
}

/// The line of the only session there was on the attacked route.
async fn closed(stage: &Stage) -> Value {
    let is_end = |line: &Value| line["message"] == "session closed";
    stage.line_that("the end of the session", is_end).await
}

#[rstest]
#[tokio::test]
async fn r05_two_peers_that_both_stop_reading_are_cut_in_time(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let route = "timeouts = { write = \"300ms\", close = \"200ms\" }";
    let (mut stage, _folder) = narrow(host, route, "").await;
    let (mut client, mut server) = stage.small_session().await;
    join(
        clog(&stage, &mut client, &mut server),
        stage.serves_others(),
    )
    .await;
    // The network decides which of the two was first.
    let line = closed(&stage).await;
    let reason = line["reason"].as_str().unwrap();
    assert!(["slow_client", "slow_upstream"].contains(&reason), "{line}");
    stage.ends(reason);
    drop((client, server));
    stage.stands().await;
}

#[tokio::test]
async fn r05_other_deadlines_come_though_neither_peer_reads() {
    for (deadline, reason) in [
        ("lifetime = \"700ms\"", "lifetime"),
        ("idle = \"300ms\"", "idle"),
    ] {
        let route = format!("timeouts = {{ write = \"1h\", close = \"200ms\", {deadline} }}");
        let (mut stage, _folder) = narrow(Host::Program, &route, "").await;
        let (mut client, mut server) = stage.small_session().await;
        clog(&stage, &mut client, &mut server).await;
        assert_eq!(closed(&stage).await["reason"], reason);
        stage.ends(reason);
        drop((client, server));
        stage.stands().await;
    }
}

#[tokio::test]
async fn r05_the_process_stops_though_neither_peer_reads() {
    for (drain, close, reason) in [
        ("", "200ms", "drain"),
        ("deadline = \"300ms\"", "1h", "cut"),
    ] {
        let route = format!("timeouts = {{ write = \"1h\", close = \"{close}\" }}");
        let drain = format!("[drain]\nspread = \"0s\"\n{drain}");
        let (mut stage, _folder) = narrow(Host::Program, &route, &drain).await;
        let (client, server) = stage.small_session().await;
        let (_reading, mut up) = client.split();
        let (_reading, mut down) = server.split();
        let (sent, received) = (Cell::new(0), Cell::new(0));
        tokio::select! {
            _ended = join(flood_on(&mut up, &sent), flood_on(&mut down, &received)) => {
                panic!("the gate hung up")
            }
            () = async {
                stage.until_stalled(&sent).await;
                stage.until_stalled(&received).await;
            } => {}
        }
        let log = stage.into_program().stop().await;
        let lines = log.lines().filter(|line| line.contains("\"attacked\""));
        let reasons: Vec<Value> = lines
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["reason"].clone())
            .collect();
        assert_eq!(reasons, ["accepted", reason], "{log}");
    }
}

#[tokio::test]
async fn r05_an_echo_to_a_client_that_does_not_listen() {
    let folder = tempfile::tempdir().unwrap();
    let echo = Echo::unix(&folder.path().join("echo.sock"));
    let pool = format!("servers = [\"{}\"]", echo.url());
    let route = "timeouts = { write = \"300ms\", close = \"200ms\" }";
    let mut stage = Stage::set_with(Upstream::start().await, &pool, route, "").await;
    let address = stage.address().parse().unwrap();
    let mut client = Wire::connect_small(address).await;
    client.send(Stage::handshake().text()).await;
    assert_eq!(client.head().await.status(), 101);
    stage.was_accepted();
    let sent = Cell::new(0);
    let flood = soon("the gate to hang up", flood_on(&mut client, &sent));
    join(flood, stage.serves_others()).await;
    is_held_back(sent.get() * SIZE);
    assert_eq!(closed(&stage).await["reason"], "slow_client");
    stage.ends("slow_client");
    drop(client);
    stage.stands().await;
}

/// The only session ends because both of its peers have gone; the network decides
/// which of them is missed first.
pub(super) async fn leaves(mut stage: Stage) {
    let line = closed(&stage).await;
    let reason = line["reason"].as_str().unwrap();
    assert!(["client_lost", "upstream_lost"].contains(&reason), "{line}");
    stage.ends(reason);
    stage.stands().await;
}
