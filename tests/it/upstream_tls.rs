//! TLS with servers: who is trusted and who is not, and what runs on it.

use rustix::process::Signal;
use tokio_tungstenite::tungstenite::Message;

use crate::kit::{
    Authority, Bench, Echo, Program, Request, Setup, Socket, Terminator, Upstream, Validity, Wire,
    settings, setup,
};

fn trusting(authority: &Authority, server: &Terminator) -> Setup {
    setup([&*server.url("localhost")]).upstream(&format!("tls.ca = {:?}", authority.file()))
}

/// The outcome of the one handshake that there was.
fn outcome(bench: &Bench) -> &'static str {
    let handshakes = bench.handle.metrics().handshakes;
    let happened: Vec<_> = handshakes.iter().filter(|one| one.count > 0).collect();
    assert_eq!(happened.len(), 1, "{happened:?}");
    happened[0].outcome
}

/// The outcome of a handshake that a server's TLS is the reason to refuse.
async fn refused(setup: Setup) -> &'static str {
    let bench = setup.start().await;
    let (head, body) = bench.refused(&Request::websocket("/")).await;
    assert_eq!(head.status(), 502, "{body}");
    outcome(&bench)
}

#[tokio::test]
async fn a_session_runs_on_tls_in_both_directions_up_to_its_close() {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let shown = authority.issue("localhost", Validity::Now);
    let server = Terminator::start(shown, echo.url(), None).await;
    let bench = trusting(&authority, &server).start().await;
    let mut socket = bench.open().await;
    for length in [0, 1, 125, 126, 16 * 1024, 16 * 1024 + 1, 3_000_000] {
        let message = Message::binary(vec![b'x'; length]);
        socket.send(message.clone()).await;
        assert_eq!(socket.next().await, message, "{length}");
    }
    let answered = socket.close_with(4321, "over").await;
    assert_eq!(answered, Some((4321, "over".to_owned())));
    assert_eq!(server.shown(), [None]);
}

#[tokio::test]
async fn a_server_is_trusted_only_for_what_its_certificate_says() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let plain = Upstream::start().await;
    for (issuer, name, validity, expected) in [
        (
            &authority,
            "elsewhere.test",
            Validity::Now,
            "upstream_certificate_name",
        ),
        (
            &authority,
            "localhost",
            Validity::Over,
            "upstream_certificate_expired",
        ),
        (
            &authority,
            "localhost",
            Validity::NotYet,
            "upstream_certificate_expired",
        ),
        (
            &stranger,
            "localhost",
            Validity::Now,
            "upstream_certificate",
        ),
    ] {
        let shown = issuer.issue(name, validity);
        let server = Terminator::start(shown, plain.url(), None).await;
        let found = refused(trusting(&authority, &server)).await;
        assert_eq!(found, expected, "{name} {validity:?}");
    }
    // Without a file those of the system count, which know nothing of this one.
    let shown = authority.issue("localhost", Validity::Now);
    let server = Terminator::start(shown, plain.url(), None).await;
    assert_eq!(
        refused(setup([&*server.url("localhost")])).await,
        "upstream_certificate"
    );
    assert!(plain.untouched());
}

#[tokio::test]
async fn a_server_that_speaks_before_tls_or_without_it_is_not_heard() {
    let authority = Authority::new();
    for said in ["HTTP/1.1 101 Switching Protocols\r\n\r\n", "SSH-2.0-x\r\n"] {
        let plain = Upstream::start().await;
        let url = plain.url().replace("ws://127.0.0.1", "wss://localhost");
        let setup = setup([&*url]).upstream(&format!("tls.ca = {:?}", authority.file()));
        let speak = async {
            let mut wire: Wire = plain.accept().await;
            wire.send(said).await;
            wire
        };
        let (found, _wire) = tokio::join!(refused(setup), speak);
        assert_eq!(found, "upstream_not_tls", "{said}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let (authority, silent) = (Authority::new(), Upstream::start().await);
    let url = silent.url().replace("ws://127.0.0.1", "wss://localhost");
    let upstream = format!(
        "tls.ca = {:?}\nconnect_timeout = \"300ms\"",
        authority.file()
    );
    let bench = setup([&*url]).upstream(&upstream).start().await;
    let (head, _) = bench.refused(&Request::websocket("/")).await;
    assert_eq!((head.status(), outcome(&bench)), (504, "upstream_timeout"));
}

#[tokio::test]
async fn the_name_of_a_certificate_may_differ_from_the_host_where_the_settings_say_so() {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let shown = authority.issue("chat.internal", Validity::Now);
    let server = Terminator::start(shown, echo.url(), None).await;
    let named = trusting(&authority, &server).upstream("tls.server_name = \"chat.internal\"");
    named.start().await.open().await.close().await;
    // An address is verified as one.
    let shown = authority.issue("127.0.0.1", Validity::Now);
    let server = Terminator::start(shown, echo.url(), None).await;
    let upstream = format!("tls.ca = {:?}", authority.file());
    let by_address = setup([&*server.url("127.0.0.1")]).upstream(&upstream);
    by_address.start().await.open().await.close().await;
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_sees_ours_or_refuses() {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let shown = authority.issue("localhost", Validity::Now);
    let server = Terminator::start(shown, echo.url(), Some(&authority)).await;
    assert_eq!(refused(trusting(&authority, &server)).await, "upstream_tls");
    let ours = authority.issue("gate", Validity::Now);
    let (cert, key) = authority.write_identity(&ours);
    let identity = format!("tls.cert = {cert:?}\ntls.key = {key:?}");
    let bench = trusting(&authority, &server)
        .upstream(&identity)
        .start()
        .await;
    bench.open().await.close().await;
    assert_eq!(server.shown(), [Some(ours.certificate().clone())]);
}

#[tokio::test]
async fn a_server_without_right_tls_is_passed_over_for_another() {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let expired = authority.issue("localhost", Validity::Over);
    let expired = Terminator::start(expired, echo.url(), None).await;
    let right = authority.issue("localhost", Validity::Now);
    let right = Terminator::start(right, echo.url(), None).await;
    let urls = [expired.url("localhost"), right.url("localhost")];
    let ca = format!("tls.ca = {:?}", authority.file());
    let bench = setup(urls.iter().map(|url| &**url))
        .upstream(&ca)
        .start()
        .await;
    bench.open().await.close().await;
    assert_eq!(outcome(&bench), "accepted");
}

#[tokio::test]
async fn plain_requests_share_a_connection_of_the_same_tls_only() {
    let (authority, plain) = (Authority::new(), Upstream::start().await);
    let shown = authority.issue("localhost", Validity::Now);
    let server = Terminator::start(shown, plain.url(), None).await;
    let url = server.url("localhost");
    let tls = format!("[upstream.chat.tls]\nca = {:?}\n", authority.file());
    let other = format!(
        "[upstream.other]\nservers = [{url:?}]\n[upstream.other.tls]\nca = {:?}\nserver_name = \"LOCALHOST.\"\n\
         [[route]]\nname = \"other\"\npath = \"/other\"\nupstream = \"other\"\nhttp = \"forward\"\n",
        authority.file()
    );
    let program = Program::run(&settings(
        &url,
        &format!("http = \"forward\"\n{tls}{other}"),
    ))
    .await;
    let mut client = Wire::connect(&program.address).await;
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    client.send("GET /ws/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (mut kept, _) = plain.request().await;
    kept.send(answer).await;
    assert_eq!(client.response().await.text(), "ok");
    client.send("GET /ws/2 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let again = kept.head().await;
    assert_eq!(again.line, "GET /ws/2 HTTP/1.1");
    kept.send(answer).await;
    assert_eq!(client.response().await.text(), "ok");
    client.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (mut new, head) = plain.request().await;
    assert_eq!(head.line, "GET /other HTTP/1.1");
    new.send(answer).await;
    assert_eq!(client.response().await.text(), "ok");
    assert_eq!(server.shown().len(), 2);
    program.stop().await;
}

#[tokio::test]
async fn a_certificate_that_changes_is_shown_from_then_on_and_a_broken_one_changes_nothing() {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let shown = authority.issue("localhost", Validity::Now);
    let server = Terminator::start(shown, echo.url(), Some(&authority)).await;
    let first = authority.issue("first", Validity::Now);
    let (cert, key) = authority.write_identity(&first);
    let tls = format!(
        "[upstream.chat.tls]\nca = {:?}\ncert = {cert:?}\nkey = {key:?}\n",
        authority.file()
    );
    let program = Program::run(&settings(&server.url("localhost"), &tls)).await;
    let mut held = Socket::open(&program.address, "/ws/").await;
    held.echoes("first").await;

    std::fs::write(&cert, "no certificate").unwrap();
    program.signal(Signal::HUP);
    let rejected = program.event("reload rejected").await.to_string();
    assert!(rejected.contains("client.pem"), "{rejected}");
    Socket::open(&program.address, "/ws/").await.close().await;

    // Nobody says so this time: the files are looked at.
    let second = authority.issue("second", Validity::Now);
    authority.write_identity(&second);
    program.event("settings reloaded").await;
    Socket::open(&program.address, "/ws/").await.close().await;
    held.echoes("still here").await;
    let expected = [&first, &first, &second].map(|issued| Some(issued.certificate().clone()));
    assert_eq!(server.shown(), expected);
    held.close().await;
    program.stop().await;
}
