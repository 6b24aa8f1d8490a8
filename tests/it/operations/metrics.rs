//! What a host reads of a gate's counts.

use std::collections::BTreeMap;
use std::time::Duration;

use wsgate::{Config, Metrics, RouteMetrics};

use crate::kit::{Frame, Host, Request, Upstream, answer, setup, until};

/// Route, outcome and count of everything that has happened.
fn outcomes(metrics: &Metrics) -> BTreeMap<(String, &'static str), u64> {
    let handshakes = metrics.handshakes.iter().filter(|each| each.count > 0);
    let handshakes = handshakes.map(|each| ((each.route.to_string(), each.outcome), each.count));
    let plain = metrics.plain_requests.iter();
    let plain = plain.map(|each| ((each.route.to_string(), each.outcome), each.count));
    let broken = metrics.broken_requests.iter();
    let broken = broken.map(|each| ((String::new(), each.reason), each.count));
    handshakes.chain(plain).chain(broken).collect()
}

/// Route, reason, who, code and count of the sessions that have ended.
fn closed(metrics: &Metrics) -> Vec<(&str, &str, &str, &str, u64)> {
    let all = metrics.closed.iter();
    all.map(|each| {
        let (reason, by) = (each.reason, each.closed_by);
        (&*each.route, reason, by, &*each.code, each.count)
    })
    .collect()
}

fn only_route(metrics: &Metrics) -> &RouteMetrics {
    let [route] = &metrics.routes[..] else {
        panic!("{metrics:#?}");
    };
    route
}

#[tokio::test]
async fn the_counts_of_a_session_stay_when_it_has_closed() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let before = bench.handle.metrics();
    assert_eq!((only_route(&before).open, before.servers[0].open), (0, 0));
    assert_eq!(
        (&*before.handshakes[0].route, before.handshakes[0].count),
        ("test", 0),
        "there from the start"
    );

    let (mut client, mut server) = bench.session(&upstream).await;
    let up = Frame::text("one");
    client.send_frames(std::slice::from_ref(&up)).await;
    server.expect(up.clone()).await;
    let down = [Frame::text("two"), Frame::binary("three")];
    server.send_frames(&down).await;
    for frame in &down {
        client.expect(frame.clone()).await;
    }
    let metrics = bench.handle.metrics();
    let live = only_route(&metrics);
    let expected = (1, up.masked().len() as u64);
    assert_eq!(
        (live.messages_from_client, live.bytes_from_client),
        expected
    );
    assert_eq!((live.open, live.messages_from_upstream), (1, 2));
    let bytes: usize = down.iter().map(|frame| frame.plain().len()).sum();
    assert_eq!(live.bytes_from_upstream, bytes as u64);
    assert_eq!(&*metrics.servers[0].server, upstream.url());
    assert_eq!(metrics.servers[0].open, 1);
    assert!(metrics.closed.is_empty());

    server.send_frames(&[Frame::close(4001, "over")]).await;
    client.expect(Frame::close(4001, "over")).await;
    client.send_frames(&[Frame::close(4001, "")]).await;
    drop((client, server));
    until("the session to end", || bench.handle.sessions().is_empty()).await;
    let metrics = bench.handle.metrics();
    let ended = only_route(&metrics);
    assert_eq!((ended.open, metrics.servers[0].open), (0, 0));
    assert_eq!(
        (ended.messages_from_client, ended.messages_from_upstream),
        (1, 2)
    );
    assert!(ended.bytes_from_upstream > bytes as u64, "the close frame");
    let expected = [("test", "closed", "upstream", "4001", 1)];
    assert_eq!(closed(&metrics), expected);
    let accepted = (("test".to_owned(), "accepted"), 1);
    assert_eq!(outcomes(&metrics), [accepted].into());
}

#[tokio::test]
async fn every_handshake_takes_one_step_whatever_becomes_of_it() {
    let upstream = Upstream::start().await;
    let setup = setup([upstream.url()]).host(Host::Service);
    let route = "path = \"/ws\"\norigin.missing = \"deny\"";
    let bench = setup.route(route).start().await;
    let right = Request::websocket("/ws").header("Origin", "http://gate.test");
    let mut expected = BTreeMap::new();
    for (request, route, outcome) in [
        (right.clone().without("Origin"), "test", "origin_missing"),
        (
            right.clone().without("Sec-WebSocket-Key"),
            "",
            "ws_key_missing",
        ),
        (
            right.clone().line("GET /elsewhere HTTP/1.1"),
            "",
            "no_route",
        ),
        (right.clone().line("POST /ws HTTP/1.1"), "", "method"),
        (right.clone().without("Upgrade"), "test", "not_upgrade"),
    ] {
        bench.refused(&request).await;
        expected.insert((route.to_owned(), outcome), 1);
        assert_eq!(outcomes(&bench.handle.metrics()), expected, "{outcome}");
    }
    let mut client = bench.ask(&right).await;
    let (mut server, _) = upstream.request().await;
    server.send(answer("401 No", "", "")).await;
    assert_eq!(client.head().await.status(), 401);
    expected.insert(("test".to_owned(), "upstream_answered"), 1);
    assert_eq!(outcomes(&bench.handle.metrics()), expected);

    let client = bench.ask(&right).await;
    let (mut server, _) = upstream.request().await;
    drop(client);
    // The gate hangs up as well.
    server.expect_end().await;
    expected.insert(("test".to_owned(), "abandoned"), 1);
    assert_eq!(outcomes(&bench.handle.metrics()), expected);
}

#[tokio::test]
async fn the_failures_of_a_server_are_counted_by_their_kind() {
    let (dead, upstream) = (Upstream::dead(), Upstream::start().await);
    let setup = setup([dead.url(), upstream.url()]);
    let bench = setup.upstream("balance = \"round_robin\"").start().await;
    // Round robin begins with the first, which is dead, and goes on to the second.
    let mut client = bench.ask(&Request::websocket("/")).await;
    let (mut server, _) = upstream.request().await;
    server.send("nonsense\r\n\r\n").await;
    assert_eq!(client.head().await.status(), 502);
    let metrics = bench.handle.metrics();
    let failed = |url: &str| {
        let mut servers = metrics.servers.iter();
        let server = servers.find(|server| &*server.server == url).unwrap();
        assert_eq!(&*server.upstream, "back");
        (server.failed_connects, server.failed_handshakes)
    };
    assert_eq!(
        (failed(dead.url()), failed(upstream.url())),
        ((1, 0), (0, 1))
    );
    let expected = [(("test".to_owned(), "upstream_bad_response"), 1)];
    assert_eq!(outcomes(&metrics), expected.into());
}

#[tokio::test]
async fn durations_of_what_succeeded_are_measured_and_survive_a_reload() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let mut client = bench.ask(&Request::websocket("/")).await;
    let (mut server, _) = upstream.request().await;
    server.send(answer("401 No", "", "")).await;
    assert_eq!(client.head().await.status(), 401);
    // It was connected, and not let in.
    let counts = |metrics: &Metrics| {
        let mut routes = metrics.routes.iter();
        let route = routes.find(|route| &*route.route == "test").unwrap();
        [
            route.connect_duration.count,
            route.handshake_duration.count,
            route.session_duration.count,
        ]
    };
    assert_eq!(counts(&bench.handle.metrics()), [1, 0, 0]);

    let (client, server) = bench.session(&upstream).await;
    let live = bench.handle.metrics();
    assert_eq!(counts(&live), [2, 1, 0]);
    assert!(only_route(&live).handshake_duration.sum > Duration::ZERO);
    let opened = (only_route(&live).opened, live.servers[0].opened);
    assert_eq!(opened, (1, 1));

    let elsewhere = "[upstream.u]\nservers = [\"ws://127.0.0.1:1\"]\n\
                     [[route]]\nname = \"other\"\npath = \"/*\"\nupstream = \"u\"\n\
                     [drain]\nspread = \"0s\"\n";
    let elsewhere = Config::from_toml("test", elsewhere).unwrap();
    bench.handle.reload(elsewhere).unwrap();
    drop((client, server));
    until("the session to end", || bench.handle.sessions().is_empty()).await;
    let after = bench.handle.metrics();
    assert_eq!(counts(&after), [2, 1, 1]);
    let [other, test] = &after.routes[..] else {
        panic!("{after:#?}");
    };
    assert_eq!((&*other.route, other.opened), ("other", 0));
    assert_eq!((&*test.route, test.open, test.opened), ("test", 0, 1));
    let server = after
        .servers
        .iter()
        .find(|server| server.opened > 0)
        .unwrap();
    assert_eq!((&*server.server, server.open), (upstream.url(), 0));
}

#[tokio::test]
async fn a_handshake_on_its_way_has_a_place_of_those_that_there_are() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).build(|gate| gate.max_sessions(5));
    let bench = bench.start().await;
    let places = || {
        let metrics = bench.handle.metrics();
        assert_eq!(metrics.most_sessions, Some(5));
        (metrics.handshakes_open, metrics.routes[0].open)
    };
    assert_eq!(places(), (0, 0));
    let session = bench.session(&upstream).await;
    assert_eq!(places(), (0, 1));
    let waiting = bench.ask(&Request::websocket("/")).await;
    let (mut asked, _) = upstream.request().await;
    assert_eq!(places(), (1, 1));
    drop(waiting);
    asked.expect_end().await;
    assert_eq!(places(), (0, 1));
    drop(session);
    until("the session to end", || places() == (0, 0)).await;

    assert!(!bench.handle.metrics().draining);
    bench.handle.drain(Duration::ZERO).await;
    assert!(bench.handle.metrics().draining);
    let unlimited = setup([upstream.url()]).start().await;
    assert_eq!(unlimited.handle.metrics().most_sessions, None);
}

#[tokio::test]
async fn pings_and_what_a_limit_closes_are_counted_on_their_side() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("keepalive.client = { interval = \"20ms\", timeout = \"20ms\" }")
        .route("keepalive.upstream = { interval = \"0s\" }")
        .start()
        .await;
    let (mut client, server) = bench.session(&upstream).await;
    client.frame().await;
    client.expect_close(1001).await;
    drop((client, server));
    until("the session to end", || bench.handle.sessions().is_empty()).await;
    let metrics = bench.handle.metrics();
    let route = only_route(&metrics);
    let of_client = (route.pings_to_client, route.ping_timeouts_of_client);
    let of_upstream = (route.pings_to_upstream, route.ping_timeouts_of_upstream);
    assert_eq!((of_client, of_upstream), ((1, 1), (0, 0)));

    let limit = "limits.per_connection.messages = { rate = \"1/h\", burst = 1 }";
    let bench = setup([upstream.url()]).route(limit).start().await;
    let (mut client, server) = bench.session(&upstream).await;
    let sent = [Frame::text("one"), Frame::text("two")];
    client.send_frames(&sent).await;
    client.expect_close(1008).await;
    drop((client, server));
    until("the session to end", || bench.handle.sessions().is_empty()).await;
    let metrics = bench.handle.metrics();
    let route = only_route(&metrics);
    assert_eq!((route.over_limit, route.dropped, route.delayed), (1, 0, 0));
}
