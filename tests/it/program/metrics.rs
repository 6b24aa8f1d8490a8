//! `GET /metrics`: what it counts, and how it says so.

use std::collections::BTreeMap;

use crate::kit::{Echo, Program, Response, Socket, Upstream, Wire, settings, soon, websocket};

pub(super) const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

/// One thread serves the peers and the admin interface: whatever a peer has seen is counted before the
/// next scrape.
pub(super) const ONE_WORKER: &str = "[server]\nworkers = 1\n";

/// The value of each sample, by its name with its labels.
pub(super) type Samples = BTreeMap<String, f64>;

pub(super) async fn fetch(admin: &str) -> Response {
    let mut wire = Wire::connect(admin).await;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    wire.send(request).await;
    wire.response().await
}

pub(super) async fn scrape(admin: &str) -> Samples {
    let answer = fetch(admin).await;
    assert_eq!(answer.status(), 200);
    let lines = answer.text().lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.map(sample).collect()
}

/// What has changed of the samples with this name, or with each where it is empty.
pub(super) fn steps<'a>(before: &Samples, after: &'a Samples, of: &str) -> Vec<(&'a str, f64)> {
    let changed = after.iter().map(|(name, value)| {
        let step = value - before.get(name).unwrap_or(&0.0);
        (name.as_str(), step)
    });
    let changed = changed.filter(|(name, step)| name.starts_with(of) && *step != 0.0);
    changed.collect()
}

/// What has changed of the counts of requests, of which each takes one step of one.
fn outcomes<'a>(before: &Samples, after: &'a Samples) -> Vec<(&'a str, f64)> {
    let families = [
        "wsgate_handshakes_total",
        "wsgate_plain_requests_total",
        "wsgate_broken_requests_total",
    ];
    let steps = families.map(|family| steps(before, after, family));
    steps.concat()
}

fn assert_none_fell(before: &Samples, after: &Samples) {
    for (name, value) in before {
        let grows = ["_total", "_bucket", "_sum", "_count"];
        if grows
            .iter()
            .any(|suffix| name.split('{').next().unwrap().ends_with(suffix))
        {
            // What never was anything may go with its route.
            let after = after.get(name).unwrap_or(&0.0);
            assert!(after >= value, "{name} fell from {value} to {after}");
        }
    }
}

/// Sends this on a connection of its own and reads the answer's status, and all to the end.
async fn refused(program: &Program, request: impl AsRef<[u8]>) -> u16 {
    let mut wire = Wire::connect(&program.address).await;
    wire.try_send(request).await;
    let status = wire.head().await.status();
    wire.end().await;
    status
}

/// Waits for the line with this reason. What it is about is counted before it is logged.
async fn logged(program: &Program, reason: &str) {
    let reason = format!("\"reason\":\"{reason}\"");
    let found = program.line(&reason, |line| line.contains(&reason).then_some(()));
    found.await;
}

#[tokio::test]
async fn each_refusal_is_one_step_of_one_count() {
    const HANDSHAKE: &str = "handshakes_total{route=\"\",outcome=\"OUTCOME\"}";
    const HANDSHAKE_OF_CHAT: &str = "handshakes_total{route=\"chat\",outcome=\"OUTCOME\"}";
    const BROKEN: &str = "broken_requests_total{reason=\"OUTCOME\"}";
    let dead = Upstream::dead();
    let url = dead.url();
    let program = Program::run(&settings(url, ADMIN)).await;
    let admin = program.admin().await;
    let right = websocket("/ws/", "gate.test", "");
    let mut before = scrape(&admin).await;
    for (request, status, count, outcome) in [
        (
            right.replace("Version: 13", "Version: 8"),
            426,
            HANDSHAKE,
            "ws_version",
        ),
        (right.replace("GET", "POST"), 405, HANDSHAKE, "method"),
        (
            right.replace("/ws/", "/nowhere"),
            404,
            HANDSHAKE,
            "no_route",
        ),
        (
            right.replace("gate.test", "a b"),
            400,
            HANDSHAKE,
            "bad_host",
        ),
        (
            websocket("/ws/", "gate.test", "Origin: http://evil.test\r\n"),
            403,
            HANDSHAKE_OF_CHAT,
            "origin_denied",
        ),
        (
            "GET /ws/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            426,
            "plain_requests_total{route=\"chat\",outcome=\"OUTCOME\",status=\"4xx\"}",
            "not_upgrade",
        ),
        ("nonsense\r\n\r\n".to_owned(), 400, BROKEN, "bad_request"),
        (
            websocket(
                "/ws/",
                "gate.test",
                &format!("X: {}\r\n", "x".repeat(70_000)),
            ),
            431,
            BROKEN,
            "head_too_large",
        ),
        (right.clone(), 502, HANDSHAKE_OF_CHAT, "upstream_refused"),
    ] {
        assert_eq!(refused(&program, request).await, status, "{outcome}");
        let name = format!("wsgate_{}", count.replace("OUTCOME", outcome));
        logged(&program, outcome).await;
        let after = scrape(&admin).await;
        assert_eq!(outcomes(&before, &after), [(&*name, 1.0)]);
        assert_none_fell(&before, &after);
        before = after;
    }
    let failures = format!(
        "wsgate_upstream_failures_total{{upstream=\"chat\",server=\"{url}\",kind=\"connect\"}}"
    );
    assert_eq!(before[&failures], 1.0);
    program.stop().await;
}

#[tokio::test]
async fn a_refused_plain_request_is_logged_and_counted_on_its_route() {
    let dead = Upstream::dead();
    let url = dead.url();
    let more = format!(
        "http.origin = \"check\"\naddress.deny = [\"192.0.2.7\"]\n\
                        [client_ip]\ntrusted_proxies = [\"127.0.0.1\"]\n{ADMIN}"
    );
    let program = Program::run(&settings(url, &more)).await;
    let admin = program.admin().await;
    let mut before = scrape(&admin).await;
    for (index, (line, headers, status, route, outcome)) in [
        ("GET /ws/page", "", 502, "chat", "upstream_refused"),
        (
            "GET /ws/page",
            "Origin: http://evil.test\r\n",
            403,
            "chat",
            "origin_denied",
        ),
        (
            "GET /ws/page",
            "X-Forwarded-For: 192.0.2.7\r\n",
            403,
            "chat",
            "address_denied",
        ),
        (
            "GET /ws/page",
            "X_Forwarded_For: 1\r\n",
            400,
            "chat",
            "header_alias",
        ),
        (
            "POST /ws/page",
            "Transfer-Encoding: gzip, chunked\r\n",
            400,
            "chat",
            "bad_framing",
        ),
        // No route was found for these, or none was looked for.
        ("GET /nowhere", "", 404, "", "no_route"),
        ("PROPFIND /nowhere", "", 404, "", "no_route"),
        ("GET /ws/../page", "", 400, "", "bad_path"),
        ("CONNECT gate.test:80", "", 405, "", "method"),
    ]
    .into_iter()
    .enumerate()
    {
        let request =
            format!("{line} HTTP/1.1\r\nHost: gate.test\r\nConnection: close\r\n{headers}\r\n");
        assert_eq!(refused(&program, request).await, status, "{outcome}");
        let event = program.nth_event(index, "request rejected").await;
        assert_eq!(event["reason"], outcome, "{event}");
        let method = line.split(' ').next().unwrap();
        assert_eq!(event["method"], method, "{event}");
        assert_eq!(
            event["route"].as_str().unwrap_or_default(),
            route,
            "{event}"
        );
        let after = scrape(&admin).await;
        let class = status / 100;
        let name = format!(
            "wsgate_plain_requests_total{{\
             route=\"{route}\",outcome=\"{outcome}\",status=\"{class}xx\"}}"
        );
        assert_eq!(outcomes(&before, &after), [(&*name, 1.0)]);
        before = after;
    }
    program.stop().await;
}

#[tokio::test]
async fn a_connection_that_comes_to_nothing_is_one_step_of_one_count() {
    let upstream = Upstream::start().await;
    let more = format!(
        "http.write_timeout = \"1s\"\n\
         {ONE_WORKER}handshake_timeout = \"1s\"\n{ADMIN}"
    );
    let program = Program::run(&settings(upstream.url(), &more)).await;
    let admin = program.admin().await;
    let mut before = scrape(&admin).await;
    let family = "wsgate_connections_closed_total";
    for (sent, reason) in [
        ("", "silent"),
        ("GET /ws/ HTTP/1.1\r\n", "handshake_timeout"),
        ("GET /ws/page HTTP/1.1\r\nHost: a\r\n\r\n", "slow_client"),
        // One that was answered may be silent afterwards.
        ("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", ""),
    ] {
        let mut client = Wire::connect(&program.address).await;
        client.send(sent).await;
        if reason == "slow_client" {
            let (mut server, _) = upstream.request().await;
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
            server.send(head).await;
            let chunk = vec![b'x'; 0x10000];
            let endless = async { while server.try_send(&chunk).await {} };
            soon("the end of the server's connection", endless).await;
        }
        client.end().await;
        drop(client);
        let after = scrape(&admin).await;
        assert_eq!(after["wsgate_connections_open"], 0.0, "{reason}");
        let name = format!("{family}{{reason=\"{reason}\"}}");
        let stepped = steps(&before, &after, family);
        match reason {
            "" => assert_eq!(stepped, []),
            _ => assert_eq!(stepped, [(&*name, 1.0)]),
        }
        before = after;
    }
    program.stop().await;
}

#[tokio::test]
async fn a_flood_is_counted_to_the_last_one_though_the_log_is_a_sample() {
    const REQUESTS: u32 = 300;
    let program = Program::run(&settings("ws://127.0.0.1:1", ADMIN)).await;
    let admin = program.admin().await;
    let request = websocket("/nowhere", "gate.test", "");
    for _ in 0..REQUESTS {
        assert_eq!(refused(&program, &request).await, 404);
    }
    let samples = scrape(&admin).await;
    let name = "wsgate_handshakes_total{route=\"\",outcome=\"no_route\"}";
    assert_eq!(samples[name], f64::from(REQUESTS));
    let logged = program.stop().await.matches("handshake rejected").count();
    assert!(logged < REQUESTS as usize, "{logged} lines");
    let left_out = samples["wsgate_log_lines_suppressed_total"];
    assert_eq!(logged as f64 + left_out, f64::from(REQUESTS));
}

#[tokio::test]
async fn a_session_goes_from_open_to_closed_and_no_count_falls() {
    let echo = Echo::start().await;
    let more = format!("{ADMIN}{ONE_WORKER}");
    let program = Program::run(&settings(echo.url(), &more)).await;
    let admin = program.admin().await;
    let open = "wsgate_sessions_open{route=\"chat\"}";
    let of_server = format!(
        "wsgate_upstream_sessions_open{{upstream=\"chat\",server=\"{}\"}}",
        echo.url()
    );
    let plain = "wsgate_connections_open";
    let messages = "wsgate_messages_total{route=\"chat\",from=\"upstream\"}";
    let start = scrape(&admin).await;
    assert_eq!(
        (start[open], start[&of_server], start[plain]),
        (0.0, 0.0, 0.0)
    );

    // A connection without a request is no session. It is accepted before the next one.
    let silent = Wire::connect(&program.address).await;
    let mut socket = Socket::open(&program.address, "/ws/?token=c4nary").await;
    socket.echoes("hello").await;
    let live = scrape(&admin).await;
    assert_eq!((live[open], live[&of_server], live[plain]), (1.0, 1.0, 1.0));
    assert_eq!(live[messages], 1.0);
    assert_eq!(
        live["wsgate_bytes_total{route=\"chat\",from=\"client\"}"],
        11.0
    );
    assert_eq!(steps(&start, &live, "wsgate_sessions_closed_total"), []);
    assert_none_fell(&start, &live);

    drop(silent);
    socket.close().await;
    program.event("session closed").await;
    let ended = scrape(&admin).await;
    assert_none_fell(&live, &ended);
    let open = (ended[open], ended[&of_server], ended[plain]);
    assert_eq!(open, (0.0, 0.0, 0.0));
    assert_eq!(ended[messages], 1.0);
    for (histogram, counts) in [
        ("handshake_duration", [0.0, 1.0, 1.0]),
        ("upstream_connect_duration", [0.0, 1.0, 1.0]),
        ("session_duration", [0.0, 0.0, 1.0]),
    ] {
        let count = format!("wsgate_{histogram}_seconds_count{{route=\"chat\"}}");
        let above = format!("wsgate_{histogram}_seconds_bucket{{route=\"chat\",le=\"+Inf\"}}");
        let counted = [&start, &live, &ended].map(|samples| samples[&count]);
        assert_eq!(counted, counts, "{histogram}");
        assert_eq!(ended[&above], 1.0);
    }
    let session = "wsgate_sessions_total{route=\"chat\"}";
    assert_eq!([live[session], ended[session]], [1.0, 1.0]);
    let closed = "wsgate_sessions_closed_total{\
                  route=\"chat\",reason=\"closed\",closed_by=\"client\",code=\"\"}";
    let stepped = steps(&live, &ended, "wsgate_sessions_closed_total");
    assert_eq!(stepped, [(closed, 1.0)]);
    let accepted = "wsgate_handshakes_total{route=\"chat\",outcome=\"accepted\"}";
    let stepped = steps(&start, &ended, "wsgate_handshakes_total");
    assert_eq!(stepped, [(accepted, 1.0)]);
    assert!(!fetch(&admin).await.text().contains("c4nary"));
    program.stop().await;
}

#[tokio::test]
async fn reloads_are_counted_by_result_with_the_time_of_the_last_success() {
    let right = settings("ws://127.0.0.1:1", ADMIN);
    let program = Program::run(&right).await;
    let admin = program.admin().await;
    let other = right.replace("name = \"chat\"", "name = \"talk\"");
    let mut before = scrape(&admin).await;
    let started = before["process_start_time_seconds"];
    let last = "wsgate_reload_last_success_timestamp_seconds";
    assert!((before[last] - started).abs() < 5.0, "{before:?}");
    assert_eq!(before["wsgate_reload_last_failed"], 0.0);
    for (settings, result, failed) in [
        (&*right, "unchanged", 0.0),
        ("[[route]]\n", "rejected", 1.0),
        (&*other, "applied", 0.0),
        ("", "rejected", 1.0),
    ] {
        program.rewrite(settings);
        super::admin::ask(&admin, "POST /reload", "").await;
        let after = scrape(&admin).await;
        let name = format!("wsgate_reloads_total{{result=\"{result}\"}}");
        let stepped = steps(&before, &after, "wsgate_reloads_total");
        assert_eq!(stepped, [(&*name, 1.0)]);
        assert_eq!(after["wsgate_reload_last_failed"], failed, "{result}");
        match failed {
            0.0 => assert!(after[last] > before[last]),
            _ => assert_eq!(after[last].to_bits(), before[last].to_bits()),
        }
        assert_none_fell(&before, &after);
        before = after;
    }
    program.stop().await;
}

#[tokio::test]
async fn a_drain_the_limit_and_the_processor_time_are_metrics() {
    let program = Program::run_limited(&settings("ws://127.0.0.1:1", ADMIN), 1000).await;
    let admin = program.admin().await;
    let before = scrape(&admin).await;
    assert_eq!(before["wsgate_draining"], 0.0);
    let most = before["wsgate_sessions_limit"];
    assert!((100.0..500.0).contains(&most), "{most}");
    super::admin::ask(&admin, "POST /drain", "").await;
    let after = scrape(&admin).await;
    assert_eq!(after["wsgate_draining"], 1.0);
    let time = "process_cpu_seconds_total";
    assert!(after[time] > before[time] && before[time] > 0.0);
    program.stop().await;
}
