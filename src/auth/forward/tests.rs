use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::config::Route;
use crate::request::{ClientIdentity, Facts, Kind, Lines, Target};
use crate::transport::race_tests::refusing;
use crate::types::{ClientAddr, OverTls};

const LIMIT: Duration = Duration::from_secs(5);

/// A request of a WebSocket with these headers beside the required ones.
fn websocket(headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::get("/a/%62?token=x&y")
        .header("host", "Chat.test:81")
        .header("connection", "keep-alive, Upgrade, x-private")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

fn client() -> ClientIdentity {
    ClientIdentity {
        ip: "2001:db8::7".parse().unwrap(),
        peer: ClientAddr::Unix,
        trusted: None,
    }
}

fn handshake(request: Request<()>) -> Handshake {
    let parts = request.into_parts().0;
    let route = Arc::new(Route::for_tests("chat", "/*"));
    Handshake::websocket(&parts, client(), &route).unwrap()
}

fn plain(request: Request<()>) -> Handshake {
    let parts = request.into_parts().0;
    let lines = Lines::read(&parts.headers);
    let target = Target::read(&parts.uri, parts.version, &lines).unwrap();
    let facts = Facts::new(client(), target, Kind::Plain, lines);
    let route = Arc::new(Route::for_tests("chat", "/*"));
    Handshake::new(parts.clone(), facts, route)
}

fn server(address: SocketAddr) -> ForwardAuth {
    ForwardAuth::new(&Arc::new(AuthServer {
        url: format!("http://{address}/check?canary=1").parse().unwrap(),
        tls: None,
        copy: vec!["x-user".parse().unwrap(), "x-team".parse().unwrap()],
        subject: Some("x-subject".parse().unwrap()),
        timeout: LIMIT,
        recheck: None,
    }))
}

/// Has a server answer one question, and returns what became of it and the head that the server got.
async fn checked(handshake: &Handshake, answer: &[u8]) -> (Result<Grant, Rejection>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = server(listener.local_addr().unwrap());
    let serve = async {
        let mut stream = listener.accept().await.unwrap().0;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        // The gate need not read all of it.
        let _ = stream.write_all(answer).await;
        String::from_utf8(head).unwrap()
    };
    tokio::join!(server.check(handshake), serve)
}

async fn denied(answer: &str) -> Response<Full<Bytes>> {
    let (checked, _) = checked(&handshake(websocket(&[])), answer.as_bytes()).await;
    let rejection = checked.unwrap_err();
    assert_eq!(rejection.reason(), "access_denied", "{answer:.40}");
    rejection.into_response()
}

fn lines(head: &str) -> Vec<&str> {
    let mut lines: Vec<_> = head.trim_end().split("\r\n").collect();
    lines[1..].sort_unstable();
    lines
}

const ALLOWED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn the_server_gets_the_credentials_and_nothing_of_the_upgrade_or_of_a_forgery() {
    let mut request = websocket(&[
        ("origin", "https://chat.test"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("authorization", "Bearer x"),
        ("sec-websocket-protocol", "v2"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("content-length", "0"),
        ("content-type", "text/plain"),
        ("expect", "100-continue"),
        ("if-none-match", "*"),
        ("range", "bytes=0-1"),
        ("te", "trailers"),
        ("keep-alive", "x"),
        ("proxy-authorization", "x"),
        ("x-private", "x"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-user", "root"),
        ("x-forwarded-uri", "/open"),
        ("forwarded", "for=192.0.2.1"),
        ("x-real-ip", "192.0.2.1"),
        ("x-original-url", "/open"),
        ("cf-connecting-ip", "192.0.2.1"),
        ("x-user", "root"),
        ("x_team", "root"),
        ("x-subject", "root"),
        ("x-kept", "1"),
    ]);
    request.extensions_mut().insert(OverTls::new());
    let (checked, head) = checked(&handshake(request), ALLOWED).await;
    checked.unwrap();
    let host = lines(&head)
        .into_iter()
        .find(|line| line.starts_with("host: 127.0.0.1:"));
    let expected = [
        "GET /check?canary=1 HTTP/1.1",
        "authorization: Bearer x",
        "connection: close",
        "cookie: a=1",
        "cookie: b=2",
        host.unwrap(),
        "origin: https://chat.test",
        "x-forwarded-for: 2001:db8::7",
        "x-forwarded-host: chat.test:81",
        "x-forwarded-method: GET",
        "x-forwarded-proto: https",
        "x-forwarded-uri: /a/b?token=x&y",
        "x-kept: 1",
    ];
    assert_eq!(lines(&head), expected);
}

#[tokio::test]
async fn the_method_is_that_of_the_request_and_of_a_websocket_get() {
    let post = Request::post("/a").header("host", "chat.test").body(());
    let (_, head) = checked(&plain(post.unwrap()), ALLOWED).await;
    assert!(head.starts_with("GET /check"), "{head}");
    assert!(head.contains("x-forwarded-method: POST\r\n"), "{head}");
    assert!(head.contains("x-forwarded-proto: http\r\n"), "{head}");

    let old = Request::get("/a").version(Version::HTTP_10).body(());
    let (_, head) = checked(&plain(old.unwrap()), ALLOWED).await;
    assert!(!head.contains("x-forwarded-host"), "{head}");

    let mut connect = websocket(&[]);
    *connect.method_mut() = Method::CONNECT;
    let parts = connect.into_parts().0;
    let of_get = websocket(&[]).into_parts().0;
    let lines = Lines::read(&parts.headers);
    let target = Target::read(&parts.uri, parts.version, &lines).unwrap();
    let kind = Kind::WebSocket(crate::request::Offer::of(&of_get).unwrap());
    let facts = Facts::new(client(), target, kind, lines);
    let route = Arc::new(Route::for_tests("chat", "/*"));
    let connect = Handshake::new(parts.clone(), facts, route);
    let (_, head) = checked(&connect, ALLOWED).await;
    assert!(head.contains("x-forwarded-method: GET\r\n"), "{head}");
}

#[tokio::test]
async fn a_server_that_lets_in_says_who_it_is_and_its_body_is_not_read() {
    let long = "x".repeat(1024 * 1024);
    let answer = format!(
        "HTTP/1.1 204 No Content\r\nx-user: alice\r\nX-User: al\r\nx-subject: 7\r\nx-other: x\r\n\r\n{long}"
    );
    for answer in [answer.replace("204 No Content", "200 OK"), answer] {
        let (grant, _) = checked(&handshake(websocket(&[])), answer.as_bytes()).await;
        let grant = grant.unwrap();
        let sent: Vec<_> = grant.headers().iter().collect();
        let values = |wanted: &str| {
            let named = sent.iter().filter(|(name, _)| name == wanted);
            named
                .map(|(_, value)| value.as_ref().map(|value| value.to_str().unwrap()))
                .collect::<Vec<_>>()
        };
        assert_eq!(values("x-user"), [None, Some("alice"), Some("al")]);
        // Not said, and taken out all the same.
        assert_eq!(values("x-team"), [None]);
        assert_eq!(values("x-subject"), [None]);
        assert_eq!(sent.len(), 5);
        assert_eq!(grant.identity().unwrap().subject(), "7");
    }
    let (grant, _) = checked(&handshake(websocket(&[])), ALLOWED).await;
    assert!(grant.unwrap().identity().is_none());
}

#[tokio::test]
async fn who_is_revoked_while_the_server_is_asked_does_not_come_in() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = server(listener.local_addr().unwrap());
    let serve = async {
        let mut stream = listener.accept().await.unwrap().0;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let revoked = SystemTime::now();
        // The answer is of a later moment, by whatever the clock can tell apart.
        while SystemTime::now() == revoked {}
        let answer = b"HTTP/1.1 200 OK\r\nx-subject: 7\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        (stream, revoked)
    };
    let handshake = handshake(websocket(&[]));
    let (grant, (_stream, revoked)) = tokio::join!(server.check(&handshake), serve);
    let known = grant.unwrap().identity().unwrap().issued_at().unwrap();
    assert!(known <= revoked, "{known:?} {revoked:?}");
}

#[tokio::test]
async fn a_refusal_goes_on_with_its_body_and_its_end_to_end_headers() {
    let answer = "HTTP/1.1 401 No\r\nwww-authenticate: Basic\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\
        connection: x-hop\r\nx-hop: 1\r\nkeep-alive: 1\r\ncontent-type: text/html\r\n\
        transfer-encoding: chunked\r\n\r\n3\r\n<p>\r\n0\r\n\r\n";
    let response = denied(answer).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let headers = response.headers();
    assert_eq!(headers[WWW_AUTHENTICATE], "Basic");
    assert_eq!(headers[CONTENT_TYPE], "text/html");
    assert_eq!(Vec::from_iter(headers.get_all(SET_COOKIE)), ["a=1", "b=2"]);
    assert_eq!(headers["connection"], "close");
    for name in ["x-hop", "keep-alive", "transfer-encoding"] {
        assert!(!headers.contains_key(name), "{headers:?}");
    }
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "<p>");

    let long = "x".repeat(1024 * 1024);
    for (length, expected) in [
        (64 * 1024, None),
        (long.len(), Some("this request is not allowed\n")),
    ] {
        let body = &long[..length];
        let answer = format!(
            "HTTP/1.1 403 No\r\ncontent-length: {length}\r\nx-kept: 1\r\netag: x\r\n\r\n{body}"
        );
        let response = denied(&answer).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(response.headers()["x-kept"], "1");
        assert_eq!(response.headers().contains_key("etag"), expected.is_none());
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), expected.unwrap_or(&long[..length]));
    }
}

#[tokio::test]
async fn a_redirect_is_a_refusal_that_leads_nowhere() {
    let answer = "HTTP/1.1 302 Found\r\nlocation: https://login.test/\r\nset-cookie: a=1\r\n\
        content-length: 0\r\n\r\n";
    let response = denied(answer).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
    assert!(!response.headers().contains_key(LOCATION));
    assert!(!response.headers().contains_key(SET_COOKIE));
}

#[tokio::test]
async fn whatever_else_a_server_says_decides_nothing() {
    let long = format!(
        "HTTP/1.1 200 OK\r\nx-user: {}\r\n\r\n",
        "x".repeat(1024 * 1024)
    );
    for answer in [
        "HTTP/1.1 500 Error\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 407 Proxy\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        "HTTP/1.1 401 No\r\ncontent-length: 9\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nx-subject: a\r\nx-subject: b\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx-subject: \r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx-subject: \u{e9}\r\ncontent-length: 0\r\n\r\n",
        "no HTTP\r\n\r\n",
        "",
        &long,
    ] {
        let (checked, _) = checked(&handshake(websocket(&[])), answer.as_bytes()).await;
        assert_eq!(
            checked.unwrap_err(),
            Rejection::AuthUnavailable,
            "{answer:.60}"
        );
    }
    let (_held, address) = refusing();
    let checked = server(address).check(&handshake(websocket(&[]))).await;
    assert_eq!(checked.unwrap_err(), Rejection::AuthUnavailable);
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_is_given_up_and_not_asked_by_too_many() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = server(listener.local_addr().unwrap());
    let handshake = handshake(websocket(&[]));
    let started = Instant::now();
    let checks = (0..QUESTIONS).map(|_| server.check(&handshake));
    let one_more = async {
        while server.0.handshakes.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let checked = server.check(&handshake).await;
        (checked.unwrap_err(), started.elapsed())
    };
    let checks = futures_util::future::join_all(checks);
    let (checked, (error, elapsed)) = tokio::join!(checks, one_more);
    assert_eq!(
        (error, elapsed),
        (Rejection::AuthUnavailable, Duration::ZERO)
    );
    for checked in checked {
        assert_eq!(checked.unwrap_err(), Rejection::AuthUnavailable);
    }
    assert_eq!(started.elapsed(), LIMIT);
    let shown = format!("{server:?}");
    assert!(!shown.contains("canary"), "{shown}");
}
