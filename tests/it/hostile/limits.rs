//! Cases R10 to R13: keys of limits, floods of refusals, and a gate that is full.

use rstest::rstest;
use rustix::process::Signal;

use crate::kit::{CANARY, Frame, Host, Request, Stage, Upstream, Wire};

/// The lines of a route that lets an address make so many handshakes, and then two an hour.
fn handshakes(burst: usize) -> String {
    format!("[route.limits.per_ip]\nhandshakes = {{ rate = \"2/h\", burst = {burst} }}")
}

/// A gate behind a proxy on this machine, which may say anything about its clients.
async fn behind_a_proxy(host: Host, route: &str, client_ip: &str) -> Stage {
    let upstream = Upstream::start().await;
    let pool = format!("servers = [\"{}\"]", upstream.url());
    let more = format!("[client_ip]\ntrusted_proxies = [\"127.0.0.1\"]\n{client_ip}");
    Stage::on_with(host, upstream, &pool, route, &more).await
}

/// Opens a session by this handshake and ends it, or is refused.
async fn asks(stage: &mut Stage, what: &str, request: &Request, is_let_in: bool) {
    if is_let_in {
        let (client, server) = stage.session_with(request, "").await;
        stage.parts(client, server).await;
    } else {
        let answer = stage
            .refused(what, request.text(), 429, "handshake_rate")
            .await;
        let seconds: u64 = answer.one("retry-after").parse().expect("seconds");
        assert!((1740..=1800).contains(&seconds), "{what}: {answer:?}");
    }
}

fn from(client: &str) -> Request {
    Stage::handshake().header("X-Forwarded-For", client)
}

#[tokio::test]
async fn r10_the_headers_of_an_untrusted_peer_change_no_key() {
    let spoofed: Vec<Request> = vec![
        Stage::handshake(),
        from("203.0.113.1"),
        from("203.0.113.2, 198.51.100.7"),
        from("203.0.113.3").header("X-Forwarded-For", "203.0.113.4"),
        from("127.0.0.1"),
        from(&format!("garbage\u{9b}{CANARY}")),
        Stage::handshake().header("X-Real-IP", "203.0.113.5"),
        Stage::handshake().header("Forwarded", "for=203.0.113.6"),
        Stage::handshake().header("x-forwarded-for", "2001:db8::1"),
        Stage::handshake().header("True-Client-IP", "203.0.113.8"),
    ];
    for first in 0..spoofed.len() {
        let mut stage = Stage::set(&handshakes(2)).await;
        // Whatever comes first, the third is one too many.
        for (number, request) in spoofed.iter().cycle().skip(first).take(5).enumerate() {
            asks(&mut stage, "spoofed", request, number < 2).await;
        }
        stage.tells("untrusted_xff");
        stage.stands().await;
    }
}

#[rstest]
#[tokio::test]
async fn r10_a_client_of_a_trusted_proxy_cannot_hide_behind_what_it_wrote_itself(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = behind_a_proxy(host, &handshakes(1), "").await;
    asks(&mut stage, "first", &from("203.0.113.9"), true).await;
    // The proxy appends the address that it saw, so that what is to its left is the client's word.
    for spoofed in [
        "198.51.100.1, 203.0.113.9",
        "198.51.100.2,203.0.113.9",
        "127.0.0.1, 203.0.113.9",
        "garbage, , 203.0.113.9",
        "203.0.113.9, 127.0.0.1",
        "203.0.113.9:1234",
        "::ffff:203.0.113.9",
        "[::ffff:203.0.113.9]:1234",
    ] {
        asks(&mut stage, spoofed, &from(spoofed), false).await;
    }
    let two_lines = from("198.51.100.3").header("X-Forwarded-For", "203.0.113.9");
    asks(&mut stage, "two lines", &two_lines, false).await;
    asks(&mut stage, "another", &from("203.0.113.10"), true).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn r10_a_client_of_ipv6_is_its_64(#[values(Host::Program, Host::HyperService)] host: Host) {
    for (prefix, same, other) in [
        (
            "",
            &[
                "2001:db8:0:1::2",
                "2001:db8:0:1:ffff:ffff:ffff:ffff",
                "[2001:db8:0:1::3]:5",
            ][..],
            &["2001:db8:0:2::1", "2001:db8:1:1::1"][..],
        ),
        (
            "ipv6_prefix = 48",
            &["2001:db8:0:2::1", "2001:db8:0:ffff::1"],
            &["2001:db8:1::1"],
        ),
        (
            "ipv6_prefix = 128",
            &["2001:db8:0:1:0::1"],
            &["2001:db8:0:1::2", "2001:db8:0:1::3"],
        ),
    ] {
        let mut stage = behind_a_proxy(host, &handshakes(1), prefix).await;
        asks(&mut stage, "first", &from("2001:db8:0:1::1"), true).await;
        for client in same {
            asks(&mut stage, client, &from(client), false).await;
        }
        for client in other {
            asks(&mut stage, client, &from(client), true).await;
            asks(&mut stage, client, &from(client), false).await;
        }
        stage.stands().await;
    }
}

#[tokio::test]
async fn r10_an_operator_counts_an_attacking_48_as_one_by_a_reload() {
    let mut stage = behind_a_proxy(Host::Program, &handshakes(1), "ipv6_prefix = 64").await;
    let (first, second) = ("2001:db8:0:1::1", "2001:db8:0:2::1");
    // Strangers to one another, as the phones of a carrier are.
    let (mut client, mut server) = stage.session_with(&from(first), "").await;
    asks(&mut stage, "a neighbour", &from(second), true).await;
    asks(&mut stage, "first", &from(first), false).await;
    asks(&mut stage, "the neighbour", &from(second), false).await;

    let file = stage.program().file("wsgate.toml");
    let text = std::fs::read_to_string(file).expect("a file");
    let text = text.replace("ipv6_prefix = 64", "ipv6_prefix = 48");
    stage.program().rewrite(&text);
    stage.program().signal(Signal::HUP);
    stage.line("reload_ok").await;
    stage.tells("reload_ok");
    // What was counted is forgotten, and the network has one bucket from now on.
    asks(&mut stage, "anew", &from(second), true).await;
    for client in [first, second, "2001:db8:0:ffff::1"] {
        asks(&mut stage, client, &from(client), false).await;
    }
    asks(&mut stage, "another network", &from("2001:db8:1::1"), true).await;
    // A session goes on through all of it.
    Stage::passes(&mut client, &mut server, &[Frame::text(CANARY)]).await;
    stage.parts(client, server).await;
    stage.stands().await;
}

const FULL: &str = "more client addresses than are tracked: newcomers share one limit";

/// How many handshakes of untracked addresses the log counts.
fn overflowed(stage: &Stage) -> u64 {
    let events = stage.program().events(FULL);
    let counts = events.iter().map(|event| event["handshakes"].as_u64());
    counts.map(Option::unwrap).sum()
}

#[tokio::test]
async fn r10_addresses_beyond_those_that_are_tracked_share_one_limit() {
    const TRACKED: usize = 8;
    // Few enough for each refusal to have a line.
    const NEWCOMERS: usize = 60;
    let client_ip = format!("tracked = {TRACKED}");
    let mut stage = behind_a_proxy(Host::Program, &handshakes(3), &client_ip).await;
    let before = stage.vitals().memory;
    for number in 0..TRACKED {
        asks(
            &mut stage,
            "tracked",
            &from(&format!("10.0.0.{number}")),
            true,
        )
        .await;
    }
    // The table is full: all newcomers share one limit, and still have it.
    for number in 0..NEWCOMERS {
        let client = match number % 2 {
            0 => format!("10.1.0.{number}"),
            _ => format!("2001:db8:0:{number:x}::1"),
        };
        asks(&mut stage, &client, &from(&client), number < 3).await;
    }
    // Those that were there first keep what is theirs.
    for number in 0..TRACKED {
        let client = from(&format!("10.0.0.{number}"));
        asks(&mut stage, "tracked", &client, true).await;
        asks(&mut stage, "tracked", &client, true).await;
        asks(&mut stage, "tracked", &client, false).await;
    }
    let took = stage.vitals().memory.saturating_sub(before);
    assert!(took < 1 << 20, "{took}");
    // A line counts them every few seconds.
    let is_told = || overflowed(&stage) >= NEWCOMERS as u64;
    stage
        .program()
        .until("all of them in the log", is_told)
        .await;
    assert_eq!(overflowed(&stage), NEWCOMERS as u64);
    for _ in stage.program().events(FULL) {
        stage.tells("limiter_full");
    }
    stage.stands().await;
}

/// Handshakes that are refused, with what a log should not have from a stranger.
fn hostile() -> Vec<(&'static str, u16, Request)> {
    let ansi = "\u{9b}31mred\u{85}INFO forged\u{9b}0m";
    let long = "x".repeat(8 * 1024);
    let encoded = "%0d%0aINFO%20forged%1b[31m";
    vec![
        (
            "origin_denied",
            403,
            Stage::handshake().header("Origin", "http://evil.test"),
        ),
        (
            "origin_invalid",
            400,
            Stage::handshake().header("Origin", ansi),
        ),
        (
            "origin_invalid",
            400,
            Stage::handshake().header("Origin", &long),
        ),
        (
            "bad_path",
            400,
            Request::websocket(&format!("/ws/{encoded}")),
        ),
        (
            "no_route",
            404,
            Request::websocket(&format!("/{long}?token={CANARY}")),
        ),
        (
            "ws_key_invalid",
            400,
            Stage::handshake().with("Sec-WebSocket-Key", ansi),
        ),
        (
            "ws_version",
            426,
            Stage::handshake().with("Sec-WebSocket-Version", &long),
        ),
        ("bad_host", 400, Stage::handshake().with("Host", ansi)),
    ]
}

#[tokio::test]
async fn r11_a_flood_of_refusals_is_sampled_and_every_one_is_counted() {
    const FLOOD: usize = 100;
    let mut stage = Stage::set("").await;
    let mut refused = 0;
    for _ in 0..FLOOD {
        for (reason, status, request) in hostile() {
            let mut client = stage.client().await;
            client.send(request.text()).await;
            let answer = client.head().await;
            assert_eq!(answer.status(), status, "{reason}: {answer:?}");
            stage.counts(reason);
            refused += 1;
        }
    }
    let logged = stage.accounts_for_a_flood(refused).await;
    // A hundred at once, and ten a second: the flood is a fraction of it in the log.
    assert!((100..refused).contains(&logged), "{logged} of {refused}");
    assert!(stage.upstream.untouched());
    for line in stage.program().lines() {
        assert!(line.len() < 1024, "{} bytes", line.len());
        assert!(!line.contains("INFO forged"), "{line}");
        assert!(
            !line.chars().any(char::is_control),
            "{}",
            line.escape_debug()
        );
    }
    stage.stands().await;
}

#[tokio::test]
async fn r13_a_gate_that_is_full_refuses_and_keeps_what_it_has() {
    let upstream = Upstream::start().await;
    let pool = format!("servers = [\"{}\"]", upstream.url());
    let more = "[server]\nsessions = 3";
    let mut stage = Stage::set_with(upstream, &pool, "", more).await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(stage.session().await);
    }
    for _ in 0..20 {
        let request = Stage::handshake().text();
        let answer = stage.refused("full", request, 503, "overload").await;
        assert_eq!(answer.one("retry-after"), "5");
        talk(&mut sessions).await;
    }
    let listed = listed(&stage).await;
    assert_eq!(listed, 3);
    // A place that is given back is given away again.
    let (client, server) = sessions.pop().expect("a session");
    stage.parts(client, server).await;
    sessions.push(stage.session().await);
    talk(&mut sessions).await;
    let request = Stage::handshake().text();
    stage.refused("full again", request, 503, "overload").await;
    for (client, server) in sessions {
        stage.parts(client, server).await;
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn r13_an_address_with_as_many_sessions_as_it_may_have(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let route = "[route.limits.per_ip]\nconnections = 2";
    let mut stage = behind_a_proxy(host, route, "").await;
    for [first, same, other] in [
        ["203.0.113.9", "203.0.113.9", "203.0.113.10"],
        // Clients of IPv6 in one /64 are one.
        ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"],
    ] {
        let mut sessions = Vec::new();
        for _ in 0..2 {
            sessions.push(stage.session_with(&from(first), "").await);
        }
        for _ in 0..20 {
            let answer = stage
                .refused("one more", from(same).text(), 429, "ip_connections")
                .await;
            assert_eq!(answer.one("retry-after"), "5");
            talk(&mut sessions).await;
        }
        // Neither another address nor another route has anything to do with it.
        sessions.push(stage.session_with(&from(other), "").await);
        stage.serves_others().await;
        let (client, server) = sessions.remove(0);
        stage.parts(client, server).await;
        sessions.push(stage.session_with(&from(same), "").await);
        stage
            .refused("one more again", from(first).text(), 429, "ip_connections")
            .await;
        talk(&mut sessions).await;
        for (client, server) in sessions {
            stage.parts(client, server).await;
        }
    }
    stage.stands().await;
}

#[tokio::test]
async fn r13_a_server_with_as_many_sessions_as_it_may_have() {
    let upstream = Upstream::start().await;
    let pool = format!("servers = [\"{}\"]\nmax_connections = 2", upstream.url());
    let mut stage = Stage::set_with(upstream, &pool, "", "").await;
    let mut sessions = vec![stage.session().await, stage.session().await];
    for _ in 0..5 {
        let request = Stage::handshake().text();
        let answer = stage.refused("full", request, 503, "upstream_full").await;
        assert_eq!(answer.one("retry-after"), "5");
        talk(&mut sessions).await;
        stage.serves_others().await;
    }
    for (client, server) in sessions {
        stage.parts(client, server).await;
    }
    stage.stands().await;
}

/// Checks that live sessions notice nothing.
pub(super) async fn talk(sessions: &mut [(Wire, Wire)]) {
    for (client, server) in sessions {
        Stage::passes(client, server, &[Frame::text(CANARY)]).await;
        Stage::passes(server, client, &[Frame::text(CANARY)]).await;
    }
}

/// How many sessions the admin interface lists.
pub(super) async fn listed(stage: &Stage) -> usize {
    let admin = stage.program().admin().await;
    let mut wire = Wire::connect(&admin).await;
    let request = format!("GET /sessions HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    wire.send(request).await;
    let answer = wire.response().await;
    assert_eq!(answer.status(), 200);
    answer.json()["sessions"].as_array().expect("a list").len()
}
