//! `[admin.tls]`: the interface over TLS, and the commands that use it.

use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::client_tls::listen_tls;
use crate::kit::{
    Authority, BOTH, Finished, Issued, Program, TlsPeer, Upstream, Validity, Wire, finish_with,
    settings,
};

const TOKEN: &str = "0123456789abcdef";

/// `[admin]` at this address with a token, and TLS with this certificate and further lines.
fn admin(address: &str, authority: &Authority, shown: &Issued, more: &str) -> String {
    let tls = listen_tls(authority, &[("admin", shown)], more);
    let tls = tls.replace("[listen.tls]", "[admin.tls]");
    format!("[admin]\naddress = {address:?}\ntoken = {TOKEN:?}\n{tls}")
}

async fn serving(tables: &str) -> Program {
    let upstream = Upstream::start().await;
    Program::run(&settings(upstream.url(), tables)).await
}

/// The status of the answer to a GET with further lines; none if there is no answer.
async fn ask(peer: &TlsPeer, address: &str, target: &str, lines: &str) -> Option<u16> {
    let (mut wire, _) = peer.connect(address, "127.0.0.1", true).await.ok()?;
    let end = "Connection: close\r\n\r\n";
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n{lines}{end}");
    wire.try_send(request).await;
    let answer = String::from_utf8(wire.end().await).unwrap();
    let status = answer.strip_prefix("HTTP/1.1 ")?;
    Some(status[..3].parse().unwrap())
}

/// A command for the interface at this address.
async fn command(arguments: &[&str]) -> Finished {
    finish_with(arguments, &[("WSGATE_ADMIN_TOKEN", TOKEN)]).await
}

#[tokio::test]
async fn the_interface_speaks_tls_and_keeps_its_rules() {
    let authority = Authority::new();
    let shown = authority.issue("127.0.0.1", Validity::Now);
    let table = admin("127.0.0.1:0", &authority, &shown, "min_version = \"1.3\"");
    let program = serving(&table).await;
    let address = program.admin().await;
    let peer = TlsPeer::new(&authority, None, &[&TLS13]);
    let status = async |target, lines: &str| ask(&peer, &address, target, lines).await;
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(status("/healthz", "").await, Some(200));
    assert_eq!(status("/sessions", "").await, Some(401));
    assert_eq!(status("/sessions", &bearer).await, Some(200));
    // A page that the interface itself could have served, and others.
    for (scheme, expected) in [("https", 200), ("http", 403)] {
        let lines = format!("{bearer}Origin: {scheme}://{address}\r\n");
        assert_eq!(
            status("/sessions", &lines).await,
            Some(expected),
            "{scheme}"
        );
    }
    let old = TlsPeer::new(&authority, None, &[&TLS12]);
    assert!(ask(&old, &address, "/healthz", "").await.is_none());
    let mut plain = Wire::connect(&address).await;
    plain
        .send(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n"))
        .await;
    let refused = plain.response().await;
    assert_eq!(refused.status(), 400);
    assert!(refused.text().contains("https://"), "{}", refused.text());
    program.stop().await;
}

#[tokio::test]
async fn clients_of_the_interface_show_certificates_if_it_asks_for_them() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let shown = authority.issue("127.0.0.1", Validity::Now);
    let known = authority.issue("an operator", Validity::Now);
    let unknown = stranger.issue("an operator", Validity::Now);
    let ca = authority.file();
    let more = format!("client_auth = \"required\"\nclient_ca = {ca:?}");
    let program = serving(&admin("127.0.0.1:0", &authority, &shown, &more)).await;
    let address = program.admin().await;
    for (shows, expected) in [
        (None, None),
        (Some(&unknown), None),
        (Some(&known), Some(200)),
    ] {
        let peer = TlsPeer::new(&authority, shows, BOTH);
        let answer = ask(&peer, &address, "/healthz", "").await;
        assert_eq!(answer, expected);
    }
    let url = format!("https://{address}");
    let ca = ca.to_str().unwrap();
    let trusting = ["sessions", "--admin", &url, "--admin-ca", ca];
    assert_ne!(command(&trusting).await.code, Some(0));
    let (cert, key) = authority.write_identity_as("operator", &known);
    let identity = [
        "--admin-cert",
        cert.to_str().unwrap(),
        "--admin-key",
        key.to_str().unwrap(),
    ];
    let done = command(&[&trusting[..], &identity].concat()).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    program.stop().await;
}

#[tokio::test]
async fn commands_verify_the_certificate_of_the_interface() {
    let authority = Authority::new();
    let here = authority.issue("127.0.0.1", Validity::Now);
    let elsewhere = authority.issue("wsgate.test", Validity::Now);
    let ca = authority.file();
    let ca = ca.to_str().unwrap();
    for (shown, name, is_trusted) in [(&here, "here", true), (&elsewhere, "elsewhere", false)] {
        let program = serving(&admin("127.0.0.1:0", &authority, shown, "")).await;
        let address = program.admin().await;
        let url = format!("https://{address}");
        // No authority of the system has issued it.
        let done = command(&["sessions", "--admin", &url]).await;
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.stderr.contains("--admin-ca"), "{done:?}");
        let done = command(&["sessions", "--admin", &url, "--admin-ca", ca]).await;
        assert_eq!(done.code == Some(0), is_trusted, "{name}: {done:?}");
        // The settings name the very certificate.
        let file = program.file("operator.toml");
        std::fs::write(&file, admin(&address, &authority, shown, "")).unwrap();
        let file = file.to_str().unwrap();
        let done = command(&["sessions", "--config", file]).await;
        assert_eq!(done.code, Some(0), "{name}: {done:?}");
        let another = authority.issue("wsgate.test", Validity::Now);
        authority.write_identity_as("admin", &another);
        let done = command(&["sessions", "--config", file]).await;
        assert_eq!(done.code, Some(2), "{name}: {done:?}");
        program.stop().await;
    }
}

#[tokio::test]
async fn a_renewed_certificate_of_the_interface_is_shown_at_once() {
    let authority = Authority::new();
    let first = authority.issue("127.0.0.1", Validity::Now);
    let program = serving(&admin("127.0.0.1:0", &authority, &first, "")).await;
    let address = program.admin().await;
    let second = authority.issue("127.0.0.1", Validity::Now);
    authority.write_identity_as("admin", &second);
    let line = program.event("settings reloaded").await;
    assert_eq!(line["keys"], "admin.tls");
    let peer = TlsPeer::new(&authority, None, BOTH);
    let (_, shown) = peer.connect(&address, "127.0.0.1", true).await.unwrap();
    assert_eq!(shown.certificate, *second.certificate());
    program.stop().await;
}
