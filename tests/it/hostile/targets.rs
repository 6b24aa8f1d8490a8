//! Cases H10 to H13: where a request says that it wants to go.

use rstest::rstest;

use crate::kit::{CANARY, Host, Request, Stage};

fn of_host(value: &str) -> Request {
    Stage::handshake().with("Host", value)
}

fn target(target: &str) -> Request {
    Stage::handshake().line(&format!("GET {target} HTTP/1.1"))
}

#[rstest]
#[tokio::test]
async fn h10_the_host_is_missing_doubled_or_no_host(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let right = Stage::handshake();
    let mut requests = vec![
        right.clone().without("Host"),
        right.clone().header("Host", "gate.test"),
        right.clone().header("host", "other.test"),
        right.header("HOST", ""),
    ];
    let long = "a".repeat(254);
    requests.extend(
        [
            "",
            " ",
            ".",
            "gate.test,other.test",
            "gate.test other.test",
            "gate.test\tother.test",
            "user@gate.test",
            "user:secret@gate.test",
            "gate.test:0",
            "gate.test:00",
            "gate.test:65536",
            "gate.test:99999",
            "gate.test:+80",
            "gate.test:-1",
            "gate.test: 80",
            "gate.test:80:80",
            "gate.test:http",
            "gate.test..",
            "gate..test",
            ".gate.test",
            "%67ate.test",
            "gate%2etest",
            "gate.test/",
            "gate.test/ws",
            "gate.test?x",
            "gate.test#x",
            "gate\\test",
            "gate.test;x",
            "\"gate.test\"",
            "*",
            "http://gate.test",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]:65536",
            "[]",
            "[::1%25eth0]",
            "[v1.x]",
            "[gate.test]",
            "gate.t\u{e9}st",
            &long,
        ]
        .map(of_host),
    );
    for request in requests {
        let text = request.text();
        stage.refused(&text, &text, 400, "bad_host").await;
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h10_a_host_with_a_byte_that_no_header_has(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for value in [
        "gate.test\0",
        "\0gate.test",
        "gate.test\u{1}",
        "gate.test\u{7f}",
        "gate.test\r",
        "gate.test\r\n .other",
    ] {
        stage
            .refused(value, of_host(value).text(), 400, "bad_request")
            .await;
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h10_every_spelling_of_a_host_goes_upstream_as_one(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "host = [\"gate.test\", \"gate_test\", \"[::1]\"]").await;
    for (spelled, sent) in [
        ("gate.test", "gate.test"),
        ("GATE.Test", "gate.test"),
        ("gate.test.", "gate.test"),
        ("gate.test:", "gate.test"),
        ("gate.test:080", "gate.test:80"),
        ("Gate.Test.:65535", "gate.test:65535"),
        ("gate_test", "gate_test"),
        ("[0:0::1]:8080", "[::1]:8080"),
    ] {
        let asked = stage.accepted(spelled, of_host(spelled).text()).await;
        asked.assert(&[("host", sent), ("x-forwarded-host", sent)]);
    }
    for other in ["other.test", "gate.test.other.test", "xgate.test", "[::2]"] {
        stage
            .refused(other, of_host(other).text(), 404, "no_route")
            .await;
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h11_an_absolute_target_and_the_host_are_one_authority_or_refused(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "host = \"gate.test\"").await;
    for (wanted, status, reason) in [
        ("http://other.test/ws/room", 400, "authority_mismatch"),
        ("http://gate.test:81/ws/room", 400, "authority_mismatch"),
        ("http://gate.test:80/ws/room", 400, "authority_mismatch"),
        ("//gate.test/ws/room", 404, "no_route"),
        ("http://user@gate.test/ws/room", 400, "bad_host"),
        ("http://user:secret@gate.test/ws/room", 400, "bad_host"),
        ("http://gate.test@other.test/ws/room", 400, "bad_host"),
        ("http://other.test@gate.test/ws/room", 400, "bad_host"),
        ("http://gate.test:0/ws/room", 400, "bad_host"),
        ("http://gate.test:65536/ws/room", 400, "bad_host"),
        ("http:///ws/room", 400, "bad_request"),
        ("http:/ws/room", 400, "bad_request"),
        ("http://[::1/ws/room", 400, "bad_request"),
        ("http://g%61te.test/ws/room", 400, "bad_request"),
        (r"http://gate.test\@other.test/ws/room", 400, "bad_request"),
        ("gate.test:80", 400, "authority_mismatch"),
        ("gate.test", 400, "bad_path"),
        ("*", 400, "bad_path"),
        ("ws/room", 400, "bad_request"),
        ("?x", 400, "bad_request"),
        ("http://gate.test/ws/../room", 400, "bad_path"),
    ] {
        stage
            .refused(wanted, target(wanted).text(), status, reason)
            .await;
    }
    let both = target("http://other.test/ws/room");
    for (what, request) in [
        ("host of the route", both.clone()),
        ("host of nobody", both.clone().with("Host", "third.test")),
    ] {
        stage
            .refused(what, request.text(), 400, "authority_mismatch")
            .await;
    }
    for request in [both.clone().without("Host"), both.header("Host", "b.test")] {
        stage
            .refused("no one Host", request.text(), 400, "bad_host")
            .await;
    }
    for same in [
        "http://gate.test/ws/room?x",
        "HTTP://GATE.TEST./ws/room?x",
        "ws://gate.test:/ws/room?x",
    ] {
        let asked = stage.accepted(same, target(same).text()).await;
        assert_eq!(asked.target(), "/ws/room?x");
        asked.assert(&[("host", "gate.test")]);
    }
    stage.stands().await;
}

#[tokio::test]
async fn h11_the_origin_is_checked_against_the_authority_that_is_routed() {
    let mut stage = Stage::set("host = \"*.test\"").await;
    let absolute = target("http://gate.test/ws/room").header("Origin", "http://other.test");
    for (what, request, status, reason) in [
        ("the Host's", absolute.clone(), 403, "origin_denied"),
        (
            "another Host's",
            absolute.with("Host", "other.test"),
            400,
            "authority_mismatch",
        ),
    ] {
        stage.refused(what, request.text(), status, reason).await;
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h13_a_path_that_may_leave_its_prefix(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for path in [
        "/ws/../admin",
        "/ws/./a",
        "/ws/..",
        "/ws/.",
        "/ws/..?x",
        "/ws/%2e%2e/admin",
        "/ws/%2E%2E",
        "/ws/.%2e/a",
        "/ws/%2E./a",
        "/ws/%2e/a",
        "/ws/..;/admin",
        "/ws/..;x=y/admin",
        "/ws/.;/a",
        "/ws/%2e%2e%3b/a",
        "/ws/;/../a",
        "/ws/a;/..",
        "/ws//../a",
        "/ws%2f..%2fadmin",
        "/ws/..%2fadmin",
        "/ws/..%5Cadmin",
        "/ws%2f..",
        "/ws/a%2F.",
        "/ws/a%5cb",
        "/ws/a%5Cb",
        r"/ws/a\b",
        r"/ws/..\admin",
        "/ws/%00",
        "/ws/a%00/../b",
        "/ws/%0a",
        "/ws/%0d%0aX:%20y",
        "/ws/%09",
        "/ws/%1f",
        "/ws/%7f",
        "/ws/%c0%ae%c0%ae/admin",
        "/ws/%C0%AE%C0%AE%C0%AFadmin",
        "/ws/%c0%af..",
        "/ws/%e0%80%ae%e0%80%ae/admin",
        "/ws/a%e0%80%afb",
        "/ws/%f0%80%80%ae/a",
        "/ws/%u002e%u002e/a",
        "/ws/%",
        "/ws/%2",
        "/ws/%zz",
        "/ws/%+1",
        "/echo/../ws/a",
    ] {
        let wanted = format!("{path}{}token={CANARY}", separator(path));
        stage
            .refused(path, target(&wanted).text(), 400, "bad_path")
            .await;
    }
    stage.stands().await;
}

fn separator(path: &str) -> char {
    match path.contains('?') {
        true => '&',
        false => '?',
    }
}

#[tokio::test]
async fn h13_a_path_that_no_request_line_has_or_no_route() {
    let mut stage = Stage::set("").await;
    for (path, status, reason) in [
        ("/ws/a b", 400, "bad_request"),
        ("/ws/a\tb", 400, "bad_request"),
        ("/ws/a\0b", 400, "bad_request"),
        ("/ws/a\u{1}b", 400, "bad_request"),
        ("/ws/a\u{7f}b", 400, "bad_request"),
        ("/ws/a\rb", 400, "bad_request"),
        ("/ws/<a>", 400, "bad_request"),
        ("/ws", 404, "no_route"),
        ("/WS/a", 404, "no_route"),
        ("//ws/a", 404, "no_route"),
        ("/;/ws/a", 404, "no_route"),
        ("/ws;/a", 404, "no_route"),
        ("/other/ws/a", 404, "no_route"),
    ] {
        stage
            .refused(path, target(path).text(), status, reason)
            .await;
    }
    for path in [&b"/ws/\xc0\xae\xc0\xae/a"[..], b"/ws/\xff", b"/ws/a?\xff"] {
        let line = [b"GET ", path, b" HTTP/1.1"].concat();
        let text = Stage::handshake().text();
        let (_, rest) = text.split_once("\r\n").expect("a request line");
        let request = [&line, rest.as_bytes()].join(&b"\r\n"[..]);
        let what = path.escape_ascii().to_string();
        stage.refused(&what, request, 400, "bad_request").await;
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h13_any_other_path_is_matched_and_forwarded_as_one_string(
    #[values(Host::Program, Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for path in [
        "/ws/",
        "/ws//a",
        "/ws/a//",
        "/ws/...",
        "/ws/.a/a./..a",
        "/ws/a;v=1",
        "/ws/%20%C3%A9%E9",
        "/ws/%252e%252e/%252f",
        "/ws/a%3Fb%23c",
        "/ws/a?x=/../..&y=%2f%00%c0%ae",
        "/ws/?/../admin",
        "/ws/a?",
    ] {
        let asked = stage.accepted(path, target(path).text()).await;
        assert_eq!(asked.target(), path);
    }
    stage.stands().await;
}

// No request line has one (RFC 9112 §3.2), but the gate gets to see none: its host has cut it off.
#[rstest]
#[tokio::test]
async fn h13_a_fragment_that_the_host_of_a_plugin_has_cut_off(
    #[values(Host::HyperService, Host::Axum)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for fragment in ["/ws/a#b", "/ws/a#/../admin", "/ws/a#?b"] {
        let asked = stage.accepted(fragment, target(fragment).text()).await;
        assert_eq!(asked.target(), "/ws/a");
    }
    stage.stands().await;
}
