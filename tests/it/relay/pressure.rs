//! Peers that take nothing, and the ones beside them.

use std::cell::Cell;
use std::pin::pin;

use futures_util::future::join;
use tempfile::TempDir;

use crate::kit::{
    Bench, Frame, Logs, Request, SIZE, Upstream, Wire, arrived, flood, flood_on, is_held_back,
    numbered, setup, soon, until,
};

/// Upstreams are on a unix socket here, for which the kernel keeps little.
struct Stage {
    bench: Bench,
    upstream: Upstream,
    _folder: TempDir,
}

impl Stage {
    async fn new(route: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let upstream = Upstream::unix(&folder.path().join("back.sock"));
        let bench = setup([upstream.url()]).route(route).start().await;
        Self {
            bench,
            upstream,
            _folder: folder,
        }
    }

    async fn session(&self) -> (Wire, Wire) {
        let mut client = Wire::connect_small(self.bench.address).await;
        client.send(Request::websocket("/").text()).await;
        let server = self.upstream.session().await;
        assert_eq!(client.head().await.status(), 101);
        (client, server)
    }

    /// Keeps another session busy until this one has stalled: through hundreds of round trips
    /// nothing more was taken of it.
    async fn until_stalled(&self, sent: &Cell<usize>) {
        let (mut client, mut server) = self.session().await;
        let mut turns = 0;
        let mut before = sent.get();
        while turns < 300 || before == 0 {
            client.send_frames(&[Frame::text("ping")]).await;
            server.expect(Frame::text("ping")).await;
            server.send_frames(&[Frame::text("pong")]).await;
            client.expect(Frame::text("pong")).await;
            turns = if sent.get() == before { turns + 1 } else { 0 };
            before = sent.get();
        }
    }
}

/// Reads so many frames of a flood.
async fn drain(wire: &mut Wire, frames: usize) {
    for number in 0..frames {
        let frame = wire.frame().await;
        assert!(frame == numbered(number), "{number}: {frame:?}");
    }
}

/// Reads what was flooded up to this frame, and counts it.
async fn drain_until(wire: &mut Wire, last: Frame) -> usize {
    for number in 0.. {
        let frame = wire.frame().await;
        if frame == last {
            return number;
        }
        assert!(frame == numbered(number), "{number}: {frame:?}");
    }
    unreachable!("frames without end")
}

/// Waits for one future while another goes on beside it, which may end.
async fn beside<T>(other: impl Future<Output = ()>, awaited: impl Future<Output = T>) -> T {
    let mut awaited = pin!(awaited);
    tokio::select! {
        () = other => awaited.await,
        output = &mut awaited => output,
    }
}

/// Checks that a flood stalls while its reader takes nothing, and arrives whole once it does.
async fn held_back(stage: &Stage, flooding: &mut Wire, reader: &mut Wire) {
    let (sent, enough) = (Cell::new(0), Cell::new(false));
    let watch = async {
        stage.until_stalled(&sent).await;
        is_held_back(sent.get() * SIZE);
        // The frame that has stalled is the last.
        enough.set(true);
        let frames = sent.get() + 1;
        drain(reader, frames).await;
        frames
    };
    let ((), frames) = join(flood(flooding, &sent, &enough), watch).await;
    assert_eq!(sent.get(), frames);
}

#[tokio::test]
async fn a_fast_upstream_waits_for_a_slow_client_and_nobody_else_does() {
    let stage = Stage::new("timeouts.write = \"1h\"").await;
    let (mut client, mut server) = stage.session().await;
    held_back(&stage, &mut server, &mut client).await;
}

#[tokio::test]
async fn a_fast_client_waits_for_a_slow_upstream_and_nobody_else_does() {
    let stage = Stage::new("timeouts.write = \"1h\"").await;
    let (mut client, mut server) = stage.session().await;
    held_back(&stage, &mut client, &mut server).await;
}

#[tokio::test]
async fn a_stall_of_one_direction_is_none_of_the_other() {
    let stage = Stage::new("timeouts.write = \"1h\"").await;
    let (mut client, server) = stage.session().await;
    let (mut server, mut flooding) = server.split();
    let sent = Cell::new(0);
    tokio::select! {
        () = flood_on(&mut flooding, &sent) => panic!("nothing stalls"),
        () = stage.until_stalled(&sent) => {}
    }
    for number in 0..10 {
        client.send_frames(&[numbered(number)]).await;
        let frame = server.frame().await;
        assert!(frame == numbered(number));
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_and_its_upstream_told_1001() {
    let logs = Logs::capture();
    let route = "timeouts.write = \"100ms\"\ntimeouts.close = \"100ms\"";
    let stage = Stage::new(route).await;
    let (mut client, mut server) = stage.session().await;
    flood_on(&mut server, &Cell::new(0)).await;
    server.expect_close(1001).await;
    server.end().await;
    let line = logs.of("wsgate::access").pop().unwrap();
    assert_eq!(
        (line.field("reason"), line.field("closed_by")),
        ("slow_client", "client")
    );
    // Nothing of ours stands in a frame, wherever the end came.
    let bytes = client.rest().await.unwrap();
    arrived(&bytes, Frame::plain, &Frame::close(1008, "slow reader"));
}

#[tokio::test]
async fn a_client_that_takes_something_again_is_told_1008() {
    let stage = Stage::new("timeouts.write = \"100ms\"\ntimeouts.close = \"1h\"").await;
    let (mut client, server) = stage.session().await;
    let (mut server, mut flooding) = server.split();
    let told = async {
        server.expect_close(1001).await;
        drain_until(&mut client, Frame::close(1008, "slow reader")).await
    };
    let whole = beside(flood_on(&mut flooding, &Cell::new(0)), told).await;
    assert!(whole > 0, "{whole}");
}

#[tokio::test]
async fn an_upstream_that_takes_nothing_is_told_1008_and_its_client_1011() {
    let logs = Logs::capture();
    let stage = Stage::new("timeouts.write = \"100ms\"\ntimeouts.close = \"1h\"").await;
    let (client, mut server) = stage.session().await;
    let (mut client, mut flooding) = client.split();
    let told = async {
        let farewell = client.close_frame().await;
        assert_eq!(farewell, (Some(1011), "upstream too slow".to_owned()));
        drain_until(&mut server, Frame::close(1008, "slow reader")).await
    };
    let whole = beside(flood_on(&mut flooding, &Cell::new(0)), told).await;
    assert!(whole > 0, "{whole}");
    drop((client, flooding, server));
    until("the session to end", || {
        stage.bench.handle.sessions().is_empty()
    })
    .await;
    let line = logs.of("wsgate::access").pop().unwrap();
    assert_eq!(
        (line.field("reason"), line.field("closed_by")),
        ("slow_upstream", "upstream")
    );
}

#[tokio::test]
async fn two_peers_that_both_take_nothing_do_not_hang_the_session() {
    let logs = Logs::capture();
    let route = "timeouts.write = \"100ms\"\ntimeouts.close = \"100ms\"";
    let stage = Stage::new(route).await;
    let (mut client, mut server) = stage.session().await;
    let (up, down) = (Cell::new(0), Cell::new(0));
    let both = join(flood_on(&mut client, &up), flood_on(&mut server, &down));
    soon("the session to give up", both).await;
    until("the session to end", || {
        stage.bench.handle.sessions().is_empty()
    })
    .await;
    let line = logs.of("wsgate::access").pop().unwrap();
    assert!(line.field("reason").starts_with("slow_"), "{line:?}");
}
