//! Cases I13 and I14: who a client proves to be, and who cannot be asked about it.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::kit::token::{issuer, now, token};
use crate::kit::{CANARY, Frame, Host, Request, Stage, Upstream};

/// A place of a credential: what stands in `from`, and a request that shows a credential there.
type Place = (&'static str, fn(&str) -> Request);

const PLACES: [Place; 5] = [
    ("header:authorization", |shown| {
        plain().header("Authorization", &format!("Bearer {shown}"))
    }),
    ("header:x-api-key", |shown| {
        plain().header("X-Api-Key", shown)
    }),
    ("cookie:session", |shown| {
        plain().header("Cookie", &format!("a=b; session={shown}; c=d"))
    }),
    ("query:token", |shown| {
        Request::websocket(&format!("/ws/room?a=b&token={shown}"))
    }),
    ("subprotocol:bearer.", |shown| {
        plain().header("Sec-WebSocket-Protocol", &format!("bearer.{shown}, chat"))
    }),
];

fn plain() -> Request {
    Request::websocket("/ws/room")
}

/// A gate whose attacked route asks for a token there.
async fn guarded(host: Host, place: &str) -> Stage {
    let upstream = Upstream::start().await;
    let pool = format!("servers = [\"{}\"]", upstream.url());
    let route = format!("auth = {{ from = [\"{place}\"], jwt = \"main\" }}");
    Stage::on_with(host, upstream, &pool, &route, &issuer()).await
}

/// A token with the signature that the case wants in the place of its own.
fn signed(token: &str, signature: &str) -> String {
    let (signed, _own) = token.rsplit_once('.').expect("a token");
    format!("{signed}.{signature}")
}

/// A token of these claims that says that it is not signed.
fn unsigned(token: &str) -> String {
    let header = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#);
    let claims = token.split('.').nth(1).expect("a token");
    format!("{header}.{claims}.{CANARY}")
}

#[tokio::test]
async fn i13_a_credential_is_missing_forged_or_for_somebody_else() {
    for host in [Host::Program, Host::HyperLayer] {
        for (place, shows) in PLACES {
            let mut stage = guarded(host, place).await;
            let right = token(&json!({}));
            for (shown, reason) in [
                ("", "credential_missing"),
                (CANARY, "token_malformed"),
                (&*format!("{CANARY}.{CANARY}.{CANARY}"), "token_malformed"),
                (&*signed(&right, "c4naryAA"), "token_signature"),
                (&*signed(&right, ""), "token_signature"),
                (&*unsigned(&right), "token_algorithm"),
                (&*token(&json!({ "exp": now() - 31 })), "token_expired"),
                (&*token(&json!({ "aud": "mail" })), "token_audience"),
                (&*token(&json!({ "iss": "tests/" })), "token_issuer"),
            ] {
                let what = format!("{place}: {reason}");
                let answer = stage.refused(&what, shows(shown).text(), 401, reason).await;
                assert!(!format!("{answer:?}").contains(CANARY), "{answer:?}");
            }
            let asked = stage.accepted(place, shows(&right).text()).await;
            let asked = format!("{asked:?}");
            let part = right.rsplit('.').next().expect("a signature");
            assert!(!asked.contains(part), "{asked}");
            stage.stands().await;
        }
    }
}

#[tokio::test]
async fn i13_a_request_shows_two_credentials() {
    let from = PLACES.map(|(place, _)| place).join("\", \"");
    let mut stage = guarded(Host::Program, &from).await;
    let (alice, bob) = (token(&json!({})), token(&json!({ "sub": "bob" })));
    let bearer = format!("Bearer {bob}");
    for (place, shows) in &PLACES[1..] {
        let request = shows(&alice).header("Authorization", &bearer);
        stage
            .refused(place, request.text(), 400, "credential_ambiguous")
            .await;
    }
    let twice = Request::websocket(&format!("/ws/room?token={alice}&%74oken={bob}"));
    stage
        .refused("twice", twice.text(), 400, "credential_ambiguous")
        .await;
    stage.stands().await;
}

/// A server that answers each request with these bytes, or with nothing, until it is dropped.
async fn server(answer: &'static [u8]) -> (AbortOnDropHandle<()>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serve = async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _request = stream.read(&mut head).await;
            let _sent = stream.write_all(answer).await;
            open.push(stream);
        }
    };
    let task = AbortOnDropHandle::new(TaskTracker::new().spawn(serve));
    (task, format!("http://{address}/"))
}

#[tokio::test]
async fn i14_nobody_can_say_whether_a_client_may_come_in() {
    for (what, answer) in [
        ("it is slow", &b""[..]),
        ("it is no HTTP", b"c4nary c4nary\r\n\r\n"),
        (
            "it fails",
            b"HTTP/1.1 500 c4nary\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "it is short",
            b"HTTP/1.1 401 c4nary\r\ncontent-length: 9\r\n\r\nc4nary",
        ),
    ] {
        let (_server, url) = server(answer).await;
        let route = format!("auth.forward = {{ url = \"{url}?c4nary\", timeout = \"300ms\" }}");
        let mut stage = Stage::set(&route).await;
        for _ in 0..3 {
            let request = Stage::handshake();
            let answer = stage
                .refused(what, request.text(), 503, "auth_unavailable")
                .await;
            answer.assert(&[("retry-after", "5")]);
        }
        // One line when it begins to fail.
        stage.tells("auth_unavailable");
        stage.stands().await;
    }
}

#[tokio::test]
async fn i14_a_token_expires_while_its_session_lives() {
    for host in [Host::Program, Host::HyperLayer] {
        let mut stage = guarded(host, "header:authorization").await;
        let (_, shows) = PLACES[0];
        let brief = token(&json!({ "exp": now() + 1 }));
        let (mut client, mut server) = stage.session_with(&shows(&brief), "").await;
        client.send_frame(&Frame::text(CANARY)).await;
        server.expect(Frame::text(CANARY)).await;
        client.expect_close(4401).await;
        server.expect_close(1001).await;
        stage.ends("expired");
        drop((client, server));
        stage.stands().await;
    }
}
