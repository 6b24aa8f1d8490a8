//! Case I05: the PROXY header of a listener that asks for it, from right and wrong peers.

use crate::kit::{Program, Socket, Upstream, Wire, answer, finish, settings};

const FROM: &str = "proxy_protocol = { from = [\"127.0.0.0/8\"] }\n";
const HEADER: &str = "PROXY TCP4 198.51.100.7 10.0.0.1 12345 443\r\n";
const REQUEST: &str = "GET /ws/ HTTP/1.1\r\nHost: gate.test\r\n\r\n";

/// Settings whose listener takes these proxies.
fn asking(upstream: &Upstream, proxies: &str, more: &str) -> String {
    let more = format!("http = \"forward\"\n{more}");
    let text = settings(upstream.url(), &more);
    text.replacen("\n[log]", &format!("\n{proxies}[log]"), 1)
}

/// Version 2 of a client at 198.51.100.7 that speaks TLS to the proxy.
fn over_tls() -> Vec<u8> {
    let rest = b"\xc6\x33\x64\x07\x0a\0\0\x01\x30\x39\x01\xbb\x20\0\x05\x01\0\0\0\0";
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14", &rest[..]].concat()
}

#[tokio::test]
async fn i05_a_proxy_names_its_client_once_a_connection() {
    let upstream = Upstream::start().await;
    let program = Program::run(&asking(&upstream, FROM, "")).await;
    for (header, scheme) in [(HEADER.as_bytes().to_vec(), "http"), (over_tls(), "https")] {
        let mut client = Wire::connect(&program.address).await;
        // In pieces.
        let (begin, rest) = header.split_at(20);
        client.send(begin).await;
        client.send(rest).await;
        for _ in 0..2 {
            client.send(REQUEST).await;
            let (mut server, head) = upstream.request().await;
            assert_eq!(head.one("x-forwarded-for"), "198.51.100.7");
            assert_eq!(head.one("x-forwarded-proto"), scheme);
            server
                .send(answer("200 OK", "Connection: close\r\n", "ok"))
                .await;
            assert_eq!(client.response().await.text(), "ok");
        }
    }
    program.stop().await;
}

#[tokio::test]
async fn i05_a_session_is_its_clients_and_not_the_proxys() {
    let upstream = Upstream::start().await;
    let rules = "address.deny = [\"198.51.100.66/32\"]\n";
    let program = Program::run(&asking(&upstream, FROM, rules)).await;
    let mut wire = Wire::connect(&program.address).await;
    wire.send(HEADER).await;
    let opened = Socket::open_on(wire, "gate.test", "/ws/", &[]);
    let (opened, _session) = tokio::join!(opened, upstream.session());
    drop(opened.ok().unwrap());
    let line = program.event("session open").await;
    assert_eq!(line["client"], "198.51.100.7");
    assert_eq!(line["peer"], "198.51.100.7:12345");
    let mut wire = Wire::connect(&program.address).await;
    wire.send(HEADER.replace(".7 ", ".66 ")).await;
    let refused = Socket::open_on(wire, "gate.test", "/ws/", &[]).await;
    assert_eq!(refused.err(), Some(403));
    program.stop().await;
}

#[tokio::test]
async fn i05_whoever_sends_no_right_header_is_closed_without_an_answer() {
    let upstream = Upstream::start().await;
    let program = Program::run(&asking(&upstream, FROM, "")).await;
    let long = "x".repeat(5000);
    let mut wrong = 0;
    for sent in [
        REQUEST,
        "PROXY TCP4 198.51.100.7\r\n",
        &format!("PROXY {long}"),
        &long,
    ] {
        let mut client = Wire::connect(&program.address).await;
        let _may_be_closed = client.try_send(sent.as_bytes()).await;
        assert_eq!(client.end().await, b"", "{sent}");
        wrong += 1;
    }
    // One that goes at once is a check, and is not worth a line.
    drop(Wire::connect(&program.address).await);
    let log = program.stop().await;
    assert_eq!(log.matches("bad_proxy_header").count(), wrong, "{log}");
    assert!(upstream.untouched());
}

#[tokio::test]
async fn i05_a_stranger_is_closed_whatever_it_sends() {
    let upstream = Upstream::start().await;
    let elsewhere = FROM.replace("127.0.0.0/8", "192.0.2.0/24");
    let program = Program::run(&asking(&upstream, &elsewhere, "")).await;
    for sent in [HEADER, REQUEST, ""] {
        let mut client = Wire::connect(&program.address).await;
        let _may_be_closed = client.try_send(sent.as_bytes()).await;
        assert_eq!(client.end().await, b"", "{sent}");
    }
    let log = program.stop().await;
    assert_eq!(log.matches("proxy_denied").count(), 3, "{log}");
    assert!(upstream.untouched());
}

#[tokio::test]
async fn i05_a_header_has_the_time_of_a_head() {
    let upstream = Upstream::start().await;
    let more = "[server]\nhandshake_timeout = \"300ms\"";
    let program = Program::run(&asking(&upstream, FROM, more)).await;
    for sent in ["", "PROXY TCP4 198.", HEADER] {
        let mut client = Wire::connect(&program.address).await;
        client.send(sent).await;
        assert_eq!(client.end().await, b"", "{sent}");
    }
    program.stop().await;
}

#[tokio::test]
async fn i05_a_reload_changes_who_may_speak_to_new_connections() {
    let upstream = Upstream::start().await;
    let text =
        |proxies: &str| asking(&upstream, proxies, "").replace("127.0.0.1:0", "unix:gate.sock");
    let program = Program::run(&text("")).await;
    // Whoever may open the file of the socket may speak.
    program.rewrite(&text("proxy_protocol = { from = [] }\n"));
    let reloaded = program.event("settings reloaded").await;
    assert!(
        reloaded.to_string().contains("listen.proxy_protocol"),
        "{reloaded}"
    );
    let mut client = Wire::connect_unix(&program.file("gate.sock")).await;
    client.send([HEADER, REQUEST].concat()).await;
    let (mut server, head) = upstream.request().await;
    assert_eq!(head.one("x-forwarded-for"), "198.51.100.7");
    server
        .send(answer("200 OK", "Connection: close\r\n", "ok"))
        .await;
    assert_eq!(client.response().await.text(), "ok");
    program.stop().await;
}

#[tokio::test]
async fn i05_settings_that_would_serve_nobody_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wsgate.toml");
    let upstream = Upstream::start().await;
    std::fs::write(
        &file,
        asking(&upstream, "proxy_protocol = { from = [] }\n", ""),
    )
    .unwrap();
    let checked = finish(&["check", file.to_str().unwrap()]).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(
        checked.stderr.contains("no proxy may connect"),
        "{checked:?}"
    );
}
