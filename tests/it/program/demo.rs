//! `wsgate demo`: its page, its echo, its rules.

use rustix::process::Signal;

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
        "connect-src 'self'",
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
