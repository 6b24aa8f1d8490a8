//! The servers behind the gate, and taking one of them out of service.

use serde_json::json;

use super::super::kit::{Echo, Program, Socket, Upstream, Wire, settings, soon};
use super::{ADMIN, ask};

/// The name of a server as a segment of a path.
fn encoded(url: &str) -> String {
    url.replace('/', "%2F")
}

/// Settings with these servers.
fn with_servers(servers: &[&str], more: &str) -> String {
    let quoted: Vec<_> = servers.iter().map(|url| format!("{url:?}")).collect();
    let one = settings("PLACE", &format!("{ADMIN}{more}"));
    one.replace("\"PLACE\"", &quoted.join(", "))
}

#[tokio::test]
async fn the_servers_are_listed_with_what_they_carry() {
    let echo = Echo::start().await;
    let dead = Upstream::dead();
    let program = Program::run(&with_servers(&[dead.url(), echo.url()], "")).await;
    let admin = program.admin().await;
    let mut socket = Socket::open(&program.address, "/ws/").await;
    socket.echoes("hello").await;
    let listed = ask(&admin, "GET /upstreams", "").await;
    let server = |url: &str, sessions, failed_connects| {
        json!({
            "server": url, "url": url, "weight": 1, "sessions": sessions, "connecting": 0,
            "draining": false, "failing": failed_connects > 0,
            "http2_connections": 0,
            "failed_connects": failed_connects, "failed_handshakes": 0,
        })
    };
    let expected = json!({"upstreams": [{
        "name": "chat",
        "balance": "least_connections",
        "servers": [server(dead.url(), 0, 1), server(echo.url(), 1, 0)],
    }]});
    assert_eq!((listed.status(), listed.json()), (200, expected));
}

#[tokio::test]
async fn a_server_is_drained_and_taken_back_and_a_reload_changes_nothing_about_it() {
    let (one, other) = (Echo::start().await, Echo::start().await);
    let settings = with_servers(&[one.url(), other.url()], "");
    let program = Program::run(&settings).await;
    let admin = program.admin().await;
    let mut leaves = Socket::open(&program.address, "/ws/").await;
    let mut stays = Socket::open(&program.address, "/ws/").await;
    let path = format!("/upstreams/chat/{}", encoded(one.url()));
    let drained = ask(&admin, &format!("POST {path}/drain"), "").await;
    let expected = json!({"draining": true, "sessions": 1, "closing": 0});
    assert_eq!((drained.status(), drained.json()), (202, expected));
    leaves.echoes("not disturbed").await;
    program.rewrite(&settings.replace("servers =", "retries = 2\nservers ="));
    assert_eq!(ask(&admin, "POST /reload", "").await.status(), 200);
    let listed = ask(&admin, "GET /upstreams", "").await.json();
    let servers = listed["upstreams"][0]["servers"].as_array().unwrap();
    let draining: Vec<_> = servers.iter().map(|server| &server["draining"]).collect();
    assert_eq!(draining, [&json!(true), &json!(false)]);

    let drain = format!("POST {path}/drain?close=true&over=0s");
    let drained = ask(&admin, &drain, "Content-Length: 0\r\n").await;
    let expected = json!({"draining": true, "sessions": 1, "closing": 1});
    assert_eq!((drained.status(), drained.json()), (202, expected));
    assert_eq!(
        leaves.closed().await,
        (1001, "server is being drained".to_owned())
    );
    leaves.end().await;
    let closed = program.event("session closed").await;
    assert_eq!(closed["reason"], "server_drained");
    let event = program.event("a server takes no new sessions").await;
    assert_eq!(
        (&event["upstream"], &event["server"]),
        (&json!("chat"), &json!(one.url()))
    );
    stays.echoes("not disturbed").await;
    // The place in the list is as good as a name.
    let both = ask(&admin, "POST /upstreams/chat/1/drain", "").await;
    assert_eq!(both.json()["draining"], true);
    let mut late = Wire::connect(&program.address).await;
    let handshake = super::super::kit::websocket("/ws/", &program.address, "");
    late.send(handshake).await;
    let refused = late.response().await;
    assert_eq!(
        (refused.status(), refused.head.one("retry-after")),
        (503, "5")
    );
    let rejected = program.event("handshake rejected").await;
    assert_eq!(rejected["reason"], "upstream_draining");
    let metrics = ask(&admin, "GET /metrics", "").await;
    let counted = "wsgate_handshakes_total{route=\"chat\",outcome=\"upstream_draining\"} 1";
    assert!(metrics.text().contains(counted), "{}", metrics.text());

    let address = one.url().strip_prefix("ws://").unwrap();
    let resume = format!("POST /upstreams/chat/{address}/resume");
    let resumed = ask(&admin, &resume, "").await;
    assert_eq!(
        (resumed.status(), resumed.json()),
        (200, json!({"draining": false}))
    );
    Socket::open(&program.address, "/ws/")
        .await
        .echoes("back")
        .await;
    assert_eq!(ask(&admin, "GET /readyz", "").await.status(), 200);
}

#[tokio::test]
async fn a_plain_request_does_not_go_to_a_drained_server_either() {
    let (one, other) = (Upstream::start().await, Upstream::start().await);
    let servers = [one.url(), other.url()];
    let more = "[defaults]\nhttp = \"forward\"\n";
    let program = Program::run(&with_servers(&servers, more)).await;
    let admin = program.admin().await;
    let mut client = Wire::connect(&program.address).await;
    let request = "GET /ws/page HTTP/1.1\r\nHost: gate.test\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    // A connection to the first is kept, and is not used any more.
    client.send(request).await;
    let (mut kept, _) = soon("the first", one.request()).await;
    kept.send(answer).await;
    assert_eq!(client.response().await.text(), "ok");
    assert_eq!(
        ask(&admin, "POST /upstreams/chat/0/drain", "")
            .await
            .status(),
        202
    );
    client.send(request).await;
    let (mut next, _) = soon("the other", other.request()).await;
    next.send(answer).await;
    assert_eq!(client.response().await.text(), "ok");
    assert_eq!(
        ask(&admin, "POST /upstreams/chat/1/drain", "")
            .await
            .status(),
        202
    );
    client.send(request).await;
    assert_eq!(client.response().await.status(), 503);
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_what_could() {
    let echo = Echo::start().await;
    let program = Program::run(&with_servers(&[echo.url()], "")).await;
    let admin = program.admin().await;
    for (line, status, problem) in [
        (
            "POST /upstreams/news/0/drain",
            404,
            "no such upstream: there is chat",
        ),
        (
            "POST /upstreams/chat/1/drain",
            404,
            "no such server: there is ws://127.0.0.1",
        ),
        (
            "POST /upstreams/chat/%ff/resume",
            404,
            "no such server: there is",
        ),
        ("POST /upstreams/chat/0", 404, "no such resource"),
        ("GET /upstreams/chat/0/drain", 405, "wrong method"),
        (
            "POST /upstreams/chat/0/drain?over=10s",
            400,
            "`over` spreads the closes of close=true",
        ),
        (
            "POST /upstreams/chat/0/drain?close=true&over=x",
            400,
            "`over` must be a duration",
        ),
        (
            "POST /upstreams/chat/0/drain?close=1",
            400,
            "`close` must be true or false",
        ),
        (
            "POST /upstreams/chat/0/resume?close=true",
            400,
            "key 1 of the query is unknown",
        ),
    ] {
        let answer = ask(&admin, line, "").await;
        let error = answer.json();
        let error = error["error"].as_str().unwrap();
        assert!(error.contains(problem), "{line}: {error}");
        assert_eq!(answer.status(), status, "{line}");
    }
    Socket::open(&program.address, "/ws/")
        .await
        .echoes("not drained")
        .await;
}
