//! One server is taken out of service, and put back.

use std::time::Duration;

use wsgate::{Config, UnknownServer};

use crate::kit::{Bench, Echo, Logs, Request, Socket, Upstream, setup, switching, until};

/// The name of the server that a session came to.
fn server(socket: &Socket) -> &str {
    socket.response.headers()["x-server"].to_str().unwrap()
}

/// What the servers carry, and whether they are drained.
fn loads(bench: &Bench) -> Vec<(u64, bool)> {
    let upstreams = bench.handle.upstreams();
    let servers = upstreams[0].servers.iter();
    servers
        .map(|server| (server.sessions, server.draining))
        .collect()
}

#[tokio::test]
async fn a_drained_server_gets_no_new_session_and_keeps_its_old_ones() {
    let (a, b) = (Echo::named("a").await, Echo::named("b").await);
    let bench = setup([a.url(), b.url()]).start().await;
    let mut first = [bench.open().await, bench.open().await];
    assert_eq!(loads(&bench), [(1, false), (1, false)]);
    let drained = bench.handle.drain_server("back", a.url(), None).unwrap();
    assert_eq!((drained.sessions, drained.closing), (1, 0));
    for _ in 0..2 {
        let next = bench.open().await;
        assert_eq!(server(&next), "b");
        next.close_with(1000, "").await;
    }
    for socket in &mut first {
        socket.echoes("not disturbed").await;
    }
    until("the sessions to end", || {
        loads(&bench) == [(1, true), (1, false)]
    })
    .await;
    let [of_a, _of_b] = first;
    assert_eq!(server(&of_a), "a");
    of_a.close_with(1000, "").await;
    until("the last session to end", || {
        loads(&bench) == [(0, true), (1, false)]
    })
    .await;
    bench.handle.resume_server("back", a.url()).unwrap();
    assert_eq!(server(&bench.open().await), "a");
    assert!(bench.handle.is_ready());
}

#[tokio::test]
async fn a_drained_server_closes_its_sessions_on_request() {
    let logs = Logs::capture();
    let (a, b) = (Echo::named("a").await, Echo::named("b").await);
    let drain = "[drain]\nclose_code = 1012\n";
    let bench = setup([a.url(), b.url()]).top(drain).start().await;
    let (mut leaves, mut stays) = (bench.open().await, bench.open().await);
    assert_eq!((server(&leaves), server(&stays)), ("a", "b"));
    let over = Some(Duration::ZERO);
    let drained = bench.handle.drain_server("back", "0", over).unwrap();
    assert_eq!((drained.sessions, drained.closing), (1, 1));
    let farewell = (1012, "server is being drained".to_owned());
    assert_eq!(leaves.farewell().await, Some(farewell));
    until("the session to end", || bench.handle.sessions().len() == 1).await;
    stays.echoes("not disturbed").await;
    let lines = logs.of("wsgate::access");
    let mut closed = lines.iter().filter(|line| line.message == "session closed");
    assert_eq!(closed.next().unwrap().field("reason"), "server_drained");
    // Twice is once.
    let again = bench.handle.drain_server("back", "0", over).unwrap();
    assert_eq!((again.sessions, again.closing), (0, 0));
    assert_eq!(server(&bench.open().await), "b");
}

#[tokio::test]
async fn a_client_may_retry_later_when_every_server_is_drained() {
    let (a, b) = (Echo::named("a").await, Echo::named("b").await);
    let logs = Logs::capture();
    let bench = setup([a.url(), b.url()]).start().await;
    for index in ["0", "1"] {
        bench.handle.drain_server("back", index, None).unwrap();
    }
    let (head, body) = bench.refused(&Request::websocket("/")).await;
    assert_eq!((head.status(), head.one("retry-after")), (503, "5"));
    assert_eq!(body, "the backend accepts no new connections\n");
    let lines = logs.of("wsgate::rejection");
    assert_eq!(lines[0].field("reason"), "upstream_draining");
    assert_eq!((a.taken(), b.taken()), (0, 0));
    bench.handle.resume_server("back", "1").unwrap();
    assert_eq!(server(&bench.open().await), "b");
}

#[tokio::test]
async fn a_server_stays_drained_over_a_reload() {
    let (a, b, c) = (
        Echo::named("a").await,
        Echo::named("b").await,
        Echo::named("c").await,
    );
    let bench = setup([a.url(), b.url()]).start().await;
    bench.handle.drain_server("back", a.url(), None).unwrap();
    let next = setup([c.url(), a.url(), b.url()]).toml();
    bench
        .handle
        .reload(Config::from_toml("test", &next).unwrap())
        .unwrap();
    assert_eq!(loads(&bench), [(0, false), (0, true), (0, false)]);
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(bench.open().await);
    }
    assert_eq!((a.taken(), b.taken(), c.taken()), (0, 2, 2));
}

#[tokio::test]
async fn a_handshake_under_way_gets_its_session_and_leaves_if_its_server_is_being_emptied() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    for (over, leaves) in [(None, false), (Some(Duration::ZERO), true)] {
        let mut client = bench.ask(&Request::websocket("/")).await;
        let (mut behind, request) = upstream.request().await;
        let connecting = bench.handle.upstreams()[0].servers[0].connecting;
        assert_eq!(connecting, 1);
        let drained = bench.handle.drain_server("back", "0", over).unwrap();
        assert_eq!(drained.closing, 0, "there is none yet");
        behind.send(switching(&request, "")).await;
        assert_eq!(client.head().await.status(), 101);
        match leaves {
            true => {
                client.expect_close(1001).await;
                behind.expect_close(1001).await;
            }
            false => assert_eq!(loads(&bench), [(1, true)]),
        }
        bench.handle.resume_server("back", "0").unwrap();
        drop((client, behind));
        until("the session to end", || bench.handle.sessions().is_empty()).await;
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_not_drained() {
    let echo = Echo::start().await;
    let bench = setup([echo.url()]).start().await;
    let upstream = bench.handle.drain_server("nowhere", "0", None).unwrap_err();
    assert!(
        matches!(upstream, UnknownServer::Upstream { .. }),
        "{upstream}"
    );
    let server = bench.handle.resume_server("back", "1").unwrap_err();
    assert!(matches!(server, UnknownServer::Server { .. }), "{server}");
    assert_eq!(loads(&bench), [(0, false)]);
}
