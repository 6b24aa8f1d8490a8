//! What a host reads of a gate's counts.

use std::collections::BTreeMap;

use wsgate::{Metrics, RouteMetrics};

use crate::support::{Frame, Host, Listener, Request, answer, setup, until};

/// Route, outcome and count of everything that has happened.
fn outcomes(metrics: &Metrics) -> BTreeMap<(String, &'static str), u64> {
    let all = metrics.handshakes.iter().filter(|each| each.count > 0);
    all.map(|each| ((each.route.to_string(), each.outcome), each.count))
        .collect()
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
async fn a_session_is_counted_open_and_then_closed_and_what_it_moved_stays() {
    let upstream = Listener::start().await;
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
    let upstream = Listener::start().await;
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
    let (server, _) = upstream.request().await;
    drop(client);
    expected.insert(("test".to_owned(), "abandoned"), 1);
    until("the hang-up to be seen", || {
        outcomes(&bench.handle.metrics()) == expected
    })
    .await;
    drop(server);
}

#[tokio::test]
async fn the_failures_of_a_server_are_counted_by_their_kind() {
    let (dead, upstream) = (Listener::dead(), Listener::start().await);
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
