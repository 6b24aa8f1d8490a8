//! Reloads that change who may connect: what becomes of the connections that are open.

use std::fs;
use std::io::{self, ErrorKind::BrokenPipe};

use h2::Reason;
use h2::client::Builder;
use http::Request;
use rustix::process::Signal;

use super::{listen_tls, open, serving};
use crate::kit::{
    Authority, BOTH, Echo, Frame, Http2, Issued, Program, TlsPeer, Validity, Wire,
    extended_connect, plain, soon,
};

/// Its answers keep a connection of HTTP/1.1 open.
const HEALTH: &str = "[server]\nhealth_path = \"/health\"\n";
const HEAD_SIZE: &str = "[server]\nhealth_path = \"/health\"\nhead_size = \"8KiB\"\n";

/// Has the program read these settings, which are other ones for the `nth` time.
async fn reload(program: &Program, settings: &str, nth: usize) {
    program.rewrite(settings);
    program.signal(Signal::HUP);
    program.nth_event(nth, "settings reloaded").await;
}

fn required(ca: &std::path::Path) -> String {
    format!("client_auth = \"required\"\nclient_ca = {ca:?}")
}

/// The request, for the host that the handshake has named.
fn to_host(mut request: Request<()>) -> Request<()> {
    let uri = request.uri().to_string();
    let uri = uri.replace("http://gate.test", "https://a.test");
    *request.uri_mut() = uri.parse().unwrap();
    request
}

async fn speak_http2(peer: &TlsPeer, program: &Program) -> Http2 {
    let stream = peer.stream(&program.address, "a.test", true).await.unwrap();
    Http2::on(stream, &mut Builder::new()).await
}

async fn fetches(client: &mut Http2) {
    let (head, ..) = client.fetch(to_host(plain("GET", "/health"))).await;
    assert_eq!(head.status(), 200);
    assert!(!client.ended.is_finished());
}

async fn asks(wire: &mut Wire) {
    let request = "GET /health HTTP/1.1\r\nHost: a.test\r\n\r\n";
    wire.send(request).await;
    let answer = wire.response().await;
    assert_eq!(answer.status(), 200);
    assert!(!answer.head.all("connection").contains(&"close"));
}

async fn echoes(session: &mut Wire, text: &str) {
    let frame = Frame::text(text);
    session.send_frame(&frame).await;
    session.expect(frame).await;
}

/// Waits for the end by a GOAWAY. The client's own may find the socket closed.
async fn goodbye(client: Http2) {
    let ended = soon("the end", client.ended).await.unwrap();
    let kind = |error: &h2::Error| error.get_io().map(io::Error::kind);
    let error = ended.as_ref().err();
    assert!(
        error.is_none_or(|error| kind(error) == Some(BrokenPipe)),
        "{ended:?}"
    );
}

async fn idle(peer: &TlsPeer, program: &Program) -> Wire {
    let connected = peer.connect(&program.address, "a.test", true).await;
    let mut wire = connected.unwrap().0;
    asks(&mut wire).await;
    wire
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_of_a_client_that_may_not_connect_any_more_takes_no_request_and_keeps_its_sessions()
 {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let [first, second] = [(); 2].map(|()| authority.issue("a.test", Validity::Now));
    let known = authority.issue("a client", Validity::Now);
    let nobody = TlsPeer::new(&authority, None, BOTH);
    let nobody_http2 = TlsPeer::new(&authority, None, BOTH).offering(&["h2"]);
    let tls = |shown: &Issued, more: &str| listen_tls(&authority, &[("a", shown)], more);
    let program = Program::run(&serving(echo.url(), &tls(&first, ""), HEALTH)).await;
    let mut socket = open(&nobody, &program, "a.test").await;
    let mut http1 = idle(&nobody, &program).await;
    let mut without_session = speak_http2(&nobody_http2, &program).await;
    let mut busy = speak_http2(&nobody_http2, &program).await;
    let mut session = busy.open(to_host(extended_connect("/ws/"))).await;

    // The same clients may connect, with another certificate of the server and another setting of new connections.
    for (nth, more) in [HEALTH, HEAD_SIZE].into_iter().enumerate() {
        reload(&program, &serving(echo.url(), &tls(&second, ""), more), nth).await;
        asks(&mut http1).await;
        fetches(&mut without_session).await;
        fetches(&mut busy).await;
    }

    let more = required(&authority.file());
    let settings = serving(echo.url(), &tls(&second, &more), HEAD_SIZE);
    reload(&program, &settings, 2).await;
    assert_eq!(http1.end().await, b"");
    goodbye(without_session).await;
    echoes(&mut session, "before the request").await;
    let (answer, _) = busy.send(to_host(extended_connect("/ws/")), false);
    let refused = soon("a refusal", answer).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::REFUSED_STREAM));
    echoes(&mut session, "behind the request").await;
    socket.echoes("on HTTP/1.1").await;

    let knows = TlsPeer::new(&authority, Some(&known), BOTH);
    idle(&knows, &program).await;
    socket.close().await;
    session.send_frame(&Frame::close(1000, "")).await;
    session.expect_close(1000).await;
    session.expect_end().await;
    goodbye(busy).await;
    program.stop().await;
}

#[tokio::test]
async fn whatever_changes_who_may_connect_closes_what_is_idle() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let echo = Echo::start().await;
    let shown = authority.issue("a.test", Validity::Now);
    let known = authority.issue("a client", Validity::Now);
    let unknown = stranger.issue("a client", Validity::Now);
    let ca = authority.file_of("clients");
    fs::copy(authority.file(), &ca).unwrap();
    let tls = |more: &str| listen_tls(&authority, &[("a", &shown)], more);
    let with = |tls: &str| serving(echo.url(), tls, HEALTH);
    let optional = format!("client_auth = \"optional\"\nclient_ca = {ca:?}");
    let program = Program::run(&with(&tls(&optional))).await;
    let knows = TlsPeer::new(&authority, Some(&known), BOTH);

    let mut wire = idle(&knows, &program).await;
    reload(&program, &with(&tls(&required(&ca))), 0).await;
    assert_eq!(wire.end().await, b"");

    wire = idle(&knows, &program).await;
    fs::copy(stranger.file(), &ca).unwrap();
    reload(&program, &with(&tls(&required(&ca))), 1).await;
    assert_eq!(wire.end().await, b"");

    let other = TlsPeer::new(&authority, Some(&unknown), BOTH);
    wire = idle(&other, &program).await;
    reload(&program, &with(""), 2).await;
    assert_eq!(wire.end().await, b"");

    wire = Wire::connect(&program.address).await;
    asks(&mut wire).await;
    // Without `client_auth`, TLS keeps nobody out.
    reload(&program, &with(&tls("")), 3).await;
    asks(&mut wire).await;
    reload(&program, &with(&tls(&required(&ca))), 4).await;
    assert_eq!(wire.end().await, b"");
    program.stop().await;
}
