//! What must not come out anywhere: secrets are sent in every place that holds some, at the level
//! that says most, and then looked for in everything that was written.

use crate::kit::{Echo, Program, Socket, Upstream, Wire, finish_with, settings, websocket};

const CANARY: &str = "c4nary";
const TOKEN: [(&str, &str); 1] = [("WSGATE_TEST_TOKEN", "c4nary-token")];

fn loud(server: &str, format: &str) -> String {
    let more = "http = \"forward\"\nlimits.message_size = \"1KiB\"\n\
                [admin]\naddress = \"127.0.0.1:0\"\ntoken = \"${WSGATE_TEST_TOKEN}\"";
    settings(server, more).replace(
        "format = \"json\"",
        &format!("format = \"{format}\"\nlevel = \"trace\""),
    )
}

/// Lines of a request, each of which holds a secret.
fn secrets() -> String {
    format!(
        "Cookie: session={CANARY}-cookie\r\nAuthorization: Bearer {CANARY}-bearer\r\n\
         Sec-WebSocket-Protocol: {CANARY}-protocol\r\nX-Api-Key: {CANARY}-key\r\n\
         Referer: http://gate.test/?{CANARY}-referer\r\n"
    )
}

#[tokio::test]
async fn no_secret_of_a_session_is_in_any_output() {
    let echo = Echo::start().await;
    for format in ["text", "json"] {
        let program = Program::run_with(&loud(echo.url(), format), &TOKEN).await;
        let host = program.address.clone();
        // A session, with secrets in every place; then one that is closed for what it says.
        for payload in [64, 2048] {
            let mut socket = Socket::open(&host, "/ws/room?token=c4nary-query").await;
            socket.echoes("c4nary-payload").await;
            socket.try_send(CANARY.repeat(payload / CANARY.len())).await;
            socket.next().await;
            socket.close().await;
        }
        // Handshakes that are refused: by the route, by the origin, for their form.
        let origin = "Origin: http://c4nary-origin.test\r\n";
        for (target, host, lines) in [
            ("/nowhere?c4nary-query", &*host, ""),
            ("/ws/?c4nary-query", &*host, origin),
            ("/ws/../x?c4nary-query", &*host, ""),
            ("/ws/?c4nary-query", "c4nary host", ""),
            ("/ws/?c4nary-query", &*host, "Transfer-Encoding: c4nary\r\n"),
            ("/ws/?c4nary-query", &*host, "X_Forwarded_For: c4nary\r\n"),
        ] {
            let mut wire = Wire::connect(&program.address).await;
            let lines = secrets() + lines;
            wire.send(websocket(target, host, &lines)).await;
            let response = wire.response().await;
            assert!(response.status() >= 400, "{target} {lines}");
            assert!(!response.text().contains(CANARY), "{response:?}");
        }
        // What is no HTTP.
        let mut wire = Wire::connect(&program.address).await;
        wire.send("c4nary c4nary\r\n\r\n").await;
        wire.end().await;
        // The admin interface: its token, right and wrong.
        let admin = program.admin().await;
        for token in ["c4nary-token", "c4nary-wrong"] {
            let mut wire = Wire::connect(&admin).await;
            let request = format!(
                "GET /sessions?c4nary HTTP/1.1\r\nHost: {admin}\r\n\
                 Authorization: Bearer {token}\r\n\r\n"
            );
            wire.send(request).await;
            assert!(!wire.response().await.text().contains(CANARY));
        }
        let log = program.stop().await;
        assert!(log.contains("session closed"), "{log}");
        assert!(log.contains("rejected"), "{log}");
        assert!(!log.contains(CANARY), "{log}");
    }
}

#[tokio::test]
async fn no_secret_of_a_server_that_fails_is_in_any_output() {
    let upstream = Upstream::start().await;
    let program = Program::run_with(&loud(upstream.url(), "text"), &TOKEN).await;
    for (upgrade, answer) in [
        (true, "c4nary this is no HTTP\r\n\r\n"),
        (
            true,
            "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: c4nary\r\n\r\n",
        ),
        (
            true,
            "HTTP/1.1 300 x\r\nLocation: /c4nary\r\nContent-Length: 0\r\n\r\n",
        ),
        (false, "c4nary this is no HTTP\r\n\r\n"),
        (false, "HTTP/1.1 200 OK\r\nc4nary c4nary: x\r\n\r\n"),
    ] {
        let mut wire = Wire::connect(&program.address).await;
        let (target, host) = ("/ws/?c4nary-query", &program.address);
        let request = match upgrade {
            true => websocket(target, host, &secrets()),
            false => format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{}\r\n", secrets()),
        };
        wire.send(request).await;
        let (mut server, _) = upstream.request().await;
        server.send(answer).await;
        let response = wire.response().await;
        assert_eq!(response.status(), 502, "{answer}");
        assert!(!response.text().contains(CANARY), "{response:?}");
        assert!(response.head.all("location").is_empty());
    }
    let log = program.stop().await;
    for message in ["handshake rejected", "request rejected"] {
        assert!(log.contains(message), "{log}");
    }
    assert!(!log.contains(CANARY), "{log}");
}

#[tokio::test]
async fn no_secret_of_the_settings_is_in_any_output() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wsgate.toml");
    for (text, code) in [
        (loud("ws://127.0.0.1:1", "text"), 0),
        (loud("ws://127.0.0.1:1", "text") + "nonsense = 1\n", 1),
        (loud("ws://127.0.0.1:1", "text") + "nonsense\n", 1),
        (
            settings(
                "ws://127.0.0.1:1",
                "[admin]\ntoken = \"c4nary\"\naddress = 7",
            ),
            1,
        ),
        (
            settings("ws://127.0.0.1:1", "[admin]\ntoken = [\"c4nary\"]"),
            1,
        ),
    ] {
        std::fs::write(&file, &text).unwrap();
        let check = finish_with(&["check", file.to_str().unwrap()], &TOKEN).await;
        assert_eq!(check.code, Some(code), "{check:?}");
        let said = check.stdout + &check.stderr;
        assert!(!said.contains(CANARY), "{said}");
    }
}
