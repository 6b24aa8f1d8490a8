//! New settings for a live gate.

use std::sync::Arc;

use tokio_tungstenite::tungstenite::Message;
use wsgate::{BuildError, Config, Message as Whole, Reloaded, Verdict};

use crate::kit::{
    Bench, Echo, Frame, Logs, Request, Setup, Socket, Upstream, setup, switching, until,
};

/// What a file with one more route, ahead of the other, would say.
const OTHER: &str = "[[route]]\nname = \"other\"\npath = \"/other\"\nupstream = \"back\"\n";

/// Tells all at once.
const AT_ONCE: &str = "[drain]\nspread = \"0s\"\nclose_code = 1012\n";

fn reload(bench: &Bench, setup: &Setup) -> Result<Reloaded, BuildError> {
    let config = Config::from_toml("test", &setup.toml());
    bench.handle.reload(config.expect("settings"))
}

#[track_caller]
fn reloaded(bench: &Bench, setup: &Setup) -> Reloaded {
    reload(bench, setup).expect("a reload")
}

async fn open(bench: &Bench, target: &str) -> Result<Socket, u16> {
    Socket::try_open(&bench.address.to_string(), target, &[]).await
}

#[tokio::test]
async fn a_live_session_keeps_its_settings_and_a_new_one_has_the_new() {
    let echo = Echo::start().await;
    let sized = |size| setup([echo.url()]).route(&format!("limits.message_size = \"{size}\""));
    let bench = sized("1KiB").start().await;
    let mut old = bench.open().await;
    let changed = reloaded(&bench, &sized("8B"));
    assert_eq!(changed.routes_changed, [Arc::from("test")]);
    assert!(changed.routes_added.is_empty() && changed.routes_removed.is_empty());
    let mut new = bench.open().await;
    for round in 0..3 {
        old.echoes(&format!("more than eight bytes, {round}")).await;
    }
    new.echoes("a few").await;
    new.send("more than eight bytes").await;
    assert_eq!(new.farewell().await.unwrap().0, 1009);
    old.echoes("still more than eight bytes").await;
}

#[tokio::test]
async fn the_same_settings_change_nothing() {
    let echo = Echo::start().await;
    let same = || setup([echo.url()]).top(OTHER).top(AT_ONCE);
    let bench = same().start().await;
    let mut socket = bench.open().await;
    assert!(reloaded(&bench, &same()).is_unchanged());
    socket.echoes("here").await;
    let reordered = setup([echo.url()])
        .top(AT_ONCE)
        .route(&format!("path = \"/*\"\n{OTHER}"));
    let changed = reloaded(&bench, &reordered);
    assert!(changed.routes_reordered && !changed.is_unchanged());
    assert!(changed.routes_changed.is_empty(), "{changed:?}");
}

#[tokio::test]
async fn only_sessions_of_a_removed_route_are_closed() {
    let logs = Logs::capture();
    let echo = Echo::start().await;
    let both = || setup([echo.url()]).top(OTHER);
    let bench = both().start().await;
    let mut stays = bench.open().await;
    let mut leaves = open(&bench, "/other").await.unwrap();
    leaves.echoes("before").await;
    let changed = reloaded(&bench, &setup([echo.url()]).top(AT_ONCE));
    assert_eq!(changed.routes_removed, [Arc::from("other")]);
    assert_eq!(changed.sessions_sent_away, 1);
    assert!(changed.drain_changed);
    let farewell = (1012, "route removed".to_owned());
    assert_eq!(leaves.farewell().await, Some(farewell));
    stays.echoes("after").await;
    until("the session to be gone", || {
        bench.handle.sessions().len() == 1
    })
    .await;
    let lines = logs.of("wsgate::access");
    let mut closed = lines.iter().filter(|line| line.message == "session closed");
    let closed = closed.next().unwrap();
    let closed = (closed.field("route"), closed.field("reason"));
    assert_eq!(closed, ("other", "route_removed"));
    // The gate is none the worse for it.
    assert!(bench.handle.is_ready());
    let mut again = open(&bench, "/other").await.unwrap();
    again.echoes("by the route for all").await;
    assert_eq!(bench.handle.sessions()[1].route, Arc::from("test"));
    // Those who went before are not counted again.
    assert_eq!(reloaded(&bench, &both()).routes_added, [Arc::from("other")]);
}

#[tokio::test]
async fn a_session_of_a_removed_route_that_does_not_end_is_cut_at_the_deadline() {
    let upstream = Upstream::start().await;
    let removed = OTHER.to_owned() + "timeouts.close = \"1h\"\n";
    let bench = setup([upstream.url()]).top(&removed).start().await;
    let (mut client, mut server) = bench
        .session_by(&Request::websocket("/other"), &upstream)
        .await;
    let drain = "[drain]\nspread = \"0s\"\ndeadline = \"300ms\"\n";
    reloaded(&bench, &setup([upstream.url()]).top(drain));
    client.expect_close(1001).await;
    server.expect_close(1001).await;
    client.end().await;
    server.end().await;
}

#[tokio::test]
async fn a_handshake_under_way_keeps_its_settings_and_leaves_if_its_route_is_gone() {
    let upstream = Upstream::start().await;
    let mut both = setup([upstream.url()]).top(OTHER);
    both = both.route("headers.set = { x-settings = \"old\" }");
    let bench = both.start().await;
    let mut removed = bench.ask(&Request::websocket("/other")).await;
    let (mut removed_up, removed_request) = upstream.request().await;
    let mut kept = bench.ask(&Request::websocket("/")).await;
    let (mut kept_up, kept_request) = upstream.request().await;
    let changed = reloaded(
        &bench,
        &setup([upstream.url()])
            .top(AT_ONCE)
            .route("headers.set = { x-settings = \"new\" }"),
    );
    assert_eq!(changed.sessions_sent_away, 0, "there is none yet");
    for (server, request) in [
        (&mut removed_up, &removed_request),
        (&mut kept_up, &kept_request),
    ] {
        server.send(switching(request, "")).await;
    }
    assert_eq!(kept_request.one("x-settings"), "old");
    assert_eq!(removed.head().await.status(), 101);
    assert_eq!(kept.head().await.status(), 101);
    removed.expect_close(1012).await;
    kept.send_frame(&Frame::text("here")).await;
    kept_up.expect(Frame::text("here")).await;
    let _new = bench.ask(&Request::websocket("/")).await;
    let (_, new_request) = upstream.request().await;
    assert_eq!(new_request.one("x-settings"), "new");
}

#[tokio::test]
async fn the_limits_of_an_address_hold_over_a_reload() {
    let logs = Logs::capture();
    let echo = Echo::start().await;
    let limited = |more: &str| {
        setup([echo.url()]).route(&format!(
            "limits.per_ip.connections = 1\nlimits.per_ip.handshakes = \
             {{ rate = \"1/h\", burst = 3 }}\n{more}"
        ))
    };
    let bench = limited("").start().await;
    let socket = bench.open().await;
    assert_eq!(bench.try_open().await.err(), Some(429));
    reloaded(&bench, &limited("limits.message_size = \"1KiB\""));
    assert_eq!(bench.try_open().await.err(), Some(429), "one is open");
    socket.close_with(1000, "").await;
    // Three handshakes were counted, two of them before the reload.
    assert_eq!(bench.try_open().await.err(), Some(429), "the rate");
    let rejected = logs.of("wsgate::rejection");
    let reasons: Vec<_> = rejected.iter().map(|line| line.field("reason")).collect();
    assert_eq!(
        reasons,
        ["ip_connections", "ip_connections", "handshake_rate"]
    );
    // Another table has seen nobody.
    let tracked = limited("").top("[client_ip]\ntracked = 10\n");
    let changed = reloaded(&bench, &tracked);
    assert!(changed.rates_reset && changed.client_ip_changed);
    bench.open().await.echoes("a stranger").await;
}

#[tokio::test]
async fn what_a_server_carries_stays_counted() {
    let echo = Echo::start().await;
    let limited = |more: &str| {
        let limited = setup([echo.url()]).upstream("max_connections = 1");
        limited.upstream(more)
    };
    let bench = limited("").start().await;
    let mut old = bench.open().await;
    let changed = reloaded(&bench, &limited("retries = 0"));
    assert_eq!(
        changed.routes_changed,
        [Arc::from("test")],
        "through its pool"
    );
    assert_eq!(bench.try_open().await.err(), Some(503));
    old.echoes("on a server of the old pool").await;
    // One more place, and one session on it from before.
    reloaded(&bench, &setup([echo.url()]).upstream("max_connections = 2"));
    let mut new = bench.open().await;
    new.echoes("on the same server").await;
    assert_eq!(bench.try_open().await.err(), Some(503));
}

#[tokio::test]
async fn a_filter_stays_with_its_route_and_settings_without_that_are_refused() {
    let echo = Echo::start().await;
    let filtered = || setup([echo.url()]).route("compression = \"off\"");
    let bench = filtered()
        .build(|builder| {
            builder.filter("test", |_| {
                |message: Whole| match message.text() {
                    Some("secret") => Verdict::Discard,
                    _ => Verdict::Forward(message),
                }
            })
        })
        .start()
        .await;
    let compressed = setup([echo.url()]);
    let error = reload(&bench, &compressed).unwrap_err();
    assert!(matches!(error, BuildError::FilterNeedsPlainMessages { .. }));
    let renamed = Config::from_toml("test", &filtered().toml().replace("\"test\"", "\"else\""));
    let error = bench.handle.reload(renamed.unwrap()).unwrap_err();
    assert!(matches!(error, BuildError::UnknownRoute { .. }));
    assert!(
        reloaded(&bench, &filtered()).is_unchanged(),
        "nothing was taken"
    );
    reloaded(&bench, &filtered().route("limits.message_size = \"1KiB\""));
    let mut socket = bench.open().await;
    socket.send("secret").await;
    socket.send("open").await;
    assert_eq!(socket.next().await, Message::from("open"));
}
