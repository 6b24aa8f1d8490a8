//! The examples run, and do what they are there to show.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

#[cfg(feature = "server")]
use crate::kit::{Authority, BOTH, TlsPeer, Validity};
use crate::kit::{Echo, Frame, Request, Socket, Upstream, Wire, answer, soon, switching};

/// A running example; it ends when this is dropped.
struct Example {
    address: String,
    _child: Child,
}

impl Example {
    /// Starts it before a backend, and waits until it says where it listens.
    async fn run(name: &str, backend: &str) -> Self {
        Self::run_with(name, backend, &[]).await
    }

    /// The same with further arguments.
    async fn run_with(name: &str, backend: &str, more: &[&str]) -> Self {
        let path = built(name);
        let mut child = Command::new(&path)
            .args(["127.0.0.1:0", backend])
            .args(more)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; cargo build --examples", path.display()));
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        soon("a first line", output.read_line(&mut line))
            .await
            .unwrap();
        let (_, rest) = line.split_once("://").unwrap();
        let address = rest.split('/').next().unwrap().to_owned();
        Self {
            address,
            _child: child,
        }
    }
}

/// Cargo puts examples beside the folder of the tests.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples").join(name)
}

#[tokio::test]
async fn the_axum_example_serves_its_own_pages_and_the_backends_sessions() {
    let backend = Echo::start().await;
    let example = Example::run("embed_axum", backend.url()).await;
    let mut socket = Socket::open(&example.address, "/ws/room").await;
    socket.echoes("hello").await;
    let mut wire = Wire::connect(&example.address).await;
    wire.send(Request::plain("/").text()).await;
    assert_eq!(wire.head().await.status(), 200);
}

#[tokio::test]
async fn the_proxy_example_passes_plain_requests_on_and_sessions_through_the_gate() {
    let upstream = Upstream::start().await;
    let example = Example::run("reverse_proxy", upstream.url()).await;
    let mut client = Wire::connect(&example.address).await;
    let request = Request::plain("/page?x").header("connection", "x-mine");
    client
        .send(request.header("x-mine", "ends here").text())
        .await;
    let (mut server, head) = upstream.request().await;
    assert_eq!(head.target(), "/page?x");
    assert!(!head.names().contains(&"x-mine"), "{head:?}");
    server.send(answer("200 OK", "", "a page")).await;
    assert_eq!(client.response().await.text(), "a page");

    let mut client = Wire::connect(&example.address).await;
    client.send(Request::websocket("/ws/room").text()).await;
    let mut server = upstream.session().await;
    assert_eq!(client.head().await.status(), 101);
    client.send_frames(&[Frame::text("hello")]).await;
    server.expect(Frame::text("hello")).await;
}

#[tokio::test]
async fn the_policy_example_looks_tokens_up_and_ends_sessions_with_them() {
    let upstream = Upstream::start().await;
    let example = Example::run("auth_policy", upstream.url()).await;
    let ask = async |token: Option<&str>| {
        let mut client = Wire::connect(&example.address).await;
        let mut request = Request::websocket("/").header("x-user", "root");
        if let Some(token) = token {
            request = request.header("authorization", &format!("Bearer {token}"));
        }
        client.send(request.text()).await;
        client
    };
    for token in [None, Some("made up")] {
        assert_eq!(ask(token).await.head().await.status(), 401, "{token:?}");
    }
    let mut client = ask(Some("bob-for-a-second")).await;
    let (mut server, head) = upstream.request().await;
    assert_eq!(head.all("x-user"), ["bob"]);
    assert!(head.all("authorization").is_empty(), "{head:?}");
    server.send(switching(&head, "")).await;
    assert_eq!(client.head().await.status(), 101);
    client.expect_close(4401).await;
    server.expect_close(1001).await;
}

#[tokio::test]
async fn the_login_example_lets_a_cookie_in_and_ends_its_sockets_with_the_login() {
    let upstream = Upstream::start().await;
    let example = Example::run("axum_sessions", upstream.url()).await;
    let post = async |path: &str, cookie: &str, body: &str| {
        let length = body.len();
        let mut wire = Wire::connect(&example.address).await;
        wire.send(format!(
            "POST {path} HTTP/1.1\r\nHost: gate.test\r\nCookie: {cookie}\r\nContent-Type: text/plain\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ))
        .await;
        wire.response().await
    };
    let login = post("/login", "a=b", "alice").await;
    let cookie = login
        .head
        .one("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let ask = async |cookie: &str| {
        let mut client = Wire::connect(&example.address).await;
        let request = Request::websocket("/ws/a").header("Cookie", cookie);
        client.send(request.header("X-User", "root").text()).await;
        client
    };
    assert_eq!(ask("session=made-up").await.head().await.status(), 401);
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut client = ask(&cookie).await;
        let (mut server, head) = upstream.request().await;
        assert_eq!(head.all("x-user"), ["alice"]);
        assert!(head.all("cookie").is_empty(), "{head:?}");
        server.send(switching(&head, "")).await;
        assert_eq!(client.head().await.status(), 101);
        open.push((client, server));
    }
    assert_eq!(ask(&cookie).await.head().await.status(), 429);
    let logout = post("/logout", &cookie, "").await;
    assert_eq!(logout.text(), "3 sockets of alice closed\n");
    for (client, _) in &mut open {
        client.expect_close(4403).await;
    }
    assert_eq!(ask(&cookie).await.head().await.status(), 401);
}

#[tokio::test]
async fn the_filter_example_names_the_client_and_drops_what_has_no_type() {
    let backend = Echo::start().await;
    let example = Example::run("message_filter", backend.url()).await;
    let mut socket = Socket::open(&example.address, "/").await;
    socket.send("no JSON").await;
    socket.send(r#"{"type":"greeting"}"#).await;
    // The first thing to come back is the second that was sent.
    let expected = r#"{"client":"127.0.0.1","type":"greeting"}"#;
    assert_eq!(socket.next().await.into_text().unwrap().as_str(), expected);
}

#[cfg(feature = "server")]
#[tokio::test]
async fn the_tls_example_tells_the_backend_who_its_client_is() {
    let (authority, upstream) = (Authority::new(), Upstream::start().await);
    let shown = authority.issue("a.test", Validity::Now);
    let (cert, key) = authority.write_identity_as("a", &shown);
    let files = [&cert, &key, &authority.file()].map(|file| file.to_str().unwrap().to_owned());
    let files = files.each_ref().map(String::as_str);
    let example = Example::run_with("over_tls", upstream.url(), &files).await;
    let known = authority.issue("a known client", Validity::Now);
    for (shows, subject) in [(Some(&known), "CN=a known client"), (None, "")] {
        let peer = TlsPeer::new(&authority, shows, BOTH);
        let connected = peer.connect(&example.address, "a.test", true).await;
        let mut client = connected.unwrap().0;
        let request = Request::websocket("/ws/room").with("Host", "a.test");
        let forged = request.clone().header("X-Client-Subject", "CN=mallory");
        client.send(forged.text()).await;
        let (mut server, head) = upstream.request().await;
        assert_eq!(
            head.all("x-client-subject"),
            Vec::from_iter(Some(subject).filter(|it| !it.is_empty()))
        );
        assert_eq!(head.one("x-forwarded-proto"), "https");
        server.send(switching(&head, "")).await;
        assert_eq!(client.head().await.status(), 101);
        client.send_frames(&[Frame::text("hello")]).await;
        server.expect(Frame::text("hello")).await;
    }
    let peer = TlsPeer::new(&authority, None, BOTH);
    let connected = peer.connect(&example.address, "a.test", true).await;
    let mut client = connected.unwrap().0;
    let elsewhere = Request::websocket("/ws/room").with("Host", "b.test");
    client.send(elsewhere.text()).await;
    assert_eq!(client.head().await.status(), 421);
}
