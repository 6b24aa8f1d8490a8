//! The right to a session is taken away.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wsgate::{CloseCode, Config, Gate, Revocation, Selection};

use crate::kit::{
    Bench, Echo, Frame, Logs, Request, Upstream, by_headers, known_as, setup, switching, until,
};

async fn bench(url: &str) -> Bench {
    let setup = setup([url]).build(|builder| builder.policy(by_headers));
    setup.start().await
}

/// A client with a token of `main`, issued so many seconds after now.
fn token(subject: &str, id: &str, after_now: i64) -> Request {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let issued = now.as_secs().checked_add_signed(after_now).unwrap();
    let request = known_as(subject).header("x-issuer", "main");
    let request = request.header("x-jti", id).header("x-sid", "login");
    request.header("x-issued-at", &issued.to_string())
}

#[tokio::test]
async fn a_revoked_user_loses_all_sessions_and_nobody_else_does() {
    let upstream = Upstream::start().await;
    let bench = bench(upstream.url()).await;
    let (mut one, mut one_up) = bench.session_by(&token("alice", "a", -60), &upstream).await;
    let (mut two, _two_up) = bench.session_by(&known_as("alice"), &upstream).await;
    let (mut bob, mut bob_up) = bench.session_by(&known_as("bob"), &upstream).await;
    let (_nobody, _nobody_up) = bench.session(&upstream).await;
    let other = Revocation::of_subject("alice").by_issuer("other");
    assert_eq!(bench.handle.revoke(&other), 0);
    let logs = Logs::capture();
    assert_eq!(bench.handle.revoke(&Revocation::of_subject("alice")), 2);
    for client in [&mut one, &mut two] {
        let closed = client.close_frame().await;
        assert_eq!(closed, (Some(4403), "access revoked".to_owned()));
    }
    one_up.expect_close(1001).await;
    drop((one, two, one_up, _two_up));
    until("the ends", || bench.handle.open_sessions() == 2).await;
    let closed = logs.of("wsgate::access").pop().unwrap();
    let words = (closed.field("reason"), closed.field("closed_by"));
    assert_eq!(words, ("revoked", "gate"));
    bob.send_frames(&[Frame::text("in")]).await;
    bob_up.expect(Frame::text("in")).await;
}

#[tokio::test]
async fn what_was_revoked_does_not_come_back_and_a_new_token_does() {
    let echo = Echo::start().await;
    let bench = bench(echo.url()).await;
    bench.handle.revoke(&Revocation::of_subject("alice"));
    bench.handle.revoke(&Revocation::of_token("stolen"));
    bench.handle.revoke(&Revocation::of_login("main", "login"));
    let logs = Logs::capture();
    let without_login = |request: Request| request.without("x-sid");
    for (request, status) in [
        (without_login(token("alice", "a", -5)), 401),
        (without_login(token("alice", "a", 5)), 101),
        (known_as("alice"), 401),
        (without_login(token("bob", "b", -5)), 101),
        (without_login(token("bob", "stolen", 5)), 401),
        (token("bob", "b", 5), 401),
        (token("bob", "b", 5).with("x-issuer", "other"), 101),
        (known_as("bob"), 101),
        (Request::websocket("/"), 101),
    ] {
        let head = bench.ask(&request).await.head().await;
        assert_eq!(head.status(), status, "{}", request.text());
        if status == 401 {
            let challenge = head.one("www-authenticate");
            assert_eq!(challenge, "Bearer error=\"invalid_token\"");
        }
    }
    assert_eq!(echo.taken(), 5);
    let refused = logs.of("wsgate::rejection");
    let reasons: Vec<_> = refused.iter().map(|line| line.field("reason")).collect();
    assert_eq!(reasons, ["token_revoked"; 4]);
    assert!(!format!("{:?}", logs.all()).contains("alice"));
}

#[tokio::test]
async fn a_handshake_on_its_way_does_not_slip_through() {
    let upstream = Upstream::start().await;
    let bench = bench(upstream.url()).await;
    let mut client = bench.ask(&known_as("alice")).await;
    let (mut server, request) = upstream.request().await;
    assert_eq!(bench.handle.revoke(&Revocation::of_subject("alice")), 0);
    server.send(switching(&request, "")).await;
    assert_eq!(client.head().await.status(), 101);
    client.expect_close(4403).await;
    server.expect_close(1001).await;
}

#[tokio::test]
async fn only_sessions_of_old_tokens_end_where_the_revocation_has_a_moment() {
    let upstream = Upstream::start().await;
    let bench = bench(upstream.url()).await;
    let (mut old, _old_up) = bench
        .session_by(&token("alice", "a", -600), &upstream)
        .await;
    let (mut new, mut new_up) = bench.session_by(&token("alice", "b", -60), &upstream).await;
    let moment = SystemTime::now() - Duration::from_secs(300);
    let revocation = Revocation::of_subject("alice").issued_until(moment);
    assert_eq!(bench.handle.revoke(&revocation), 1);
    old.expect_close(4403).await;
    new.send_frames(&[Frame::text("in")]).await;
    new_up.expect(Frame::text("in")).await;
}

#[tokio::test]
async fn a_token_from_a_clock_that_is_ahead_does_not_come_back() {
    let upstream = Upstream::start().await;
    let bench = bench(upstream.url()).await;
    let ahead = token("alice", "a", 3600);
    let (mut client, _server) = bench.session_by(&ahead, &upstream).await;
    assert_eq!(bench.handle.revoke(&Revocation::of_subject("alice")), 1);
    client.expect_close(4403).await;
    let (head, _) = bench.refused(&ahead).await;
    assert_eq!(head.status(), 401);
}

#[tokio::test]
async fn a_plain_request_of_a_revoked_user_is_refused() {
    let text = "[upstream.back]\nservers = [\"http://127.0.0.1:1\"]\n\
                [[route]]\nname = \"app\"\npath = \"/*\"\nupstream = \"back\"\nhttp = \"forward\"\n";
    let config = Config::from_toml("gate.toml", text).unwrap();
    let gate = Gate::builder(config).policy(by_headers).build().unwrap();
    let admitted = async |subject: &str| {
        let request = http::Request::get("/a").header("host", "gate.test");
        let request = request.header("x-subject", subject).body(()).unwrap();
        let (mut head, ()) = request.into_parts();
        head.extensions.insert(wsgate::ClientAddr::Unix);
        let admitted = gate.admit(head).await;
        admitted.map(drop).map_err(|rejection| rejection.reason())
    };
    assert_eq!(admitted("alice").await, Ok(()));
    gate.handle().revoke(&Revocation::of_subject("alice"));
    assert_eq!(admitted("alice").await, Err("token_revoked"));
    assert_eq!(admitted("bob").await, Ok(()));
}

#[tokio::test]
async fn sessions_are_selected_by_subject_issuer_and_token() {
    let upstream = Upstream::start().await;
    let bench = bench(upstream.url()).await;
    let (_one, _one_up) = bench.session_by(&token("alice", "a", 0), &upstream).await;
    let (_two, _two_up) = bench.session_by(&token("alice", "b", 0), &upstream).await;
    let (_three, _three_up) = bench.session_by(&known_as("alice"), &upstream).await;
    let (_nobody, _nobody_up) = bench.session(&upstream).await;
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    for (subject, issuer, token_id, total, revokes) in [
        ("alice", "", "", 3, true),
        ("alice", "main", "", 2, true),
        ("alice", "main", "a", 1, false),
        ("bob", "", "", 0, true),
        ("", "main", "", 2, false),
        ("", "other", "", 0, false),
        ("", "", "b", 1, true),
        ("", "main", "b", 1, true),
        ("", "", "c", 0, true),
        ("", "", "", 4, false),
    ] {
        let selection = Selection {
            subject: some(subject),
            issuer: some(issuer),
            token_id: some(token_id),
            ..Selection::default()
        };
        let page = bench.handle.page(&selection, 0.into(), 10);
        assert_eq!(page.total, total, "{selection:?}");
        assert_eq!(selection.revocation().is_some(), revokes, "{selection:?}");
        let on_route = Selection {
            route: Some("test".to_owned()),
            ..selection
        };
        assert_eq!(on_route.revocation(), None);
    }
    // A close alone revokes nothing.
    let selection = Selection {
        subject: some("alice"),
        ..Selection::default()
    };
    let closed = bench
        .handle
        .close_selected(&selection, CloseCode::NORMAL, "bye");
    assert_eq!(closed, 3);
    let (_again, _again_up) = bench.session_by(&known_as("alice"), &upstream).await;
}
