//! Case O06: secrets, and everything that the program says or writes.

use crate::kit::{
    Answer, CANARY, Echo, Frame, Program, Request, Response, Upstream, Wire, finish_with, settings,
    switching,
};

const TOKEN: (&str, &str) = ("WSGATE_TEST_TOKEN", "c4nary-token");

/// A gate that says all that it can say, with a secret in each setting that may hold one.
async fn loud(servers: &[&str], format: &str) -> Program {
    let servers: Vec<_> = servers
        .iter()
        .map(|url| format!("{url}/c4nary-base"))
        .collect();
    let servers = servers.join("\", \"");
    let more = "http.response_timeout = \"300ms\"\nvalidate_utf8 = true\nlimits.message_size = \"1KiB\"\n\
                headers.set = { x-secret = \"${WSGATE_TEST_TOKEN}\" }\n\
                [admin]\naddress = \"127.0.0.1:0\"\ntoken = \"${WSGATE_TEST_TOKEN}\"";
    let log = format!("format = \"{format}\"\nlevel = \"trace\"");
    let text = settings(&servers, more).replace("format = \"json\"", &log);
    let text = text.replace("[[route]]", "handshake_timeout = \"300ms\"\n[[route]]");
    Program::run_with(&text, &[TOKEN]).await
}

/// A handshake with a secret in each place that may hold one.
fn handshake() -> Request {
    Request::websocket("/ws/room?token=c4nary-query")
        .header("Cookie", "session=c4nary-cookie")
        .header("Authorization", "Bearer c4nary-bearer")
        .header("Proxy-Authorization", "Basic c4nary-proxy")
        .header("Sec-WebSocket-Protocol", "c4nary-protocol")
        .header("X-Api-Key", "c4nary-key")
        .header("Referer", "http://gate.test/?c4nary-referer")
        .header("X-C4nary", "x")
}

async fn asked(program: &Program, bytes: impl AsRef<[u8]>) -> Wire {
    let mut client = Wire::connect(&*program.address).await;
    client.try_send(bytes.as_ref()).await;
    client
}

/// What a refused request is answered, which must hold no secret.
async fn hears_none(program: &Program, request: &Request) {
    let mut client = asked(program, request.text()).await;
    let head = client.head().await;
    assert!(head.status() >= 400, "{} {head:#?}", request.text());
    let length = head.one("content-length").parse().expect("a length");
    let body = client.take(length).await.escape_ascii().to_string();
    let heard = format!("{head:?}{body}");
    assert!(!heard.contains(CANARY), "{heard}");
}

/// Everything that comes back for what is no request.
async fn hears_none_for(program: &Program, bytes: impl AsRef<[u8]>) {
    let heard = asked(program, bytes).await.rest().await.unwrap_or_default();
    let heard = heard.escape_ascii().to_string();
    assert!(!heard.contains(CANARY), "{heard}");
}

/// What each request of the admin interface is answered, with and without its token.
async fn admin_says_none(program: &Program) {
    let admin = program.admin().await;
    for line in [
        "GET /sessions?c4nary",
        "GET /sessions",
        "GET /metrics",
        "GET /healthz?c4nary",
        "GET /readyz",
        "GET /c4nary",
        "DELETE /sessions/c4nary",
        "DELETE /sessions/999999999",
        "POST /sessions",
        "GET /sessions?client=c4nary",
        "GET /sessions?c4nary=%ff",
        "DELETE /sessions?route=c4nary&reason=c4nary",
        "GET /upstreams",
        "POST /upstreams/c4nary/c4nary/drain",
        "POST /upstreams/chat/c4nary/resume",
        "GET /config",
        "GET /config?c4nary",
        "GET /events?kind=c4nary",
        "GET /openapi.json",
        "PUT /drain",
        "GET http://c4nary.test/sessions",
    ] {
        for token in ["c4nary-token", "c4nary-wrong"] {
            let mut wire = Wire::connect(&admin).await;
            let request = format!(
                "{line} HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {token}\r\n\
                 Cookie: c4nary\r\nX-C4nary: c4nary\r\nConnection: close\r\n\r\n"
            );
            wire.send(request).await;
            let answer: Response = wire.response().await;
            // The server's name is as the settings have it, for whoever has the token.
            let said = answer.text().replace("/c4nary-base", "");
            assert!(!said.contains(CANARY), "{line}: {said}");
            assert!(answer.head.all("set-cookie").is_empty());
        }
    }
    let mut wire = Wire::connect(&admin).await;
    wire.try_send("c4nary c4nary\r\n\r\n").await;
    let said = wire.end().await.escape_ascii().to_string();
    assert!(!said.contains(CANARY), "{said}");
}

/// The log, which must hold no secret; the server's name is as the settings have it.
async fn ends_without_one(program: Program, words: &[&str]) {
    let log = program.stop().await;
    for word in words {
        assert!(log.contains(word), "no {word:?} in {log}");
    }
    for line in log.lines() {
        let line = line.replace("/c4nary-base", "");
        assert!(!line.contains(CANARY), "{line}");
    }
}

#[tokio::test]
async fn o06_no_secret_of_a_session_is_logged_at_any_level() {
    for format in ["text", "json"] {
        let upstream = Upstream::start().await;
        let program = loud(&[upstream.url()], format).await;
        let text = Frame::text("c4nary-payload");
        let invalid = Frame::new(0x81, b"c4nary \xff".to_vec());
        let long = Frame::text(&CANARY.repeat(1000));
        // Ends of every kind, with what was said last in them.
        for last in [
            Frame::close(4000, "c4nary-reason").masked(),
            Frame::new(0x88, b"\x03\xe8c4nary \xff".to_vec()).masked(),
            text.plain(),
            invalid.masked(),
            long.masked(),
            b"c4nary that is no frame".to_vec(),
            Vec::new(),
        ] {
            let mut client = asked(&program, handshake().text()).await;
            let (mut server, request) = upstream.request().await;
            assert_eq!(request.one("x-secret"), "c4nary-token");
            let lines = "Sec-WebSocket-Protocol: c4nary-protocol\r\nSet-Cookie: c4nary\r\n";
            server.send(switching(&request, lines)).await;
            assert_eq!(client.head().await.status(), 101);
            client.send_frame(&text).await;
            server.expect(text.clone()).await;
            server.send_frame(&Frame::ping("c4nary-ping")).await;
            client.expect(Frame::ping("c4nary-ping")).await;
            admin_says_none(&program).await;
            client.try_send(&last).await;
            client.shut().await;
            let close = server.frame().await;
            server.send_frame(&close).await;
            server.shut().await;
            server.end().await;
            client.end().await;
        }
        ends_without_one(
            program,
            &["session closed", "bad_utf8", "too_big", "client_lost"],
        )
        .await;
    }
}

#[tokio::test]
async fn o06_no_secret_of_a_refused_request_is_logged_at_any_level() {
    let echo = Echo::start().await;
    for format in ["text", "json"] {
        let program = loud(&[echo.url()], format).await;
        for request in [
            handshake().line("GET /nowhere?c4nary HTTP/1.1"),
            handshake().line("GET /ws/../x?c4nary HTTP/1.1"),
            handshake().line("GET /ws/%2e%2e/x?c4nary HTTP/1.1"),
            handshake().line("POST /ws/x?c4nary HTTP/1.1"),
            handshake().line("C4NARY /ws/x?c4nary HTTP/1.1"),
            handshake().line("GET /ws/x?c4nary HTTP/1.0"),
            handshake().line("GET /ws/x?c4nary C4NARY/1.1"),
            handshake().line("CONNECT c4nary.test:443 HTTP/1.1"),
            handshake().line("GET http://c4nary:c4nary@gate.test/ws/ HTTP/1.1"),
            handshake().with("Host", "c4nary host"),
            handshake().with("Host", "c4nary.test:c4nary"),
            handshake().with("Sec-WebSocket-Key", "c4nary"),
            handshake().with("Sec-WebSocket-Version", "c4nary"),
            handshake().with("Sec-WebSocket-Protocol", "c4nary c4nary"),
            handshake().with("Sec-WebSocket-Extensions", "c4nary=\"c4nary"),
            handshake().with("Upgrade", "c4nary"),
            handshake().with("Connection", "Upgrade, c4nary c4nary"),
            handshake().with("Connection", "Upgrade, Authorization, c4nary"),
            handshake().header("Origin", "http://c4nary-origin.test"),
            handshake().header("Origin", "c4nary"),
            handshake().header("Transfer-Encoding", "c4nary"),
            handshake().header("Content-Length", "c4nary"),
            handshake().header("X_Forwarded_For", "c4nary"),
            handshake().header("c4nary c4nary", "c4nary"),
        ] {
            hears_none(&program, &request).await;
        }
        let long = handshake().header("X-Long", &CANARY.repeat(10_000));
        hears_none_for(&program, long.text()).await;
        hears_none_for(&program, "c4nary c4nary\r\n\r\n").await;
        hears_none_for(&program, b"\x16\x03\x01c4nary\r\n\r\n").await;
        let cut = "GET /ws/c4nary?c4nary HTTP/1.1\r\nCookie: c4nary";
        asked(&program, cut).await.shut().await;
        ends_without_one(program, &["rejected"]).await;
    }
}

#[tokio::test]
async fn o06_no_secret_of_a_failing_upstream_is_logged_at_any_level() {
    for format in ["text", "json"] {
        let (upstream, dead) = (Upstream::start().await, Upstream::dead());
        let program = loud(&[upstream.url()], format).await;
        for answer in [
            "c4nary c4nary\r\n\r\n",
            "HTTP/1.1 101 c4nary\r\nSec-WebSocket-Accept: c4nary\r\nSet-Cookie: c4nary\r\n\r\n",
            "HTTP/1.1 300 c4nary\r\nLocation: /c4nary\r\nContent-Length: 6\r\n\r\nc4nary",
            "HTTP/1.1 200 c4nary\r\nc4nary c4nary: c4nary\r\n\r\n",
            "HTTP/1.1 c4nary\r\n\r\n",
            "HTTP/1.1 403 c4nary\r\nContent-Length: c4nary\r\n\r\n",
            "HTTP/1.1 403 c4nary\r\nTransfer-Encoding: chunked\r\n\r\nc4nary\r\n",
            "HTTP/1.1 101 c4nary\r\nSec-WebSocket-Extensions: c4nary\r\n",
        ] {
            for request in [
                handshake(),
                handshake().without("Upgrade").with("Connection", "close"),
            ] {
                let is_upgrade = request.text().contains("Upgrade");
                let mut client = asked(&program, request.text()).await;
                let (mut server, head) = upstream.request().await;
                let bytes = match is_upgrade {
                    true => Answer::new(answer).to(&head),
                    false => answer.as_bytes().to_vec(),
                };
                server.try_send(&bytes).await;
                server.shut().await;
                let heard = client.rest().await.unwrap_or_default();
                // What a plain request is answered is the upstream's own, and for the client; so is
                // where it redirects to.
                if is_upgrade && !answer.contains(" 302 ") {
                    let heard = heard.escape_ascii().to_string();
                    assert!(!heard.contains(CANARY), "{heard}");
                }
            }
        }
        ends_without_one(program, &["rejected"]).await;
        let program = loud(&[dead.url()], format).await;
        hears_none(&program, &handshake()).await;
        ends_without_one(program, &["upstream_refused"]).await;
    }
}

/// Wrong settings are shown with their lines, but for what came out of the environment and what
/// stands where a token does.
#[tokio::test]
async fn o06_no_secret_is_in_the_errors_of_wrong_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wsgate.toml");
    let file = file.to_str().expect("a path");
    let server = "ws://127.0.0.1:1";
    let admin = |line: &str| settings(server, &format!("[admin]\n{line}"));
    let headers = |lines: &str| settings(server, &format!("[route.headers.set]\n{lines}"));
    let log = |level: &str| {
        let level = format!("level = \"{level}\"\nformat = \"json\"");
        settings(server, "").replace("format = \"json\"", &level)
    };
    for (text, code) in [
        (
            admin("address = \"127.0.0.1:0\"\ntoken = \"${WSGATE_TEST_TOKEN}\""),
            0,
        ),
        (
            admin("address = \"0.0.0.0:0\"\ntoken = \"${WSGATE_TEST_TOKEN}\"\nx = 1"),
            1,
        ),
        (admin("address = 7\ntoken = \"c4nary\""), 1),
        (admin("address = \"127.0.0.1:0\"\ntoken = [\"c4nary\"]"), 1),
        (
            admin("address = \"127.0.0.1:0\"\ntoken = { x = \"c4nary\" }"),
            1,
        ),
        (admin("address = \"127.0.0.1:0\"\ntoken = \"c4nary"), 1),
        (admin("address = \"127.0.0.1:0\"\ntoken = \"c4nary\" x"), 1),
        (
            admin("address = \"127.0.0.1:0\"\ntoken = \"c4nary\"\ntoken = \"c4nary\""),
            1,
        ),
        (admin("address = \"127.0.0.1:0\"\nToken = \"c4nary\""), 1),
        (
            settings("ws://user:${WSGATE_TEST_TOKEN}@127.0.0.1:1", ""),
            1,
        ),
        (settings("ws://user:c4nary@127.0.0.1:1", ""), 1),
        (
            settings("ws://127.0.0.1:1/?key=${WSGATE_TEST_TOKEN}", ""),
            1,
        ),
        (settings("${WSGATE_TEST_TOKEN}", ""), 1),
        (log("${WSGATE_TEST_TOKEN}"), 1),
        (log("info,${WSGATE_TEST_TOKEN}"), 1),
        (log("wsgate=${WSGATE_TEST_TOKEN}"), 1),
        (
            settings(server, "rewrite = \"/${WSGATE_TEST_TOKEN}/{x}\""),
            1,
        ),
        (
            settings(server, "rewrite = \"/{x}\"")
                .replace("\"/ws/*\"", "\"/${WSGATE_TEST_TOKEN}/*\""),
            1,
        ),
        (headers("x-a = \"c4nary\"\nx-b = \"x\" x"), 1),
        (headers("x-a = \"c4nary\" x"), 1),
        (headers("x-a = \"c4nary"), 1),
        (headers("x-a = c4nary"), 1),
        (headers("x-a = [\"c4nary\"]"), 1),
        (headers("x-a = \"{c4nary}\""), 1),
        (headers("x-a = \"{path.c4nary}\""), 1),
        (headers("Connection = \"c4nary\""), 1),
        (
            settings(server, "headers = { st = { x-a = \"c4nary\" } }"),
            1,
        ),
        (settings(server, "headers.set = { x-a = \"c4nary\" }}"), 1),
        (
            settings(
                server,
                "headers.set = { x-a = \"c4nary\", }\nx-a = 'c4nary'",
            ),
            1,
        ),
    ] {
        std::fs::write(file, &text).expect("a file");
        let check = finish_with(&["check", file], &[TOKEN]).await;
        assert_eq!(check.code, Some(code), "{text}\n{check:?}");
        let said = check.stdout + &check.stderr;
        assert!(!said.contains(CANARY), "{text}\n{said}");
        // A right file would be served.
        if code != 0 {
            let run = finish_with(&["run", file], &[TOKEN]).await;
            let said = run.stdout + &run.stderr;
            assert!(
                run.code == Some(1) && !said.contains(CANARY),
                "{text}\n{said}"
            );
        }
    }
}

#[tokio::test]
async fn o06_no_secret_is_in_the_answer_or_the_log_of_a_rejected_reload() {
    let echo = Echo::start().await;
    let admin = "[admin]\naddress = \"127.0.0.1:0\"\n";
    let right = settings(echo.url(), admin);
    let with = |lines: &str| right.replace("[admin]", &format!("{lines}\n[admin]"));
    let level = |level: &str| right.replace("[log]", &format!("[log]\nlevel = \"{level}\""));
    let program = Program::run_with(&right, &[TOKEN]).await;
    let address = program.admin().await;
    for text in [
        level("${WSGATE_TEST_TOKEN}"),
        level("info,${WSGATE_TEST_TOKEN}"),
        with("rewrite = \"${WSGATE_TEST_TOKEN}\""),
        with("headers.set = { x-a = \"c4nary\", x-b = \"{c4nary}\" }"),
        with("headers.set = { x-a = \"c4nary\" } x"),
        with("headers.set = { x-a = \"c4nary }"),
        with("[route.headers.set]\nx-a = \"c4nary\"\nx-a = \"c4nary\""),
        with("password = \"c4nary\""),
    ] {
        program.rewrite(&text);
        let mut client = Wire::connect(&address).await;
        let request = format!("POST /reload HTTP/1.1\r\nHost: {address}\r\n\r\n");
        client.send(request).await;
        let answer: Response = client.response().await;
        assert_eq!(answer.status(), 422, "{text}");
        assert!(!answer.text().contains(CANARY), "{}", answer.text());
    }
    ends_without_one(program, &["reload_rejected"]).await;
}
