//! `wsgate demo`: its page, its echo, its rules.

use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use serde_json::Value;

use crate::kit::{Program, Socket, Wire, finish, websocket};

async fn demo() -> Program {
    Program::serving(&["demo", "--listen", "127.0.0.1:0"]).await
}

async fn ask(program: &Program, line: &str) -> Wire {
    let mut wire = Wire::connect(&program.address).await;
    let host = &program.address;
    wire.send(format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
        .await;
    wire
}

#[tokio::test]
async fn the_page_runs_nothing_but_its_own() {
    let program = demo().await;
    let page = ask(&program, "GET /").await.response().await;
    assert_eq!(page.status(), 200);
    assert_eq!(page.head.one("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.head.one("x-content-type-options"), "nosniff");
    let policy = page.head.one("content-security-policy");
    let rules: Vec<_> = policy.split("; ").collect();
    for rule in [
        "default-src 'none'",
        "connect-src 'self' ws://127.0.0.1:* ws://localhost:* wss://127.0.0.1:* wss://localhost:*",
        "frame-ancestors 'none'",
    ] {
        assert!(rules.contains(&rule), "{rule} in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let nonce = policy.split("script-src 'nonce-").nth(1).unwrap();
    let nonce = &nonce[..nonce.find('\'').unwrap()];
    assert!(page.text().contains(&format!("<script nonce=\"{nonce}\">")));
    let head = ask(&program, "HEAD /").await.head().await;
    assert_eq!(head.status(), 200);
    assert_eq!(
        ask(&program, "GET /other").await.response().await.status(),
        404
    );
    let echo = ask(&program, "GET /echo").await.response().await;
    assert_eq!(echo.status(), 426);
    assert_eq!(echo.head.one("upgrade"), "websocket");
    program.stop().await;
}

#[tokio::test]
async fn it_echoes_everything_and_prints_its_address() {
    let program = demo().await;
    let mut socket = Socket::open(&program.address, "/echo").await;
    socket.echoes("hör zu").await;
    socket.send(vec![0, 255, 7]).await;
    assert_eq!(socket.next().await.into_data(), vec![0, 255, 7]);
    let url = format!("http://{}/", program.address);
    let told = program.line("the address", move |line| line.contains(&url).then_some(()));
    told.await;
    program.signal(Signal::INT);
    assert_eq!(socket.closed().await.0, 1001);
    socket.end().await;
    let mut program = program;
    assert_eq!(program.ended().await.0, Some(0));
}

#[tokio::test]
async fn a_message_over_the_limit_is_closed_with_1009() {
    let program = demo().await;
    let mut socket = Socket::open(&program.address, "/echo").await;
    socket.send(vec![7; 1024 * 1024]).await;
    assert_eq!(socket.next().await.len(), 1024 * 1024);
    socket.try_send(vec![7; 1024 * 1024 + 1]).await;
    let farewell = (1009, "message too big".to_owned());
    assert_eq!(socket.closed().await, farewell);
    socket.end().await;
    program.stop().await;
}

#[tokio::test]
async fn only_its_own_page_may_open_a_session() {
    let program = demo().await;
    let own = format!("http://{}", program.address);
    for (origin, expected) in [
        (&*own, None),
        ("http://evil.test", Some(403)),
        ("https://127.0.0.1", Some(403)),
        ("null", Some(403)),
    ] {
        let wire = Wire::connect(&program.address).await;
        let origin = [("origin", origin)];
        let opened = Socket::open_on(wire, &program.address, "/echo", &origin).await;
        assert_eq!(opened.err(), expected, "{origin:?}");
    }
    // A name that somebody's DNS points here makes nobody's page the demo's own.
    let mut wire = Wire::connect(&program.address).await;
    let origin = format!("Origin: {own}\r\n");
    wire.send(websocket("/echo", "evil.test", &origin)).await;
    assert_eq!(wire.response().await.status(), 403);
    program.stop().await;
}

#[tokio::test]
async fn with_tls_its_page_and_sockets_come_over_tls_with_a_certificate_of_its_own() {
    let mut program = Program::serving(&["demo", "--tls", "--listen", "127.0.0.1:0"]).await;
    let url = format!("https://{}/", program.address);
    let told = program.line("the address", move |line| line.contains(&url).then_some(()));
    told.await;
    let ca = |line: &str| Some(line.split("--ca ").nth(1)?.split(' ').next()?.to_owned());
    let ca = program.line("the certificate", ca).await;
    let key = std::path::Path::new(&ca).with_extension("key");
    let mode = std::fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let port = program.address.rsplit_once(':').unwrap().1.to_owned();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("wss://{host}:{port}/echo");
        let origin = format!("https://{host}:{port}");
        let arguments = ["probe", &url, "--echo", "hello", "--ca", &ca];
        let done = finish(&[&arguments[..], &["--origin", &origin]].concat()).await;
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    let unknown = finish(&["probe", &format!("wss://127.0.0.1:{port}/echo")]).await;
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    program.signal(Signal::INT);
    assert_eq!(program.ended().await.0, Some(0));
    assert!(!key.exists());
}

#[tokio::test]
async fn an_address_that_is_none_or_taken_is_an_error() {
    let wrong = finish(&["demo", "--listen", "nowhere"]).await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let failed = finish(&["demo", "--listen", &address]).await;
    assert_eq!(failed.code, Some(2), "{failed:?}");
    assert!(failed.stderr.contains("help: "), "{failed:?}");
}

/// The header with which the page asks.
const OWN: &str = "x-wsgate-demo: 1\r\n";

/// What the page would show of the gate now.
async fn state(program: &Program) -> Value {
    let mut wire = Wire::connect(&program.address).await;
    let host = &program.address;
    wire.send(format!(
        "GET /demo/state?after=0 HTTP/1.1\r\nHost: {host}\r\n{OWN}\r\n"
    ))
    .await;
    let response = wire.response().await;
    assert_eq!(response.status(), 200);
    serde_json::from_str(response.text()).unwrap()
}

/// The address of the admin interface, as the demo prints it.
async fn admin(program: &Program) -> String {
    let found = |line: &str| {
        let address = line.split("--admin ").nth(1)?.split(' ').next()?;
        line.contains(" sessions ").then(|| address.to_owned())
    };
    program.line("the command for sessions", found).await
}

#[tokio::test]
async fn the_page_shows_the_gates_log_beside_its_own() {
    let program = demo().await;
    let mut socket = Socket::open(&program.address, "/echo").await;
    let wire = Wire::connect(&program.address).await;
    let origin = [("origin", "http://localhost:1")];
    let refused = Socket::open_on(wire, &program.address, "/echo", &origin).await;
    assert_eq!(refused.err(), Some(403));
    for word in ["session open", "reason=origin_denied"] {
        let said = move |line: &str| line.contains(word).then_some(());
        program.line(word, said).await;
        // The copy is written before the next line is.
        socket.echoes("hello").await;
    }
    let lines = state(&program).await["lines"].to_string();
    for word in ["session open", "route=echo"] {
        assert!(lines.contains(word), "{word} in {lines}");
    }
    assert!(!lines.contains("\\u001b"), "{lines}");
    drop(socket);
    program.stop().await;
}

#[tokio::test]
async fn commands_find_it_by_the_address_that_it_prints() {
    let mut program = demo().await;
    let mut socket = Socket::open(&program.address, "/echo").await;
    let admin = admin(&program).await;
    let sessions = finish(&["sessions", "--admin", &admin, "--json"]).await;
    assert_eq!(sessions.code, Some(0), "{sessions:?}");
    assert_eq!(sessions.stdout.lines().count(), 1, "{sessions:?}");
    let top = finish(&["top", "--once", "--interval", "100ms", "--admin", &admin]).await;
    assert!(top.stdout.contains("echo"), "{top:?}");
    let close = ["close", "--route", "echo", "--yes", "--admin", &admin];
    let closed = finish(&close).await;
    assert_eq!(closed.code, Some(0), "{closed:?}");
    assert_eq!(socket.closed().await.0, 1001);
    socket.end().await;
    let path = admin.strip_prefix("unix:").unwrap();
    let folder = std::path::Path::new(path).parent().unwrap().to_owned();
    assert!(folder.exists());
    program.signal(Signal::INT);
    assert_eq!(program.ended().await.0, Some(0));
    assert!(!folder.exists(), "{}", folder.display());
}

#[tokio::test]
async fn its_page_alone_can_drain_the_server_which_is_back_soon() {
    let program = demo().await;
    let mut socket = Socket::open(&program.address, "/echo").await;
    let host = &program.address;
    let others = format!("POST /demo/drain HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n");
    let mut wire = Wire::connect(host).await;
    wire.send(format!("{others}\r\n")).await;
    assert_eq!(wire.response().await.status(), 404);
    socket.echoes("still here").await;
    let mut wire = Wire::connect(host).await;
    wire.send(format!("{others}{OWN}\r\n")).await;
    assert_eq!(wire.response().await.status(), 202);
    let farewell = (1001, "server is being drained".to_owned());
    assert_eq!(socket.closed().await, farewell);
    assert_eq!(state(&program).await["figures"]["draining"], true);
    let mut wire = Wire::connect(host).await;
    wire.send(websocket("/echo", host, "")).await;
    assert_eq!(wire.response().await.status(), 503);
    socket.end().await;
    program.stop().await;
}

#[tokio::test]
async fn what_is_said_in_a_room_reaches_everybody_there_and_who_comes_later() {
    let program = demo().await;
    let page = ask(&program, "GET /chat").await.response().await;
    assert_eq!(page.status(), 200);
    assert!(page.text().contains("A chat room"));
    let mut ada = Socket::open(&program.address, "/chat/lobby").await;
    let mut bob = Socket::open(&program.address, "/chat/lobby").await;
    let mut other = Socket::open(&program.address, "/chat/other").await;
    let said = r#"{"name":"Ada","text":"hello"}"#;
    ada.send(said).await;
    for socket in [&mut ada, &mut bob] {
        assert_eq!(socket.next().await.into_text().unwrap(), said);
    }
    let mut late = Socket::open(&program.address, "/chat/lobby").await;
    assert_eq!(late.next().await.into_text().unwrap(), said);
    let elsewhere = r#"{"name":"Eve","text":"nobody here?"}"#;
    other.send(elsewhere).await;
    assert_eq!(other.next().await.into_text().unwrap(), elsewhere);
    for socket in [ada, bob, other, late] {
        socket.close().await;
    }
    program.stop().await;
}
