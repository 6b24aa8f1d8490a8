//! `wsgate probe`.

use serde_json::Value;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::super::kit::{Echo, Finished, Head, Program, Upstream, Wire, finish, settings};

const PONG: &[u8] = b"\x8a\x0cwsgate probe";
const CLOSE: &[u8] = b"\x88\x02\x03\xe8";

async fn probe(url: &str, more: &[&str]) -> Finished {
    finish(&[&["probe", url], more].concat()).await
}

/// What `--json` prints.
fn report(finished: &Finished) -> Value {
    assert_eq!(finished.stdout.lines().count(), 1, "{finished:?}");
    serde_json::from_str(&finished.stdout).unwrap()
}

/// Answers a request with 101 and these lines.
async fn opened(server: &Upstream, lines: &str) -> (Wire, Head) {
    let (mut wire, head) = server.request().await;
    let accept = derive_accept_key(head.one("sec-websocket-key").as_bytes());
    wire.send(format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{lines}\r\n"
    ))
    .await;
    (wire, head)
}

/// What a probe comes to where its request is answered like this, whatever it is.
async fn answered(answer: &[u8], more: &[&str]) -> Finished {
    let server = Upstream::start().await;
    let url = server.url();
    let answers = async {
        let (mut wire, _) = server.request().await;
        wire.send(answer).await;
    };
    tokio::join!(probe(url, more), answers).0
}

/// What a probe comes to where its session begins like this, and goes on with nothing.
async fn begun(bytes: &[u8], more: &[&str]) -> Finished {
    let server = Upstream::start().await;
    let url = server.url();
    let answers = async {
        let (mut wire, _) = opened(&server, "").await;
        wire.send(bytes).await;
        wire
    };
    tokio::join!(probe(url, more), answers).0
}

#[tokio::test]
async fn a_session_through_the_gate_is_tried_and_closed() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), "")).await;
    let url = format!("ws://{}/ws/?token=c4nary", program.address);
    let fine = probe(&url, &["--echo", "hör zu"]).await;
    assert_eq!((fine.code, &*fine.stderr), (Some(0), ""));
    let lines: Vec<_> = fine.stdout.lines().map(super::words).collect();
    let names: Vec<_> = lines.iter().map(|words| words[0]).collect();
    let expected = [
        "url",
        "connect",
        "handshake",
        "subprotocol",
        "extensions",
        "ping",
        "echo",
        "close",
    ];
    assert_eq!(names, expected);
    assert_eq!(lines[0][1], format!("ws://{}/ws/", program.address));
    assert_eq!(lines[2][1], "101,");
    assert_eq!(lines[7][1], "1000");
    let url = format!("http://{}/ws/", program.address);
    let fine = probe(&url, &["--json"]).await;
    assert_eq!(fine.code, Some(0), "{fine:?}");
    let report = report(&fine);
    for (key, expected) in [
        ("outcome", "ok".into()),
        ("error", Value::Null),
        ("status", 101.into()),
        ("echo_ms", Value::Null),
        ("close_code", 1000.into()),
    ] {
        assert_eq!(report[key], expected, "{key}");
    }
    for key in ["connect_ms", "handshake_ms", "ping_ms"] {
        assert!(report[key].as_f64().is_some(), "{key}: {report}");
    }
}

#[tokio::test]
async fn it_sends_what_it_is_given_and_shows_what_was_chosen() {
    let server = Upstream::start().await;
    let url = format!("{}/chat?room=7", server.url());
    let arguments = [
        "--subprotocol",
        "v2.chat",
        "--subprotocol",
        "v1.chat",
        "--extension",
        "permessage-deflate; client_max_window_bits",
        "--origin",
        "https://a.test",
        "--header",
        "Authorization: Bearer c4nary",
        "-H",
        "host: chat.test",
    ];
    let served = async {
        let chosen = "Sec-WebSocket-Protocol: v1.chat\r\n\
                      Sec-WebSocket-Extensions: permessage-deflate\r\n";
        let (mut wire, head) = opened(&server, chosen).await;
        // What else it says comes first.
        wire.send(b"\x81\x02hi").await;
        wire.send(PONG).await;
        wire.send(CLOSE).await;
        (wire, head)
    };
    let (fine, (_wire, head)) = tokio::join!(probe(&url, &arguments), served);
    assert_eq!(fine.code, Some(0), "{fine:?}");
    assert!(!format!("{fine:?}").contains("c4nary"), "{fine:?}");
    assert!(fine.stdout.contains("subprotocol  v1.chat\n"), "{fine:?}");
    assert!(fine.stdout.contains("extensions   permessage-deflate\n"));
    assert_eq!(head.line, "GET /chat?room=7 HTTP/1.1");
    for (name, expected) in [
        ("host", "chat.test"),
        ("origin", "https://a.test"),
        ("authorization", "Bearer c4nary"),
        ("sec-websocket-protocol", "v2.chat, v1.chat"),
        ("sec-websocket-version", "13"),
        (
            "sec-websocket-extensions",
            "permessage-deflate; client_max_window_bits",
        ),
    ] {
        assert_eq!(head.one(name), expected);
    }
}

#[tokio::test]
async fn a_refusal_is_shown_with_its_status_its_reason_and_when_to_come_back() {
    let program = Program::serving(&["demo", "--listen", "127.0.0.1:0"]).await;
    let url = format!("ws://{}/echo", program.address);
    let refused = probe(&url, &["--origin", "https://evil.test"]).await;
    assert_eq!(refused.code, Some(4), "{refused:?}");
    let error = "error: the handshake was refused: 403 Forbidden: this origin is not allowed\n";
    assert_eq!(refused.stderr, error);
    assert!(refused.stdout.contains("connect"), "{refused:?}");
    assert!(!refused.stdout.contains("handshake"), "{refused:?}");
    let full = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n\
                 Content-Length: 13\r\n\r\nfull\x1b[2J, hey\n";
    let later = answered(full, &["--json"]).await;
    assert_eq!(later.code, Some(4), "{later:?}");
    assert!(later.stderr.contains("full\\u{1b}[2J, hey\n"), "{later:?}");
    assert!(
        later
            .stderr
            .contains("help: try again later (Retry-After: 7)\n")
    );
    let report = report(&later);
    assert_eq!(report["outcome"], "refused");
    assert_eq!(report["status"], 503);
    assert_eq!(report["retry_after"], "7");
    assert_eq!(report["body"], "full\u{1b}[2J, hey");
    // A body that ends too early.
    let cut = b"HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nnothing";
    let cut = answered(cut, &[]).await;
    assert_eq!(cut.code, Some(4), "{cut:?}");
    assert!(cut.stderr.contains("404 Not Found: nothing\n"), "{cut:?}");
}

#[tokio::test]
async fn a_session_that_the_server_closes_first_is_a_refusal() {
    for (bytes, code, said) in [
        (
            &b"\x88\x08\x03\xf0go now"[..],
            Some(1008),
            "closed early: 1008: go now\n",
        ),
        (b"\x88\x00", None, "closed early: without a code\n"),
    ] {
        let closed = begun(bytes, &["--json"]).await;
        assert_eq!(closed.code, Some(4), "{closed:?}");
        assert!(closed.stderr.ends_with(said), "{closed:?}");
        let report = report(&closed);
        assert_eq!(report["status"], 101);
        assert_eq!(report["close_code"].as_u64(), code);
    }
}

#[tokio::test]
async fn where_nothing_listens_it_cannot_be_reached() {
    let dead = Upstream::dead();
    let unreachable = probe(dead.url(), &["--json"]).await;
    assert_eq!(unreachable.code, Some(2), "{unreachable:?}");
    let said = "cannot be reached: Connection refused";
    assert!(unreachable.stderr.contains(said), "{unreachable:?}");
    let report = report(&unreachable);
    assert_eq!(report["outcome"], "unreachable");
    assert!(report["error"].as_str().unwrap().contains(said), "{report}");
}

#[tokio::test]
async fn a_server_that_breaks_the_protocol_is_distinguished_from_one_that_refuses() {
    for (answer, said) in [
        (&b"SSH-2.0-OpenSSH_9.9\r\n\r\n"[..], "it is not HTTP/1.1"),
        (b"", "ended before the handshake was answered"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
            "its Sec-WebSocket-Accept is wrong",
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
            "it upgrades to something else",
        ),
    ] {
        let wrong = answered(answer, &["--json"]).await;
        assert_eq!(wrong.code, Some(5), "{wrong:?}");
        assert!(wrong.stderr.contains(said), "{wrong:?}");
        assert_eq!(report(&wrong)["outcome"], "protocol_error");
    }
    for (chosen, said) in [
        (
            "Sec-WebSocket-Protocol: other\r\n",
            "its subprotocol was not offered",
        ),
        (
            "Sec-WebSocket-Extensions: x\r\n",
            "its extension was not offered",
        ),
    ] {
        let server = Upstream::start().await;
        let url = server.url();
        let wrong = probe(url, &["--subprotocol", "chat", "--extension", "y"]);
        let (wrong, _server) = tokio::join!(wrong, opened(&server, chosen));
        assert_eq!(wrong.code, Some(5), "{wrong:?}");
        assert!(wrong.stderr.contains(said), "{wrong:?}");
    }
    for (bytes, said) in [
        // Bits that no extension has a meaning for, and a masked frame.
        (&b"\xc1\x01a"[..], "the server broke the protocol"),
        (b"\x81\x81\0\0\0\0a", "the server broke the protocol"),
    ] {
        let wrong = begun(bytes, &[]).await;
        assert_eq!(wrong.code, Some(5), "{wrong:?}");
        assert!(wrong.stderr.contains(said), "{wrong:?}");
    }
    let server = Upstream::start().await;
    let url = server.url();
    let hangs_up = async {
        let (mut wire, _) = opened(&server, "").await;
        wire.send(PONG).await;
        // The close frame.
        wire.take(18 + 8).await;
    };
    let (lost, ()) = tokio::join!(probe(url, &[]), hangs_up);
    assert_eq!(lost.code, Some(5), "{lost:?}");
    let said = "error: the session ended without a close frame";
    assert!(lost.stderr.starts_with(said), "{lost:?}");
    assert!(lost.stdout.contains("ping"), "{lost:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let server = Upstream::start().await;
    let url = server.url();
    let silent = probe(url, &["--timeout", "1s", "--json"]);
    let (silent, _wire) = tokio::join!(silent, server.request());
    assert_eq!(silent.code, Some(6), "{silent:?}");
    let said = "while waiting for the answer to the handshake\nhelp: increase --timeout";
    assert!(silent.stderr.contains(said), "{silent:?}");
    assert_eq!(report(&silent)["outcome"], "timeout");
}

#[tokio::test]
async fn a_wrong_command_line_shows_no_secret() {
    for (arguments, said) in [
        (&["ws://me:c4nary@a.test/"][..], "it holds credentials"),
        (&["a.test/?c4nary"], "write ws://host:port/path"),
        (
            &["ws://a.test", "-H", "c4nary"],
            "header number 1 cannot be sent: write",
        ),
        (
            &["ws://a.test", "-H", "X: y", "-H", "X: c4nary\nY: z"],
            "header number 2",
        ),
        (
            &["ws://a.test", "-H", "Upgrade: c4nary"],
            "the handshake has its own",
        ),
        (
            &["ws://a.test", "--subprotocol", "c4nary\n"],
            "--subprotocol cannot be sent",
        ),
        (
            &["ws://a.test", "--timeout", "0s"],
            "a timeout is a whole number",
        ),
        (
            &["wss://a.test", "--ca", "/nowhere/ca.pem"],
            "/nowhere/ca.pem holds no",
        ),
        (
            &["ws://a.test", "--extension", "x", "--echo", "y"],
            "cannot be used with",
        ),
    ] {
        let wrong = finish(&[&["probe"], arguments].concat()).await;
        assert_eq!((wrong.code, &*wrong.stdout), (Some(1), ""), "{wrong:?}");
        assert!(wrong.stderr.contains(said), "{wrong:?}");
        assert!(!wrong.stderr.contains("c4nary"), "{wrong:?}");
    }
}
