//! Connections of HTTP/2, which sessions share: who counts, who is listed, and how they end.

use h2::client::Builder;
use http::{HeaderValue, Request};
use serde_json::json;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::admin::ask;
use super::connections::{DESCRIPTORS, MADE_ROOM, closed, flood};
use super::http2::{BOTH, speaking};
use super::kit::{
    BOTH as VERSIONS, Echo, Frame, Http2, Program, Socket, TlsPeer, Wire, extended_connect, finish,
    plain, soon,
};
use super::restart::start_at;

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

async fn open(client: &mut Http2) -> Wire {
    client.open(extended_connect("/ws/")).await
}

async fn echoes(session: &mut Wire, text: &str) {
    let frame = Frame::text(text);
    session.send_frame(&frame).await;
    session.expect(frame).await;
}

/// Answers the close frame of the gate.
async fn leave(mut session: Wire) {
    session.expect_close(1001).await;
    session.send_frame(&Frame::close(1001, "")).await;
    session.expect_end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handover_leaves_sessions_to_the_old_process_and_ends_their_connection_behind_them() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handover");
    let more = "timeouts.close = \"1h\"\n[drain]\nspread = \"0s\"\ndeadline = \"1h\"\n";
    let text = speaking(BOTH, echo.url(), more);
    let mut program = start_at(&path, folder.path(), 0, &text).await;
    let mut client = Http2::connect(&program.address).await;
    let (mut first, second) = (open(&mut client).await, open(&mut client).await);
    echoes(&mut first, "before").await;
    let text = text.replace("127.0.0.1:0", &program.address);
    let next = start_at(&path, folder.path(), 1, &text).await;
    program.event("draining").await;
    // New ones are the next process's, and there is no GOAWAY yet.
    assert_eq!(client.refused(extended_connect("/ws/")).await, 503);
    let mut other = Http2::connect(&next.address).await;
    let mut session = open(&mut other).await;
    echoes(&mut session, "after").await;
    leave(first).await;
    assert!(!client.ended.is_finished());
    leave(second).await;
    soon("the end", client.ended).await.unwrap().unwrap();
    assert_eq!(program.ended().await.0, Some(0));
    echoes(&mut session, "still here").await;
    drop((session, other));
    next.stop().await;
}

#[tokio::test]
async fn a_connection_without_streams_is_closed_to_make_room_and_one_with_a_session_is_not() {
    let echo = Echo::start().await;
    let more = format!("{ADMIN}[server]\nworkers = 2\n");
    let text = speaking(BOTH, echo.url(), &more);
    let program = Program::run_limited(&text, DESCRIPTORS).await;
    let admin = program.admin().await;
    let mut idle = Http2::connect(&program.address).await;
    assert_eq!(idle.fetch(plain("GET", "/nowhere")).await.0.status(), 404);
    let mut busy = Http2::connect(&program.address).await;
    let mut session = open(&mut busy).await;
    let others = flood(&program.address).await;
    program.event(MADE_ROOM).await;
    // With a GOAWAY, and no error.
    soon("the end", idle.ended).await.unwrap().unwrap();
    assert!(closed(&admin, "reclaimed").await > 0);
    echoes(&mut session, "not disturbed").await;
    assert_eq!(busy.fetch(plain("GET", "/nowhere")).await.0.status(), 404);
    drop((others, session, busy));
    program.stop().await;
}

#[tokio::test]
async fn limits_of_an_address_count_streams() {
    let echo = Echo::start().await;
    let text = speaking(BOTH, echo.url(), "limits.per_ip.connections = 2\n");
    let program = Program::run(&text).await;
    let mut client = Http2::connect(&program.address).await;
    let (mut first, second) = (open(&mut client).await, open(&mut client).await);
    let (refused, _) = client.ask(extended_connect("/ws/")).await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    let line = program.event("handshake rejected").await;
    assert_eq!(line["reason"], "ip_connections");
    // Other connections of the address count with it.
    let wire = Wire::connect(&program.address).await;
    let old = Socket::open_on(wire, "gate.test", "/ws/", &[]).await;
    assert_eq!(old.err(), Some(429));
    let mut left = second;
    left.send_frame(&Frame::close(1000, "")).await;
    left.expect_close(1000).await;
    left.expect_end().await;
    program.event("session closed").await;
    let mut third = open(&mut client).await;
    echoes(&mut third, "there was a place").await;
    echoes(&mut first, "all along").await;
    drop((first, left, third, client));
    program.stop().await;
}

#[tokio::test]
async fn the_list_of_sessions_has_the_version_of_each() {
    let echo = Echo::start().await;
    let program = Program::run(&speaking(BOTH, echo.url(), ADMIN)).await;
    let admin = program.admin().await;
    let old = Socket::open(&program.address, "/ws/").await;
    let mut client = Http2::connect(&program.address).await;
    let new = (open(&mut client).await, open(&mut client).await);
    let listed = ask(&admin, "GET /sessions", "").await.json();
    let sessions = listed["sessions"].as_array().unwrap();
    let versions: Vec<_> = sessions
        .iter()
        .map(|session| &session["http_version"])
        .collect();
    assert_eq!(versions, [&json!("h1"), &json!("h2"), &json!("h2")]);
    // They share a socket.
    assert_eq!(sessions[1]["peer"], sessions[2]["peer"]);
    let table = finish(&["sessions", "--admin", &format!("http://{admin}")]).await;
    let column = |line: &str| line.split_whitespace().nth(3).map(str::to_owned);
    let versions: Vec<_> = table.stdout.lines().filter_map(column).collect();
    assert_eq!(versions, ["HTTP", "h1", "h2", "h2"], "{table:?}");
    drop((old, new, client));
    program.stop().await;
}

#[tokio::test]
async fn the_page_of_the_demo_and_its_sockets_come_over_http_2() {
    let program = Program::serving(&["demo", "--tls", "--listen", "127.0.0.1:0"]).await;
    let ca = |line: &str| Some(line.split("--ca ").nth(1)?.split(' ').next()?.to_owned());
    let ca = program.line("the certificate", ca).await;
    let ca = CertificateDer::from_pem_file(ca).unwrap();
    let peer = TlsPeer::trusting(ca, None, VERSIONS).offering(&["h2", "http/1.1"]);
    let stream = peer
        .stream(&program.address, "localhost", true)
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut client = Http2::on(stream, &mut Builder::new()).await;
    let port = program.address.rsplit_once(':').unwrap().1.to_owned();
    let own = format!("https://localhost:{port}");
    let to = |mut request: Request<()>, path: &str| {
        *request.uri_mut() = format!("{own}{path}").parse().unwrap();
        request
    };
    let (head, page, _) = client.fetch(to(plain("GET", "/"), "/")).await;
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-type"], "text/html; charset=utf-8");
    let policy = head.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("connect-src 'self'"), "{policy}");
    assert!(String::from_utf8(page).unwrap().contains("<script nonce="));
    for (origin, status) in [("https://evil.test", 403), (&*own, 200)] {
        let mut request = to(extended_connect("/"), "/echo");
        let origin = HeaderValue::from_str(origin).unwrap();
        request.headers_mut().insert("origin", origin);
        let (head, stream) = client.ask(request).await;
        assert_eq!(head.status(), status);
        if status == 200 {
            echoes(&mut Wire::of_client(stream), "hello").await;
        }
    }
    drop(client);
    program.stop().await;
}
