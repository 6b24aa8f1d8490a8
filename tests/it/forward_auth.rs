//! An authentication server decides who may come in.

use serde_json::json;
use wsgate::{Config, Gate};

use crate::kit::token::{issuer, token};
use crate::kit::{
    Authority, Bench, Frame, Head, Logs, Request, Setup, Terminator, Upstream, Validity, Wire,
    answer, setup, soon, switching, until,
};

/// A gate whose route asks the server about each request, with these keys beside its URL.
fn asking(upstream: &Upstream, server: &Upstream, keys: &str) -> Setup {
    let url = server.url().replacen("ws://", "http://", 1);
    setup([upstream.url()]).route(&format!(
        "auth.forward = {{ url = \"{url}/check?c4nary=1\", {keys} }}"
    ))
}

const ALLOWED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Answers the next question.
async fn answered(server: &Upstream, with: &str) -> Head {
    let (mut wire, question) = server.request().await;
    wire.send(with).await;
    question
}

/// Has a request refused by a server that answers so.
async fn refused(bench: &Bench, server: &Upstream, with: &str) -> (Head, String) {
    let request = Request::websocket("/");
    let decide = async {
        let (mut wire, _) = server.request().await;
        // The gate need not read all of it.
        wire.try_send(with).await;
    };
    tokio::join!(bench.refused(&request), decide).0
}

/// A session that the server has let in.
async fn session(bench: &Bench, server: &Upstream, upstream: &Upstream) -> (Wire, Wire) {
    let mut client = bench.ask(&Request::websocket("/")).await;
    answered(server, ALLOWED).await;
    let upstream = upstream.session().await;
    assert_eq!(client.head().await.status(), 101);
    (client, upstream)
}

#[tokio::test]
async fn a_server_is_asked_and_what_it_says_goes_upstream_in_the_place_of_the_clients_word() {
    let (upstream, server) = (Upstream::start().await, Upstream::start().await);
    let keys = r#"copy = ["x-user", "x-team"], subject = "x-id""#;
    let bench = asking(&upstream, &server, keys).start().await;
    let request = Request::websocket("/a?token=x")
        .header("Cookie", "session=1")
        .header("Authorization", "Bearer x")
        .header("Sec-WebSocket-Protocol", "v2")
        .header("X-Forwarded-For", "192.0.2.1")
        .header("X-User", "root")
        .header("X-Team", "root")
        .header("x_user", "root")
        .header("X-Id", "0");
    let mut client = bench.ask(&request).await;
    let (mut asked, question) = server.request().await;
    assert_eq!(question.target(), "/check?c4nary=1");
    let mut names = question.names();
    names.sort_unstable();
    let expected = [
        "authorization",
        "connection",
        "cookie",
        "host",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-method",
        "x-forwarded-proto",
        "x-forwarded-uri",
    ];
    assert_eq!(names, expected);
    let authority = server.url().trim_start_matches("ws://");
    assert_eq!(question.one("host"), authority);
    assert_eq!(question.one("connection"), "close");
    assert_eq!(question.one("x-forwarded-for"), "127.0.0.1");
    assert_eq!(question.one("x-forwarded-uri"), "/a?token=x");
    assert_eq!(question.one("cookie"), "session=1");
    assert!(upstream.untouched(), "nobody is let in yet");
    asked
        .send("HTTP/1.1 200 OK\r\nX-User: alice\r\nX-User: al\r\nX-Id: 7\r\nX-Other: 1\r\n\r\n")
        .await;

    let (mut backend, head) = upstream.request().await;
    assert_eq!(head.all("x-user"), ["alice", "al"]);
    for name in ["x-team", "x_user", "x-id", "x-other"] {
        assert!(!head.names().contains(&name), "{head:?}");
    }
    assert_eq!(head.one("cookie"), "session=1");
    backend.send(switching(&head, "")).await;
    assert_eq!(client.head().await.status(), 101);
    let sessions = bench.handle.sessions();
    let identity = sessions[0].identity.as_ref().unwrap();
    assert_eq!(identity.subject(), "7");
}

#[tokio::test]
async fn a_refusal_of_the_server_is_the_answer_to_the_client() {
    let (upstream, server) = (Upstream::start().await, Upstream::start().await);
    let bench = asking(&upstream, &server, "").start().await;
    let logs = Logs::capture();
    let long = "x".repeat(1024 * 1024);
    let lines = "WWW-Authenticate: Basic\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n";
    let (head, body) = refused(&bench, &server, &answer("401 No", lines, "log in")).await;
    assert_eq!((head.status(), &*body), (401, "log in"));
    assert_eq!(head.all("www-authenticate"), ["Basic"]);
    assert_eq!(head.all("set-cookie"), ["a=1", "b=2"]);

    let (head, body) = refused(&bench, &server, &answer("401 No", lines, &long)).await;
    assert_eq!((head.status(), &*body), (401, "this needs a login\n"));
    assert_eq!(head.all("www-authenticate"), ["Basic"]);

    let (head, body) = refused(&bench, &server, &answer("403 No", "", "")).await;
    assert_eq!((head.status(), &*body), (403, ""));

    let lines = "Location: https://login.test/\r\n";
    let (head, body) = refused(&bench, &server, &answer("302 Found", lines, "")).await;
    assert_eq!((head.status(), &*body), (401, "this needs a login\n"));
    assert!(!head.names().contains(&"location"), "{head:?}");
    assert!(upstream.untouched());
    for line in logs.of("wsgate::rejection") {
        assert_eq!(line.field("reason"), "access_denied");
    }
}

#[tokio::test]
async fn without_a_decision_nobody_comes_in_and_the_log_says_why_once() {
    let (upstream, server) = (Upstream::start().await, Upstream::start().await);
    let bench = asking(&upstream, &server, "").start().await;
    let logs = Logs::capture();
    let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1024 * 1024));
    for with in ["HTTP/1.1 500 Oh\r\n\r\n", "no HTTP\r\n\r\n", &head, ""] {
        let (head, body) = refused(&bench, &server, with).await;
        assert_eq!(head.status(), 503, "{with:.40}");
        assert_eq!(head.one("retry-after"), "5");
        assert_eq!(body, "logins cannot be checked at the moment\n");
    }
    assert!(upstream.untouched());
    let long = answer("200 OK", "", &"x".repeat(1024 * 1024));
    let decide = async {
        let (mut wire, _) = server.request().await;
        wire.try_send(&long).await;
    };
    let mut client = bench.ask(&Request::websocket("/")).await;
    let ((), _backend) = tokio::join!(decide, upstream.session());
    assert_eq!(client.head().await.status(), 101);
    let reasons = ["auth_unavailable", "auth_answers"];
    let lines: Vec<_> = logs.all();
    let lines: Vec<_> = lines
        .iter()
        .filter(|line| line.names().contains(&"url"))
        .collect();
    let found: Vec<_> = lines.iter().map(|line| line.field("reason")).collect();
    assert_eq!(found, reasons);
    let error = lines[0].field("error");
    assert!(error.contains("500"), "{error}");
    assert!(!lines[0].field("url").contains("c4nary"));
}

#[tokio::test]
async fn a_server_over_tls_is_verified() {
    let (upstream, server) = (Upstream::start().await, Upstream::start().await);
    let (authority, stranger) = (Authority::new(), Authority::new());
    let shown = authority.issue("localhost", Validity::Now);
    let terminator = Terminator::start(shown, server.url(), None).await;
    let url = terminator
        .url("localhost")
        .replacen("wss://", "https://", 1);
    for (ca, is_trusted) in [(&authority, true), (&stranger, false)] {
        let forward = format!("auth.forward = {{ url = {url:?}, ca = {:?} }}", ca.file());
        let bench = setup([upstream.url()]).route(&forward).start().await;
        let mut client = bench.ask(&Request::websocket("/")).await;
        if is_trusted {
            let question = answered(&server, ALLOWED).await;
            assert!(question.one("host").starts_with("localhost:"));
            upstream.session().await;
        }
        let status = if is_trusted { 101 } else { 503 };
        assert_eq!(client.head().await.status(), status);
    }
    assert!(server.untouched() && upstream.untouched());
}

#[tokio::test]
async fn a_server_is_asked_only_about_clients_whose_credential_is_right() {
    let (upstream, server) = (Upstream::start().await, Upstream::start().await);
    let bench = asking(&upstream, &server, "copy = [\"x-id\"]")
        .top(&issuer())
        .route("auth.jwt = \"main\"");
    let bench = bench.start().await;
    let (head, _) = bench.refused(&Request::websocket("/")).await;
    assert_eq!(head.status(), 401);
    assert!(server.untouched());
    let token = format!("Bearer {}", token(&json!({})));
    let request = Request::websocket("/").header("Authorization", &token);
    let mut client = bench.ask(&request).await;
    let question = answered(&server, &answer("200 OK", "X-Id: 7\r\n", "")).await;
    assert_eq!(question.one("authorization"), token);
    let (mut backend, head) = upstream.request().await;
    assert!(!head.names().contains(&"authorization"), "{head:?}");
    assert_eq!(head.one("x-id"), "7");
    backend.send(switching(&head, "")).await;
    assert_eq!(client.head().await.status(), 101);
    // The client is who its credential says.
    let sessions = bench.handle.sessions();
    let identity = sessions.last().unwrap().identity.as_ref().unwrap();
    assert_eq!(identity.subject(), "alice");
    assert_eq!(identity.token_id(), Some("token-1"));
}

#[tokio::test]
async fn a_reload_changes_whom_new_clients_ask_about_and_not_those_of_open_sessions() {
    let (upstream, server) = (Upstream::start().await, Upstream::start().await);
    let other = Upstream::start().await;
    let bench = asking(&upstream, &server, "recheck = \"50ms\"");
    let bench = bench.start().await;
    let (mut client, _backend) = session(&bench, &server, &upstream).await;
    let changed = asking(&upstream, &other, "").toml();
    bench
        .handle
        .reload(Config::from_toml("test", &changed).unwrap())
        .unwrap();
    let (_client, _backend) = session(&bench, &other, &upstream).await;
    answered(&server, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n").await;
    client.expect_close(4403).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_or_says_nothing_lets_nobody_in() {
    let (upstream, server) = (Upstream::start().await, Upstream::dead());
    let bench = asking(&upstream, &server, "").start().await;
    let (head, _) = bench.refused(&Request::websocket("/")).await;
    assert_eq!(head.status(), 503);
    // One that holds the connection and says nothing.
    let server = Upstream::start().await;
    let bench = asking(&upstream, &server, "timeout = \"50ms\"");
    let bench = bench.start().await;
    let (head, _) = bench.refused(&Request::websocket("/")).await;
    assert_eq!(head.status(), 503);
    assert!(upstream.untouched());
}

#[tokio::test]
async fn a_session_ends_when_the_server_takes_its_right_away_and_not_when_it_fails() {
    let (upstream, server) = (Upstream::start().await, Upstream::start().await);
    let bench = asking(&upstream, &server, "recheck = \"50ms\"");
    let bench = bench.start().await;
    let logs = Logs::capture();
    let (mut client, mut backend) = session(&bench, &server, &upstream).await;
    for with in [ALLOWED, "HTTP/1.1 500 Oh\r\n\r\n", ALLOWED] {
        let question = answered(&server, with).await;
        assert_eq!(question.one("x-forwarded-uri"), "/");
    }
    client.send_frames(&[Frame::text("in")]).await;
    backend.expect(Frame::text("in")).await;
    answered(&server, &answer("302 Found", "Location: /login\r\n", "")).await;
    let closed = client.close_frame().await;
    assert_eq!(closed, (Some(4403), "access denied".to_owned()));
    backend.expect_close(1001).await;
    drop((client, backend));
    until("the end", || bench.handle.open_sessions() == 0).await;
    let line = logs.of("wsgate::access").pop().unwrap();
    assert_eq!(line.field("reason"), "access_denied");
}

#[tokio::test]
async fn nobody_asks_for_a_session_that_has_ended() {
    let (upstream, server) = (Upstream::start().await, Upstream::start().await);
    let bench = asking(&upstream, &server, "recheck = \"50ms\"");
    let bench = bench.start().await;
    let (mut client, mut backend) = session(&bench, &server, &upstream).await;
    // A question that is open when the session ends is given up.
    let (mut open, _) = server.request().await;
    client.send_frames(&[Frame::close(1000, "")]).await;
    backend.expect_close(1000).await;
    backend.send_frame(&Frame::close(1000, "")).await;
    client.expect_close(1000).await;
    drop((client, backend));
    soon("the end of the question", open.end()).await;
    assert_eq!(bench.handle.open_sessions(), 0);
    assert!(server.untouched());
}

#[tokio::test]
async fn a_plain_request_is_asked_about_as_a_handshake_is() {
    let (upstream, server) = (Upstream::start().await, Upstream::start().await);
    let setup = asking(&upstream, &server, "copy = [\"x-user\"]");
    let gate = Gate::builder(
        Config::from_toml("test", &setup.route("http = \"forward\"").toml()).unwrap(),
    );
    let gate = gate.build().unwrap();
    let request = http::Request::post("/a").header("host", "a.test");
    let request = request
        .header("content-length", "3")
        .header("x-user", "root");
    let mut request = request.body(()).unwrap();
    let peer: std::net::SocketAddr = "127.0.0.1:1".parse().unwrap();
    request
        .extensions_mut()
        .insert(wsgate::ClientAddr::from(peer));
    let head = request.into_parts().0;
    let decide = async {
        let question = answered(&server, "HTTP/1.1 204 No\r\nx-user: alice\r\n\r\n").await;
        assert_eq!(question.one("x-forwarded-method"), "POST");
        assert!(
            !question.names().contains(&"content-length"),
            "{question:?}"
        );
    };
    let (admitted, ()) = tokio::join!(gate.admit(head.clone()), decide);
    let request = admitted
        .unwrap()
        .request(http_body_util::Empty::<bytes::Bytes>::new());
    assert_eq!(request.unwrap().headers()["x-user"], "alice");
    let refuse = answered(&server, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    let (refused, _) = tokio::join!(gate.admit(head), refuse);
    assert_eq!(refused.map(drop).unwrap_err().status(), 403);
}
