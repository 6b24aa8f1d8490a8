//! Case O07: whoever can reach the admin interface, and is not to be let in.

use serde_json::json;

use crate::kit::{Program, Wire, finish_with, settings};

/// A gate with an admin interface, which has this token.
async fn guarded(token: &str) -> (Program, String) {
    let more = format!("[admin]\naddress = \"127.0.0.1:0\"\n{token}");
    let program = Program::run(&settings("ws://127.0.0.1:1", &more)).await;
    let admin = program.admin().await;
    (program, admin)
}

const TOKEN: &str = "token = \"right-t0ken\"";

/// What these bytes are answered on a connection of their own, up to its end.
async fn said(admin: &str, bytes: impl AsRef<[u8]>) -> String {
    let mut wire = Wire::connect(admin).await;
    wire.try_send(bytes).await;
    let said = wire.end().await;
    String::from_utf8(said).expect("text")
}

/// The statuses of all answers to these bytes.
async fn statuses(admin: &str, bytes: impl AsRef<[u8]>) -> Vec<u16> {
    let said = said(admin, bytes).await;
    let lines = said.split("\r\n").flat_map(|line| line.split('\n'));
    let lines = lines.filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    lines
        .map(|line| line[..3].parse().expect("a status"))
        .collect()
}

/// Whether it drains: what every attack here is after.
pub(super) async fn drains(admin: &str) -> bool {
    let ready = format!("GET /readyz HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    statuses(admin, ready).await != [200]
}

#[tokio::test]
async fn o07_an_address_that_others_reach_needs_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wsgate.toml");
    let file = file.to_str().expect("a path");
    let variables = [("WSGATE_TEST_EMPTY", ""), ("WSGATE_TEST_BLANK", "  ")];
    for address in [
        "0.0.0.0:0",
        "[::]:0",
        "192.0.2.1:9900",
        "[2001:db8::1]:9900",
        "[::ffff:192.0.2.1]:9900",
        "10.0.0.1:9900",
        "169.254.1.1:9900",
        "224.0.0.1:9900",
        "255.255.255.255:9900",
    ] {
        for token in [
            "",
            "token = \"\"",
            "token = \"${WSGATE_TEST_EMPTY}\"",
            "token = \"${WSGATE_TEST_BLANK}\"",
            "token = \"${WSGATE_TEST_UNSET}\"",
        ] {
            let more = format!("[admin]\naddress = \"{address}\"\n{token}");
            std::fs::write(file, settings("ws://127.0.0.1:1", &more)).expect("a file");
            for command in ["check", "run"] {
                let refused = finish_with(&[command, file], &variables).await;
                let what = format!("{command} {address} {token}: {refused:?}");
                assert_eq!(refused.code, Some(1), "{what}");
                assert!(refused.stderr.contains("token"), "{what}");
            }
        }
    }
    // With one it serves, and asks for it.
    let more = format!("[admin]\naddress = \"0.0.0.0:0\"\n{TOKEN}");
    let program = Program::run(&settings("ws://127.0.0.1:1", &more)).await;
    let admin = program.admin().await.replace("0.0.0.0", "127.0.0.1");
    let ask = format!("GET /sessions HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    assert_eq!(statuses(&admin, ask).await, [401]);
    program.stop().await;
}

#[tokio::test]
async fn o07_the_token_is_compared_whole_and_taken_from_one_place() {
    let (program, admin) = guarded(TOKEN).await;
    let bearer = |value: &str| format!("Authorization: {value}\r\n");
    let long = bearer(&format!("Bearer {}", "right-t0ken".repeat(1000)));
    for lines in [
        "",
        &*bearer(""),
        &bearer("Bearer"),
        &bearer("Bearer "),
        &bearer("Bearer wrong"),
        &bearer("Bearer right-t0ke"),
        &bearer("Bearer ight-t0ken"),
        &bearer("Bearer right-t0kenn"),
        &bearer("Bearer RIGHT-T0KEN"),
        &bearer("Bearer  right-t0ken"),
        &bearer("Bearer\tright-t0ken"),
        &bearer("Bearer \"right-t0ken\""),
        &bearer("Bearer right-t0ken, right-t0ken"),
        &bearer("Bearer right-t0ken; x"),
        &bearer("Token right-t0ken"),
        &bearer("Basic right-t0ken"),
        &bearer("right-t0ken"),
        &bearer("Bearer right-t0ken").repeat(2),
        &(bearer("Bearer wrong") + &bearer("Bearer right-t0ken")),
        &long,
        "Proxy-Authorization: Bearer right-t0ken\r\n",
        "X-Authorization: Bearer right-t0ken\r\n",
        "Cookie: token=right-t0ken\r\n",
        "Cookie: Authorization=Bearer right-t0ken\r\n",
    ] {
        for line in [
            "GET /sessions",
            "GET /sessions?token=right-t0ken",
            "POST /drain",
        ] {
            let host = format!("Host: {admin}\r\nConnection: close\r\n");
            let request = format!("{line} HTTP/1.1\r\n{host}{lines}\r\n");
            assert_eq!(statuses(&admin, request).await, [401], "{line} {lines}");
        }
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let lines = bearer(&format!("{scheme} right-t0ken"));
        let request = format!("GET /sessions HTTP/1.1\r\nConnection: close\r\n{lines}\r\n");
        assert_eq!(statuses(&admin, request).await, [200], "{lines}");
    }
    assert!(!drains(&admin).await);
    assert!(!program.stop().await.contains("right-t0ken"));
}

#[tokio::test]
async fn o07_a_page_in_a_browser_is_not_let_in() {
    let (program, admin) = guarded("").await;
    let port = admin.rsplit(':').next().expect("a port").to_owned();
    let own = format!("Host: {admin}\r\n");
    let host = |host: &str| format!("Host: {host}\r\n");
    let from = |origin: &str| format!("{own}Origin: {origin}\r\n");
    let site = |site: &str| format!("{own}Sec-Fetch-Site: {site}\r\n");
    for (lines, expected) in [
        (own.clone(), 200),
        (host(&format!("localhost:{port}")), 200),
        (host(&format!("LocalHost:{port}")), 200),
        (host("[::1]"), 200),
        (from(&format!("http://{admin}")), 200),
        (site("same-origin"), 200),
        (site("none"), 200),
        // Names that somebody's DNS may point here.
        (host("evil.test"), 421),
        (host(&format!("evil.test:{port}")), 421),
        (host(&format!("127.0.0.1.evil.test:{port}")), 421),
        (host("localhost.evil.test"), 421),
        (host("evil.test.localhost"), 421),
        (host("127.0.0.1 evil.test"), 421),
        (host("127.0.0.1, evil.test"), 421),
        (host("127.0.0.1@evil.test"), 421),
        (host("evil.test@127.0.0.1"), 421),
        (host(""), 421),
        (String::new(), 421),
        (own.clone() + &host("evil.test"), 421),
        (host("evil.test") + &own, 421),
        (own.repeat(2), 421),
        // Pages of other sites.
        (from("http://evil.test"), 403),
        (from(&format!("http://evil.test:{port}")), 403),
        (from(&format!("https://{admin}")), 403),
        (from(&format!("http://localhost:{port}")), 403),
        (from(&format!("http://{admin}.evil.test")), 403),
        (from(&format!("http://{admin}/")), 403),
        (from("null"), 403),
        (from("file://"), 403),
        (from(""), 403),
        (
            from(&format!("http://{admin}\r\nOrigin: http://evil.test")),
            403,
        ),
        (
            from(&format!("http://evil.test\r\nOrigin: http://{admin}")),
            403,
        ),
        (site("cross-site"), 403),
        (site("same-site"), 403),
        (site("CROSS-SITE"), 403),
        (site(""), 403),
        (site("none\r\nSec-Fetch-Site: cross-site"), 403),
        (site("cross-site\r\nSec-Fetch-Site: none"), 403),
        // A page that was rebound is of the same origin with itself.
        (
            host("evil.test") + "Origin: http://evil.test\r\nSec-Fetch-Site: same-origin\r\n",
            421,
        ),
    ] {
        for line in ["GET /sessions", "POST /drain", "DELETE /sessions/1"] {
            if expected == 200 && line != "GET /sessions" {
                continue;
            }
            let request = format!("{line} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n");
            let statuses = statuses(&admin, request).await;
            assert_eq!(statuses, [expected], "{line} {lines}");
        }
    }
    assert!(!drains(&admin).await);
    program.stop().await;
}

#[tokio::test]
async fn o07_an_absolute_target_names_this_machine_as_well() {
    let (program, admin) = guarded("").await;
    let request = |target: &str| {
        format!("POST {target} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")
    };
    for target in [
        "http://evil.test/drain",
        "http://localhost.evil.test/drain",
        "http://evil.test/reload",
    ] {
        assert_eq!(statuses(&admin, request(target)).await, [421], "{target}");
    }
    for target in [
        "//evil.test/drain",
        "/Drain",
        "/drain/",
        "/%64rain",
        "/./drain",
        "*",
    ] {
        let statuses = statuses(&admin, request(target)).await;
        assert!(matches!(statuses[..], [400 | 404]), "{target} {statuses:?}");
    }
    assert!(!drains(&admin).await);
    program.stop().await;
}

#[tokio::test]
async fn o07_no_request_is_smuggled_in() {
    let (program, admin) = guarded(TOKEN).await;
    let authorized = format!("Host: {admin}\r\nAuthorization: Bearer right-t0ken\r\n");
    let inner = format!("POST /drain HTTP/1.1\r\n{authorized}\r\n");
    let length = inner.len();
    let outer = format!("GET /healthz HTTP/1.1\r\nHost: {admin}\r\n");
    for (what, request, most) in [
        (
            "as a body",
            format!("{outer}Content-Length: {length}\r\n\r\n{inner}"),
            200,
        ),
        (
            "as a chunk",
            format!("{outer}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{inner}\r\n0\r\n\r\n"),
            200,
        ),
        (
            "behind chunks that a length contradicts",
            format!(
                "{outer}Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}",
                length + 5,
                inner.replace("right", "wrong"),
            ),
            200,
        ),
        (
            "behind one of two lengths",
            format!("{outer}Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{inner}"),
            400,
        ),
        (
            "behind a length that is a list",
            format!("{outer}Content-Length: 0, {length}\r\n\r\n{inner}"),
            400,
        ),
        (
            "behind a length with a sign",
            format!("{outer}Content-Length: +{length}\r\n\r\n{inner}"),
            400,
        ),
        (
            "behind an unknown encoding",
            format!("{outer}Transfer-Encoding: x\r\n\r\n{inner}"),
            400,
        ),
        (
            "behind an encoding after the chunks",
            format!("{outer}Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n{inner}"),
            400,
        ),
        (
            "behind a space before a colon",
            format!("{outer}Content-Length : {length}\r\n\r\n{inner}"),
            400,
        ),
        ("in a folded line", format!("{outer}X: 1\r\n {inner}"), 400),
        ("behind NUL", format!("{outer}X: \0\r\n\r\n{inner}"), 400),
    ] {
        // It ends the connection, where nothing has before.
        let last = outer.replace("Host", "Connection: close\r\nHost") + "\r\n";
        let statuses = statuses(&admin, request + &last).await;
        assert!(statuses.contains(&most), "{what}: {statuses:?}");
        assert!(!drains(&admin).await, "{what}: {statuses:?}");
    }
    // Nor may anybody speak another protocol to it.
    for line in [
        "Upgrade: websocket\r\nConnection: Upgrade",
        "Upgrade: h2c\r\nConnection: Upgrade",
    ] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {admin}\r\n{line}\r\n\r\n{inner}");
        let said = said(&admin, request + "x\r\n\r\n").await;
        assert!(!said.contains(" 101 "), "{said}");
    }
    let statuses = statuses(&admin, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(
        !statuses.contains(&101) && !statuses.contains(&200),
        "{statuses:?}"
    );
    program.stop().await;
}

#[tokio::test]
async fn o07_heads_are_bounded() {
    let (program, admin) = guarded("").await;
    let own = format!("GET /healthz HTTP/1.1\r\nHost: {admin}\r\n");
    for (what, request, status) in [
        (
            "one long line",
            format!("{own}X: {}\r\n\r\n", "x".repeat(20_000)),
            431,
        ),
        (
            "many lines",
            format!("{own}{}\r\n", "X: x\r\n".repeat(101)),
            431,
        ),
        (
            "a long name",
            format!("{own}{}: x\r\n\r\n", "x".repeat(70_000)),
            431,
        ),
        (
            "a long target",
            format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000)),
            431,
        ),
        ("a line without an end", "x".repeat(100_000), 400),
    ] {
        let statuses = statuses(&admin, request).await;
        // Its connection may be reset before the answer is read.
        let refused = matches!(statuses[..], [] | [400 | 414 | 431]);
        assert!(refused, "{what}: {statuses:?}, not {status}");
    }
    assert!(!drains(&admin).await);
    program.stop().await;
}

/// A body is not waited for: nothing here takes one.
#[tokio::test]
async fn o07_a_body_that_never_comes_holds_nothing() {
    let (program, admin) = guarded("").await;
    for framing in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
        let mut wire = Wire::connect(&admin).await;
        let head = format!("GET /healthz HTTP/1.1\r\nHost: {admin}\r\n{framing}\r\n\r\n");
        wire.send(head).await;
        assert_eq!(wire.response().await.json(), json!({"alive": true}));
        assert_eq!(wire.end().await, b"", "{framing}");
    }
    program.stop().await;
}
