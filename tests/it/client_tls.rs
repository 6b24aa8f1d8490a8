//! TLS with clients: every key of `[listen.tls]` from outside the process.

mod access;

use rustix::process::Signal;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_tungstenite::tungstenite::Message;

use crate::kit::{
    Authority, BOTH, Echo, Issued, Program, Socket, TlsPeer, Upstream, Validity, Wire, answer,
    settings,
};

/// `[listen.tls]` with these certificates and further lines.
pub(crate) fn listen_tls(
    authority: &Authority,
    certificates: &[(&str, &Issued)],
    more: &str,
) -> String {
    let files = certificates.iter().map(|(name, issued)| {
        let (cert, key) = authority.write_identity_as(name, issued);
        format!("{{ cert = {cert:?}, key = {key:?} }}")
    });
    let files = files.collect::<Vec<_>>().join(", ");
    format!("[listen.tls]\ncertificates = [{files}]\n{more}\n")
}

/// Settings whose listener has this TLS.
pub(crate) fn serving(server: &str, tls: &str, more: &str) -> String {
    settings(server, more).replacen("\n[log]", &format!("\n{tls}[log]"), 1)
}

async fn open(peer: &TlsPeer, program: &Program, name: &str) -> Socket {
    let (wire, _) = peer.connect(&program.address, name, true).await.unwrap();
    let opened = Socket::open_on(wire, name, "/ws/", &[]).await;
    opened.unwrap_or_else(|status| panic!("refused with {status}"))
}

#[tokio::test]
async fn a_session_runs_on_tls_in_both_directions_up_to_its_close() {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let shown = authority.issue("a.test", Validity::Now);
    let tls = listen_tls(&authority, &[("a", &shown)], "");
    let program = Program::run(&serving(echo.url(), &tls, "")).await;
    for version in [&TLS12, &TLS13] {
        let peer = TlsPeer::new(&authority, None, &[version]);
        let mut socket = open(&peer, &program, "a.test").await;
        for length in [0, 1, 125, 126, 16 * 1024, 16 * 1024 + 1, 3_000_000] {
            let message = Message::binary(vec![b'x'; length]);
            socket.send(message.clone()).await;
            assert_eq!(socket.next().await, message, "{length}");
        }
        let answered = socket.close_with(4321, "over").await;
        assert_eq!(answered, Some((4321, "over".to_owned())));
    }
    program.stop().await;
}

#[tokio::test]
async fn a_client_gets_the_certificate_for_the_name_that_it_wants() {
    let (authority, upstream) = (Authority::new(), Upstream::start().await);
    let first = authority.issue("a.test", Validity::Now);
    let second = authority.issue("b.test", Validity::Now);
    let domain = authority.issue("*.b.test", Validity::Now);
    let all = [("a", &first), ("b", &second), ("c", &domain)];
    let tls = listen_tls(&authority, &all, "");
    let program = Program::run(&serving(upstream.url(), &tls, "")).await;
    let peer = TlsPeer::new(&authority, None, BOTH);
    for (name, sends_name, expected) in [
        ("a.test", true, &first),
        ("b.test", true, &second),
        ("B.Test", true, &second),
        ("x.b.test", true, &domain),
        // Without a name it is the first.
        ("a.test", false, &first),
    ] {
        let connected = peer.connect(&program.address, name, sends_name).await;
        assert_eq!(
            connected.unwrap().1.certificate,
            *expected.certificate(),
            "{name}"
        );
    }
    // The first as well, which the client does not take.
    for name in ["c.test", "x.y.b.test"] {
        let refused = peer.connect(&program.address, name, true).await;
        let refused = refused.err().unwrap().to_string();
        assert!(refused.contains("not valid for name"), "{refused}");
    }
    let line = program.event("request rejected").await;
    assert_eq!(line["reason"], "tls_refused");
    program.stop().await;
}

#[tokio::test]
async fn clients_show_certificates_as_the_settings_say() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let upstream = Upstream::start().await;
    let ca = authority.file();
    let shown = authority.issue("a.test", Validity::Now);
    let known = authority.issue("a client", Validity::Now);
    let expired = authority.issue("a client", Validity::Over);
    let unknown = stranger.issue("a client", Validity::Now);
    let known_by = |who: &Issued| TlsPeer::new(&authority, Some(who), BOTH);
    let subject = "[route.headers]\nset = { x-client = \"{tls.subject}\" }\n";
    for (auth, nobody_gets_in, is_asked) in [
        ("off", true, false),
        ("optional", true, true),
        ("required", false, true),
    ] {
        let more = match auth {
            "off" => String::new(),
            _ => format!("client_auth = {auth:?}\nclient_ca = {ca:?}"),
        };
        let tls = listen_tls(&authority, &[("a", &shown)], &more);
        let settings = serving(
            upstream.url(),
            &tls,
            &format!("http = \"forward\"\n{subject}"),
        );
        let program = Program::run(&settings).await;
        let nobody = TlsPeer::new(&authority, None, BOTH);
        for (peer, gets_in, subject) in [
            (&nobody, nobody_gets_in, ""),
            (
                &known_by(&known),
                true,
                if is_asked { "CN=a client" } else { "" },
            ),
            (&known_by(&unknown), !is_asked, ""),
            (&known_by(&expired), !is_asked, ""),
        ] {
            let asked = asks(peer, &program, &upstream).await;
            assert_eq!(asked.as_deref(), gets_in.then_some(subject), "{auth}");
        }
        let log = program.stop().await;
        let refused = |reason: &str| log.matches(&format!("\"{reason}\"")).count();
        assert_eq!(
            refused("client_certificate_missing"),
            usize::from(auth == "required")
        );
        assert_eq!(refused("client_certificate"), usize::from(is_asked));
        assert_eq!(refused("client_certificate_expired"), usize::from(is_asked));
    }
}

/// The subject that the server sees in a request of this client; none if the client is refused. A header of that name
/// by the client itself never gets there.
async fn asks(peer: &TlsPeer, program: &Program, upstream: &Upstream) -> Option<String> {
    let (mut wire, _) = peer.connect(&program.address, "a.test", true).await.ok()?;
    let request = "GET /ws/ HTTP/1.1\r\nHost: a.test\r\nX-Client: CN=mallory\r\n\r\n";
    if !wire.try_send(request).await {
        return None;
    }
    let answered = async {
        let (mut server, head) = upstream.request().await;
        let ok = answer("200 OK", "Connection: close\r\n", "ok");
        server.send(ok).await;
        head.all("x-client").join(" and ")
    };
    tokio::select! {
        biased;
        seen = answered => Some(seen),
        end = wire.end() => {
            assert_eq!(end, b"");
            None
        }
    }
}

#[tokio::test]
async fn no_version_below_the_lowest_is_spoken() {
    let (authority, upstream) = (Authority::new(), Upstream::start().await);
    let shown = authority.issue("a.test", Validity::Now);
    for (lowest, expected) in [("1.2", [true, true]), ("1.3", [false, true])] {
        let more = format!("min_version = {lowest:?}");
        let tls = listen_tls(&authority, &[("a", &shown)], &more);
        let program = Program::run(&serving(upstream.url(), &tls, "")).await;
        for (version, expected) in [&TLS12, &TLS13].into_iter().zip(expected) {
            let peer = TlsPeer::new(&authority, None, &[version]);
            let connected = peer.connect(&program.address, "a.test", true).await;
            assert_eq!(connected.is_ok(), expected, "{lowest}: {version:?}");
        }
        let log = program.stop().await;
        assert_eq!(log.contains("tls_incompatible"), lowest == "1.3", "{log}");
    }
}

#[tokio::test]
async fn a_certificate_that_changes_is_shown_from_then_on_and_a_broken_one_changes_nothing() {
    let (authority, echo) = (Authority::new(), Echo::start().await);
    let [first, second] = [(); 2].map(|()| authority.issue("a.test", Validity::Now));
    let tls = listen_tls(&authority, &[("a", &first)], "");
    let program = Program::run(&serving(echo.url(), &tls, "")).await;
    let peer = TlsPeer::new(&authority, None, BOTH);
    let mut held = open(&peer, &program, "a.test").await;
    let shown = async |sends_name| {
        // Without what an earlier session has left, a handshake is whole.
        let peer = TlsPeer::new(&authority, None, BOTH);
        let connected = peer
            .connect(&program.address, "a.test", sends_name)
            .await
            .unwrap();
        connected.1.certificate
    };

    let (cert, _) = authority.write_identity_as("a", &first);
    std::fs::write(&cert, "no certificate").unwrap();
    program.signal(Signal::HUP);
    let rejected = program.event("reload rejected").await.to_string();
    assert!(rejected.contains("a.pem"), "{rejected}");
    assert_eq!(shown(true).await, *first.certificate());

    // Nobody says so this time: the files are looked at.
    authority.write_identity_as("a", &second);
    let reloaded = program.event("settings reloaded").await.to_string();
    assert!(reloaded.contains("listen.tls"), "{reloaded}");
    assert_eq!(shown(true).await, *second.certificate());
    assert_eq!(shown(false).await, *second.certificate());
    held.echoes("still here").await;
    held.close().await;
    program.stop().await;
}

#[tokio::test]
async fn a_session_is_resumed_on_every_worker_but_not_where_certificates_are_asked_for() {
    let (authority, upstream) = (Authority::new(), Upstream::start().await);
    let (shown, ca) = (authority.issue("a.test", Validity::Now), authority.file());
    let verified = format!("client_auth = \"optional\"\nclient_ca = {ca:?}");
    for (more, is_resumed) in [("", true), (&*verified, false)] {
        for version in [&TLS12, &TLS13] {
            let tls = listen_tls(&authority, &[("a", &shown)], more);
            let workers = "[server]\nworkers = 4\n";
            let program = Program::run(&serving(upstream.url(), &tls, workers)).await;
            let peer = TlsPeer::new(&authority, None, &[version]);
            let mut open = Vec::new();
            for nth in 0..9 {
                let connected = peer.connect(&program.address, "a.test", true).await;
                let (mut wire, shown) = connected.unwrap();
                assert_eq!(shown.is_resumed, is_resumed && nth > 0, "{nth}");
                // Tickets of version 1.3 come with the first answer.
                wire.send("GET /nothing HTTP/1.1\r\nHost: a.test\r\n\r\n")
                    .await;
                assert_eq!(wire.head().await.status(), 404);
                open.push(wire);
            }
            program.stop().await;
        }
    }
}

#[tokio::test]
async fn a_request_for_another_host_than_the_handshake_named_is_misdirected() {
    let (authority, upstream) = (Authority::new(), Upstream::start().await);
    let shown = authority.issue("a.test", Validity::Now);
    let tls = listen_tls(&authority, &[("a", &shown)], "");
    let program = Program::run(&serving(upstream.url(), &tls, "")).await;
    let peer = TlsPeer::new(&authority, None, BOTH);
    for (sends_name, host, status) in [
        (true, "a.test", 404),
        (true, "A.test:8443", 404),
        (true, "a.test.", 404),
        (true, "b.test", 421),
        (true, "x.a.test", 421),
        // Whoever names no host may ask for any.
        (false, "b.test", 404),
    ] {
        let connected = peer.connect(&program.address, "a.test", sends_name).await;
        let mut wire = connected.unwrap().0;
        wire.send(format!("GET /nothing HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await;
        assert_eq!(wire.head().await.status(), status, "{host}");
    }
    let log = program.stop().await;
    assert_eq!(log.matches("\"misdirected\"").count(), 2, "{log}");
}

#[tokio::test]
async fn a_client_without_tls_reads_what_the_port_speaks() {
    let (authority, upstream) = (Authority::new(), Upstream::start().await);
    let shown = authority.issue("a.test", Validity::Now);
    let tls = listen_tls(&authority, &[("a", &shown)], "");
    let program = Program::run(&serving(upstream.url(), &tls, "")).await;
    let mut wire = Wire::connect(&program.address).await;
    wire.send("GET /ws/ HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    // No alert before it, which is no HTTP.
    let refused = String::from_utf8(wire.end().await).unwrap();
    assert!(refused.starts_with("HTTP/1.1 400 "), "{refused:?}");
    assert!(refused.contains("https://"), "{refused}");
    assert_eq!(program.event("request rejected").await["reason"], "not_tls");
    program.stop().await;
}

#[tokio::test]
async fn a_client_that_is_silent_in_its_handshake_is_closed_at_the_deadline() {
    let (authority, upstream) = (Authority::new(), Upstream::start().await);
    let shown = authority.issue("a.test", Validity::Now);
    let tls = listen_tls(&authority, &[("a", &shown)], "");
    let more = "[server]\nhandshake_timeout = \"400ms\"\n";
    let program = Program::run(&serving(upstream.url(), &tls, more)).await;
    // Nothing, a part of a ClientHello, and TLS without a request.
    let mut silent = Wire::connect(&program.address).await;
    let mut begun = Wire::connect(&program.address).await;
    begun.send([0x16, 3, 1, 2, 0, 1]).await;
    let peer = TlsPeer::new(&authority, None, BOTH);
    let connected = peer.connect(&program.address, "a.test", true).await;
    let mut opened = connected.unwrap().0;
    assert_eq!(silent.end().await, b"");
    assert_eq!(begun.end().await, b"");
    assert_eq!(opened.end().await, b"");
    program.stop().await;
}
