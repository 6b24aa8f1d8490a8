//! How all sessions are closed.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all, join3};

use wsgate::Drained;

use crate::kit::{Bench, Echo, Frame, Logs, Request, Upstream, setup, soon, until};

const LONG: Duration = Duration::from_secs(20);

/// Drains a gate that has to be through with it soon, whatever the deadline.
#[track_caller]
fn drain(bench: &Bench, deadline: Duration) -> impl Future<Output = Drained> {
    soon("the drain", bench.handle.drain(deadline))
}

#[tokio::test]
async fn an_idle_gate_drains_at_once() {
    let echo = Echo::start().await;
    let bench = setup([echo.url()]).start().await;
    assert!(bench.handle.is_ready());
    let drained = drain(&bench, LONG * 100).await;
    assert_eq!((drained.closed, drained.cut), (0, 0));
    assert!(!bench.handle.is_ready());
}

#[tokio::test]
async fn a_draining_gate_accepts_no_sessions_and_closes_those_that_are_open() {
    let logs = Logs::capture();
    let echo = Echo::start().await;
    let bench = setup([echo.url()])
        .top("[drain]\nspread = \"400ms\"\n")
        .start()
        .await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(bench.open().await);
    }
    let start = Instant::now();
    let clients = join_all(sockets.into_iter().map(|mut socket| async move {
        let farewell = socket.farewell().await;
        (farewell, start.elapsed())
    }));
    let newcomer = async {
        until("the drain to begin", || !bench.handle.is_ready()).await;
        bench.refused(&Request::websocket("/")).await
    };
    let draining = drain(&bench, LONG);
    let (drained, farewells, (head, body)) = join3(draining, clients, newcomer).await;
    assert_eq!((drained.closed, drained.cut), (20, 0));
    assert_eq!(
        (head.status(), &*body),
        (503, "the server is shutting down\n")
    );
    assert!(head.one("retry-after").parse::<u64>().unwrap() > 0);
    let told = Some((1001, "server is shutting down".to_owned()));
    assert!(
        farewells.iter().all(|(farewell, _)| *farewell == told),
        "{farewells:?}"
    );
    // Each in a moment of its own: the first in the first twentieth of the spread, and so on.
    let mut times: Vec<_> = farewells.iter().map(|(_, time)| *time).collect();
    times.sort_unstable();
    let slot = Duration::from_millis(20);
    for (number, time) in (0..).zip(&times) {
        assert!(*time >= slot * number, "{number}: {time:?}");
    }
    assert!(times[0] < slot * 19, "{times:?}");
    assert!(bench.handle.sessions().is_empty());
    let lines = logs.of("wsgate::access");
    let closed = lines.iter().filter(|line| line.field("reason") == "drain");
    assert_eq!(closed.count(), 20);
    // It stays as it is.
    assert_eq!(bench.try_open().await.err(), Some(503));
    assert_eq!(drain(&bench, LONG).await, Default::default());
}

#[tokio::test]
async fn the_client_gets_the_close_code_of_the_settings_and_the_upstream_1001() {
    let upstream = Upstream::start().await;
    let top = "[drain]\nclose_code = 1012\nspread = \"0s\"\n";
    let bench = setup([upstream.url()]).top(top).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    let peers = async {
        client.expect_close(1012).await;
        server.expect_close(1001).await;
        client.send_frames(&[Frame::close(1012, "")]).await;
        server.send_frames(&[Frame::close(1001, "")]).await;
        drop((client, server));
    };
    let (drained, ()) = join(drain(&bench, LONG), peers).await;
    assert_eq!((drained.closed, drained.cut), (1, 0));
}

#[tokio::test]
async fn a_session_that_does_not_end_is_cut_at_the_deadline() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let top = "[drain]\nspread = \"0s\"\n";
    let bench = setup([upstream.url()])
        .top(top)
        .route("timeouts.close = \"1h\"")
        .start()
        .await;
    let (mut client, mut server) = bench.session(&upstream).await;
    let (mut good, good_up) = bench.session(&upstream).await;
    let start = Instant::now();
    let answering = async {
        good.expect_close(1001).await;
        drop((good, good_up));
    };
    let deadline = Duration::from_millis(300);
    let (drained, ()) = join(drain(&bench, deadline), answering).await;
    assert_eq!((drained.closed, drained.cut), (1, 1));
    assert!(start.elapsed() >= deadline, "{:?}", start.elapsed());
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    // They were told, and neither answered.
    client.expect_close(1001).await;
    server.expect_close(1001).await;
    client.end().await;
    server.end().await;
    let reasons: Vec<_> = logs.of("wsgate::access");
    let reasons = reasons
        .iter()
        .filter(|line| line.message == "session closed");
    let mut reasons: Vec<_> = reasons.map(|line| line.field("reason")).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["cut", "drain"]);
    let lines = logs.all();
    let line = lines.iter().find(|line| line.message == "drained").unwrap();
    assert_eq!((line.number("closed"), line.number("cut")), (1, 1));
}

#[tokio::test]
async fn a_handshake_in_flight_when_the_drain_begins_is_refused() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let mut client = bench.ask(&Request::websocket("/")).await;
    let (mut server, request) = upstream.request().await;
    let drained = drain(&bench, LONG).await;
    assert_eq!((drained.closed, drained.cut), (0, 0));
    server.send(crate::kit::switching(&request, "")).await;
    let (head, _) = client.response().await.parts();
    assert_eq!(head.status(), 503);
    server.expect_close(1001).await;
    server.expect_end().await;
}

#[tokio::test]
async fn a_session_that_ends_by_itself_does_not_hold_the_drain_up() {
    let echo = Echo::start().await;
    let bench = setup([echo.url()])
        .top("[drain]\nspread = \"1h\"\n")
        .start()
        .await;
    let socket = bench.open().await;
    let leaving = async {
        until("the drain to begin", || !bench.handle.is_ready()).await;
        socket.close_with(1000, "on my way").await
    };
    let draining = drain(&bench, LONG * 1000);
    let (drained, farewell) = join(draining, leaving).await;
    assert_eq!((drained.closed, drained.cut), (1, 0));
    assert_eq!(farewell, Some((1000, "on my way".to_owned())));
}
