//! Case H22: upstreams that answer a handshake with something that is no 101.

use rstest::rstest;

use crate::kit::{ACCEPT, Answer, CANARY, Head, Host, Stage};

/// Lines that make an answer look like a 101.
fn upgrade() -> String {
    format!("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n")
}

/// Lines that end at the gate, whatever the answer is.
const OF_THE_HOP: &str = "Connection: X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n\
                          Proxy-Authenticate: Basic\r\nProxy-Connection: keep-alive\r\n\
                          Trailer: X-Trailer\r\nSec-WebSocket-Protocol: evil\r\n\
                          Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// Lines that are for the client, if it is to hear of the answer at all.
const END_TO_END: &str = "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nWWW-Authenticate: Basic\r\n\
                          Location: http://10.0.0.1/c4nary\r\nX-Accel-Redirect: /internal\r\n\
                          Retry-After: 7\r\nContent-Type: text/html\r\n";

/// A 101 with a frame behind it, which stands where no answer may stand.
fn smuggled() -> String {
    let upgrade = upgrade();
    format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}\r\n\u{81}smuggled")
}

#[track_caller]
fn assert_none(head: &Head, names: &[&str]) {
    for name in names {
        assert_eq!(head.all(name), [""; 0], "{name} in {head:#?}");
    }
}

const NEVER_PASSED: &[&str] = &[
    "x-private",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "trailer",
    "transfer-encoding",
    "sec-websocket-accept",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
];

#[rstest]
#[tokio::test]
async fn h22_upstream_answers_without_a_101_and_is_never_tunnelled(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for status in [
        200, 201, 202, 204, 205, 206, 226, 299, 300, 304, 305, 306, 399, 600, 999,
    ] {
        for upgrade in [String::new(), upgrade()] {
            let what = format!("{status} with {upgrade:?}");
            // Nobody may read on behind it for another answer.
            let answer = format!(
                "HTTP/1.1 {status} OK\r\nContent-Length: 0\r\n{OF_THE_HOP}{END_TO_END}{upgrade}\
                 \r\n{}",
                smuggled()
            );
            let answered = stage.answered(&what, Answer::new(answer), 502, "upstream_not_101");
            let (head, body) = answered.await;
            assert_none(&head, NEVER_PASSED);
            assert_none(
                &head,
                &["location", "set-cookie", "www-authenticate", "upgrade"],
            );
            assert_none(&head, &["x-accel-redirect", "retry-after"]);
            assert_eq!(head.one("connection"), "close");
            assert_eq!(body, "the backend did not accept the WebSocket\n", "{what}");
        }
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h22_upstream_refuses_and_is_passed_on_without_what_is_not_the_clients(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for status in [
        301, 302, 303, 307, 308, 400, 401, 403, 404, 407, 418, 421, 426, 429, 431, 451, 499, 500,
        502, 503, 504, 511, 599,
    ] {
        for upgrade in [String::new(), upgrade()] {
            let what = format!("{status} with {upgrade:?}");
            let answer = format!(
                "HTTP/1.1 {status} No\r\nContent-Length: 2\r\n{OF_THE_HOP}{END_TO_END}{upgrade}\
                 \r\nno{}",
                smuggled()
            );
            let answered = stage.answered(&what, Answer::new(answer), status, "upstream_answered");
            let (head, body) = answered.await;
            assert_none(&head, NEVER_PASSED);
            head.assert(&[
                ("set-cookie", "a=1 | b=2"),
                ("www-authenticate", "Basic"),
                ("retry-after", "7"),
                ("content-type", "text/html"),
            ]);
            // What a 426 asks for is what the gate speaks, and not what the upstream does.
            let (connection, upgrade) = match status {
                426 => ("Upgrade, close", "websocket"),
                _ => ("close", ""),
            };
            head.assert(&[("connection", connection), ("upgrade", upgrade)]);
            assert_eq!(body, "no", "{what}");
        }
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h22_a_status_that_http_does_not_have(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for status in [
        "000", "099", "1", "10", "1010", "2OO", "1O1", "-200", "+101", "0x65", "",
    ] {
        let upgrade = upgrade();
        let answer = format!("HTTP/1.1 {status} OK\r\nContent-Length: 0\r\n{upgrade}\r\n");
        let answered = stage.answered(status, Answer::new(answer), 502, "upstream_bad_response");
        assert_none(&answered.await.0, &["upgrade"]);
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h22_an_answer_without_a_body_has_one(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for (status, framing) in [
        (204, "Content-Length: 6\r\n"),
        (204, "Transfer-Encoding: chunked\r\n"),
        (204, ""),
        (304, "Content-Length: 6\r\n"),
        (304, "Transfer-Encoding: chunked\r\n"),
        (304, ""),
        (205, "Content-Length: 6\r\n"),
    ] {
        let what = format!("{status} {framing}");
        let body = "1\r\nx\r\n0\r\n\r\nc4nary";
        let answer = format!("HTTP/1.1 {status} OK\r\n{framing}\r\n{body}");
        let answered = stage.answered(&what, Answer::new(answer), 502, "upstream_not_101");
        assert!(!answered.await.1.contains(CANARY), "{what}");
    }
    stage.stands().await;
}

/// The longest body of a refusal that a client is given.
const MOST: usize = 64 * 1024;

#[rstest]
#[tokio::test]
async fn h22_the_body_of_a_refusal_ends_in_every_way(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let head = |lines: &str| format!("HTTP/1.1 403 Forbidden\r\n{lines}\r\n");
    let length = |length: usize| head(&format!("Content-Length: {length}\r\n"));
    let chunked = head("Transfer-Encoding: chunked\r\nTrailer: Set-Cookie\r\n");
    let long = |length: usize| "x".repeat(length);
    for (what, answer, expected) in [
        (
            "by its length",
            Answer::new(length(4) + "gone"),
            "gone".to_owned(),
        ),
        (
            "by its length, twice the same",
            Answer::new(head("Content-Length: 4\r\nContent-Length: 4\r\n") + "gone"),
            "gone".to_owned(),
        ),
        ("empty", Answer::new(length(0)), String::new()),
        (
            "in chunks, with trailers",
            Answer::new(
                chunked.clone() + "4;x=\"y\"\r\ngone\r\n0\r\nSet-Cookie: c4nary\r\n\r\nsurplus",
            ),
            "gone".to_owned(),
        ),
        (
            "up to the end",
            Answer::new(head("") + "gone").and_ends(),
            "gone".to_owned(),
        ),
        (
            "one byte less than is passed on",
            Answer::new(length(MOST - 1) + &long(MOST - 1)),
            long(MOST - 1),
        ),
        (
            "as long as is passed on",
            Answer::new(length(MOST) + &long(MOST)),
            long(MOST),
        ),
    ] {
        let (head, body) = stage.answered(what, answer, 403, "upstream_answered").await;
        assert!(body == expected, "{what}: {} bytes", body.len());
        assert_none(&head, &["set-cookie", "trailer", "transfer-encoding"]);
    }
    stage.stands().await;
}

/// What describes the upstream's body, and would make a part of it look like the whole.
const DESCRIBED: &str = "ETag: \"1\"\r\nLast-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
                         Content-Encoding: gzip\r\nContent-Type: text/html\r\n\
                         Content-MD5: x\r\nContent-Digest: x\r\nRepr-Digest: x\r\n\
                         Digest: x\r\nAccept-Ranges: bytes\r\nContent-Range: bytes 0-1/2\r\n\
                         Content-Language: en\r\nCache-Control: max-age=60\r\n";

#[rstest]
#[tokio::test]
async fn h22_a_refusal_that_is_too_long_is_passed_on_with_a_body_of_the_gates(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let head =
        |lines: &str| format!("HTTP/1.1 403 Forbidden\r\n{DESCRIBED}Retry-After: 7\r\n{lines}\r\n");
    let length = |length: usize| head(&format!("Content-Length: {length}\r\n"));
    let chunked = head("Transfer-Encoding: chunked\r\nTrailer: Digest\r\n");
    let long = |length: usize| "x".repeat(length);
    let chunk = format!("1000\r\n{}\r\n", long(0x1000));
    for (what, answer) in [
        (
            "one byte longer",
            Answer::new(length(MOST + 1) + &long(MOST + 1)),
        ),
        (
            "by a length of exabytes",
            Answer::new(length(1 << 60)).and_repeats(long(8192)),
        ),
        (
            "endless, up to an end that never comes",
            Answer::new(head("")).and_repeats(long(8192)),
        ),
        (
            "in chunks, to its end",
            Answer::new(chunked.clone() + &chunk.repeat(17) + "0\r\nDigest: x\r\n\r\n"),
        ),
        (
            "endless, in chunks",
            Answer::new(chunked).and_repeats(chunk),
        ),
    ] {
        let (head, body) = stage.answered(what, answer, 403, "upstream_answered").await;
        assert_eq!(body, "the backend refused the WebSocket\n", "{what}");
        head.assert(&[
            ("retry-after", "7"),
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", "34"),
            ("cache-control", "no-store"),
        ]);
        assert_none(
            &head,
            &[
                "etag",
                "last-modified",
                "content-encoding",
                "content-md5",
                "content-digest",
                "content-range",
                "content-language",
                "repr-digest",
                "digest",
                "accept-ranges",
                "trailer",
            ],
        );
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h22_the_body_of_a_refusal_is_broken(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let head = |lines: &str| format!("HTTP/1.1 403 Forbidden\r\n{lines}\r\n");
    let chunked = head("Transfer-Encoding: chunked\r\n");
    for (what, answer, reason) in [
        (
            "shorter than it says",
            Answer::new(head("Content-Length: 100\r\n") + "c4nary").and_ends(),
            "upstream_reset",
        ),
        (
            "cut inside a chunk",
            Answer::new(chunked.clone() + "64\r\nc4nary").and_ends(),
            "upstream_reset",
        ),
        (
            "cut before its last chunk",
            Answer::new(chunked.clone() + "6\r\nc4nary\r\n").and_ends(),
            "upstream_reset",
        ),
        (
            "a chunk's size is no number",
            Answer::new(chunked.clone() + "zz\r\nc4nary\r\n"),
            "upstream_bad_response",
        ),
        (
            "a chunk's size has no end",
            Answer::new(chunked.clone() + "fffffffffffffffff\r\nc4nary\r\n"),
            "upstream_bad_response",
        ),
        (
            "a chunk's extension has no end",
            Answer::new(chunked.clone() + "6;").and_repeats("x".repeat(8192)),
            "upstream_bad_response",
        ),
        (
            "trailers have no end",
            Answer::new(chunked.clone() + "0\r\n").and_repeats("X: c4nary\r\n".repeat(100)),
            "upstream_bad_response",
        ),
        (
            "two lengths",
            Answer::new(head("Content-Length: 6\r\nContent-Length: 7\r\n") + "c4nary!"),
            "upstream_bad_response",
        ),
        (
            "two lengths in a line",
            Answer::new(head("Content-Length: 6, 7\r\n") + "c4nary!"),
            "upstream_bad_response",
        ),
        (
            "a length below nothing",
            Answer::new(head("Content-Length: -6\r\n") + "c4nary"),
            "upstream_bad_response",
        ),
        (
            "a length that no number holds",
            Answer::new(head("Content-Length: 99999999999999999999\r\n") + "c4nary"),
            "upstream_bad_response",
        ),
    ] {
        let (head, body) = stage.answered(what, answer, 502, reason).await;
        assert!(!body.contains(CANARY), "{what}: {body}");
        assert_eq!(head.one("connection"), "close");
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h22_the_body_of_a_refusal_does_not_come(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let pool = |url: &str| format!("servers = [\"{url}\"]\nhandshake_timeout = \"200ms\"");
    let upstream = crate::kit::Upstream::start().await;
    let pool = pool(upstream.url());
    let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
    for (what, head) in [
        ("by its length", "Content-Length: 100\r\n\r\nc4nary"),
        (
            "in chunks",
            "Transfer-Encoding: chunked\r\n\r\n6\r\nc4nary\r\n",
        ),
        ("up to an end", "\r\nc4nary"),
    ] {
        let answer = Answer::new(format!("HTTP/1.1 403 Forbidden\r\n{head}"));
        let (_, body) = stage.answered(what, answer, 504, "upstream_timeout").await;
        assert_eq!(body, "the backend did not answer in time\n", "{what}");
    }
    stage.stands().await;
}
