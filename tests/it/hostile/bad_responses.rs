//! Case H27: upstreams that answer a handshake with no HTTP, with too much of it or too late.

use rstest::rstest;

use crate::kit::{ACCEPT, Answer, CANARY, Host, Stage, Upstream};

/// The lines of a right 101, behind its first.
fn lines() -> String {
    format!("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n")
}

const FIRST: &str = "HTTP/1.1 101 Switching Protocols\r\n";

/// So many header lines.
fn headers(count: usize) -> String {
    (0..count)
        .map(|index| format!("X-{index}: c4nary\r\n"))
        .collect()
}

#[rstest]
#[tokio::test]
async fn h27_upstream_sends_interim_answers_without_end(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for (what, interim) in [
        ("100", "HTTP/1.1 100 Continue\r\n\r\n".to_owned()),
        ("102", "HTTP/1.1 102 Processing\r\n\r\n".to_owned()),
        (
            "103",
            "HTTP/1.1 103 Early Hints\r\nLink: </c4nary>\r\n\r\n".to_owned(),
        ),
        (
            "103 with headers",
            format!("HTTP/1.1 103 Early Hints\r\n{}\r\n", headers(50)),
        ),
        ("199", "HTTP/1.1 199 c4nary\r\n\r\n".to_owned()),
    ] {
        let answer = Answer::new("").and_repeats(interim.repeat(20));
        let answered = stage.answered(what, answer, 502, "upstream_bad_response");
        let (head, body) = answered.await;
        head.assert(&[("link", ""), ("connection", "close")]);
        assert!(!body.contains(CANARY), "{what}: {body}");
    }
    // They count, however many answers could stand behind them.
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(4000);
    let answer = Answer::new(format!("{interim}{FIRST}{}\r\n", lines()));
    let answered = stage.answered("then a 101", answer, 502, "upstream_bad_response");
    answered.await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h27_upstream_sends_no_http(#[values(Host::Program, Host::HyperService)] host: Host) {
    let mut stage = Stage::on(host, "").await;
    let lines = lines();
    let http2_settings = b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0";
    let garbage: Vec<u8> = (0..600)
        .map(|index: u32| (index * 197 % 251) as u8)
        .collect();
    let spelled = |first: &str| format!("{first}\r\n{lines}\r\n").into_bytes();
    for (what, bytes) in [
        ("HTTP/1.0", spelled("HTTP/1.0 101 Switching Protocols")),
        ("HTTP/0.9", b"<html>c4nary</html>\r\n\r\n".to_vec()),
        ("HTTP/1.2", spelled("HTTP/1.2 101 Switching Protocols")),
        ("HTTP/2.0", spelled("HTTP/2.0 101 Switching Protocols")),
        ("HTTP/11", spelled("HTTP/11 101 Switching Protocols")),
        ("lower case", spelled("http/1.1 101 Switching Protocols")),
        ("no version", spelled("101 Switching Protocols")),
        ("no space", spelled("HTTP/1.1101")),
        ("two spaces", spelled("HTTP/1.1  101 Switching Protocols")),
        ("a tab", spelled("HTTP/1.1\t101 Switching Protocols")),
        (
            "a space before",
            spelled(" HTTP/1.1 101 Switching Protocols"),
        ),
        ("a control character", spelled("HTTP/1.1 101 \x07")),
        ("NUL in the first line", spelled("HTTP/1.1 101 \0")),
        (
            "the HTTP/2 preface",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        ),
        ("HTTP/2 settings", http2_settings.to_vec()),
        ("a TLS alert", b"\x15\x03\x01\0\x02\x02\x28".repeat(8)),
        (
            "a TLS handshake",
            b"\x16\x03\x03\0\x7a\x02\0\0\x76\x03\x03".repeat(8),
        ),
        (
            "a WebSocket frame",
            b"\x81\x06c4nary\x88\x02\x03\xe8".to_vec(),
        ),
        (
            "another protocol's greeting",
            b"SSH-2.0-c4nary\r\n".to_vec(),
        ),
        (
            "our own request",
            b"GET /ws/room HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        ),
        ("garbage", garbage),
        ("zeros", vec![0; 20_000]),
    ] {
        let answer = Answer::new(bytes);
        let answered = stage.answered(what, answer, 502, "upstream_bad_response");
        let (head, body) = answered.await;
        head.assert(&[("upgrade", ""), ("connection", "close")]);
        assert_eq!(body, "the backend answered wrongly\n", "{what}");
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h27_upstream_sends_headers_that_are_none(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let lines = lines();
    for (what, line) in [
        ("no colon", "c4nary\r\n"),
        ("no name", ": c4nary\r\n"),
        ("a space before the colon", "X-Canary : c4nary\r\n"),
        ("a tab before the colon", "X-Canary\t: c4nary\r\n"),
        ("a space in the name", "X Canary: c4nary\r\n"),
        ("NUL in a name", "X\0Canary: c4nary\r\n"),
        ("a control character for a name", "\x01: c4nary\r\n"),
        ("NUL in a value", "X-Canary: c4\0nary\r\n"),
        ("a control character in a value", "X-Canary: c4\x07nary\r\n"),
        ("DEL in a value", "X-Canary: c4\x7fnary\r\n"),
        ("CR in a value", "X-Canary: c4\rnary\r\n"),
        ("CR CR LF", "X-Canary: c4nary\r\r\n"),
        ("a folded line", "X-Canary: c4\r\n nary\r\n"),
        ("a folded first line", " X-Canary: c4nary\r\n"),
        (
            "a letter beyond ASCII in a name",
            "X-C\u{e4}nary: c4nary\r\n",
        ),
        ("a separator in a name", "X(Canary): c4nary\r\n"),
    ] {
        for (place, answer) in [
            ("before", format!("{FIRST}{line}{lines}\r\n")),
            ("behind", format!("{FIRST}{lines}{line}\r\n")),
        ] {
            let what = format!("{what}, {place} the others");
            let answer = Answer::new(answer);
            let answered = stage.answered(&what, answer, 502, "upstream_bad_response");
            answered
                .await
                .0
                .assert(&[("x-canary", ""), ("upgrade", "")]);
        }
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h27_upstream_sends_headers_without_end(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    for (what, first, again) in [
        ("lines", FIRST, "X-Line: c4nary\r\n"),
        ("one line", "HTTP/1.1 101 x\r\nX-Line: ", "c4nary"),
        ("one name", FIRST, "c4nary"),
        ("the first line", "HTTP/1.1 101 ", "c4nary"),
        ("empty lines", "", "\r\n"),
        ("empty lines of one byte", "", "\n"),
        ("a number", "HTTP/1.1 1", "0"),
    ] {
        let answer = Answer::new(first).and_repeats(again.repeat(1000));
        let answered = stage.answered(what, answer, 502, "upstream_bad_response");
        answered.await;
    }
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h27_a_head_has_so_many_lines_and_so_many_bytes(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let lines = lines();
    let long = |length: usize| format!("X-Long: {}\r\n", "x".repeat(length));
    for (what, more) in [
        ("101 lines", headers(98)),
        ("twice as many", headers(200)),
        ("16 KiB in one line", long(16 * 1024)),
        ("16 KiB in all", long(400).repeat(40)),
    ] {
        let answer = Answer::new(format!("{FIRST}{lines}{more}\r\n"));
        let answered = stage.answered(what, answer, 502, "upstream_bad_response");
        answered.await;
    }
    for (what, more) in [
        ("100 lines", headers(97)),
        ("15 KiB in one line", long(15 * 1024)),
        ("15 KiB in all", long(300).repeat(48)),
    ] {
        let answer = Answer::new(format!("{FIRST}{lines}{more}\r\n"));
        let (client, server, _) = stage.switched(&Stage::handshake(), what, answer).await;
        stage.talks(client, server).await;
    }
    stage.stands().await;
}

/// A line may end with a bare LF (RFC 9112 §2.2). What the client gets is written anew.
#[rstest]
#[tokio::test]
async fn h27_lines_end_with_a_bare_lf(#[values(Host::Program, Host::HyperService)] host: Host) {
    let mut stage = Stage::on(host, "").await;
    let bare = format!("{FIRST}{}\r\n", lines()).replace("\r\n", "\n");
    let answer = Answer::new(bare);
    let (client, server, head) = stage.switched(&Stage::handshake(), "LF", answer).await;
    head.assert(&[("upgrade", "websocket"), ("connection", "Upgrade")]);
    stage.talks(client, server).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn h27_upstream_answers_too_late(#[values(Host::Program, Host::HyperService)] host: Host) {
    let upstream = Upstream::start().await;
    let url = upstream.url().to_owned();
    let pool = format!("servers = [\"{url}\"]\nhandshake_timeout = \"300ms\"");
    let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
    let right = format!("{FIRST}{}\r\n", lines());
    for (what, answer) in [
        ("nothing at all", ""),
        ("one byte", "H"),
        ("half a head", &right[..right.len() / 2]),
        ("all but the last byte", &right[..right.len() - 1]),
        ("an interim answer", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("an empty line", "\r\n"),
    ] {
        let answered = stage.answered(what, Answer::new(answer), 504, "upstream_timeout");
        let (head, body) = answered.await;
        head.assert(&[("upgrade", ""), ("connection", "close")]);
        assert_eq!(body, "the backend did not answer in time\n", "{what}");
    }
    stage.stands().await;
}

/// The deadline is that of the whole answer, and not of its next byte.
#[rstest]
#[tokio::test]
async fn h27_upstream_drips_its_answer(#[values(Host::Program, Host::HyperService)] host: Host) {
    let upstream = Upstream::start().await;
    let url = upstream.url().to_owned();
    let pool = format!("servers = [\"{url}\"]\nhandshake_timeout = \"300ms\"");
    let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
    for (what, dripped) in [
        ("a header", "x"),
        ("lines", "X: c4nary\r\n"),
        ("interim answers", "\r\nHTTP/1.1 100 Continue\r\n"),
    ] {
        let mut client = stage.client().await;
        client.send(Stage::handshake().text()).await;
        let (mut server, _) = stage.upstream.request().await;
        let first = match dripped.starts_with('\r') {
            true => "HTTP/1.1 100 Continue\r\n",
            false => FIRST,
        };
        server.send(first).await;
        let dripping = async {
            let mut bytes = dripped.bytes().cycle();
            // A byte now and then; a pause is what this is about.
            let mut pause = tokio::time::interval(std::time::Duration::from_millis(5));
            while server.try_send(&[bytes.next().expect("a byte")]).await {
                pause.tick().await;
            }
        };
        let (response, ()) = tokio::join!(client.response(), dripping);
        assert_eq!(response.head.status(), 504, "{what}: {response:#?}");
        client.expect_end().await;
        stage.refuses("upstream_timeout");
    }
    stage.stands().await;
}
