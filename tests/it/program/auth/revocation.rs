//! An operator revokes what a token gave.

use serde_json::json;

use super::super::admin::{ask, patch};
use super::{authenticated, bearing, refused, session};
use crate::kit::token::{now, token};
use crate::kit::{Program, Upstream};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"";

#[tokio::test]
async fn a_revoked_user_is_closed_and_comes_back_with_a_new_token_alone() {
    let upstream = Upstream::start().await;
    let program = Program::run(&authenticated(&upstream, "jwt = \"main\"", ADMIN)).await;
    let admin = program.admin().await;
    let of = |subject: &str, id: &str, issued: u64| {
        token(&json!({ "sub": subject, "jti": id, "iat": issued }))
    };
    let (old, bobs) = (of("c4nary", "a", now() - 60), of("bob", "b", now() - 60));
    let ((mut alice, _), _up) = session(&program, &upstream, &bearing(&old)).await;
    let ((mut bob, _), _bobs_up) = session(&program, &upstream, &bearing(&bobs)).await;
    let listed = ask(&admin, "GET /sessions?subject=c4nary", "").await.json();
    assert_eq!(listed["total"], 1);
    let first = &listed["sessions"][0];
    let known = [&first["subject"], &first["issuer"], &first["token_id"]];
    assert_eq!(known, [&json!("c4nary"), &json!("main"), &json!("a")]);
    assert!(first["expires"].as_str().unwrap().ends_with('Z'), "{first}");

    let closed = ask(&admin, "DELETE /sessions?subject=c4nary&issuer=main", "").await;
    assert_eq!(closed.json(), json!({"closed": 1}));
    let frame = (Some(4403), "access revoked".to_owned());
    assert_eq!(alice.close_frame().await, frame);
    let challenge = "Bearer error=\"invalid_token\"".to_owned();
    assert_eq!(refused(&program, &bearing(&old)).await, (401, challenge));
    let line = program.event("handshake rejected").await;
    assert_eq!(line["reason"], "token_revoked");
    // Ahead of the second in which the other one was revoked.
    let new = of("c4nary", "c", now() + 5);
    let ((mut again, _), _again_up) = session(&program, &upstream, &bearing(&new)).await;

    let closed = ask(
        &admin,
        "DELETE /sessions?token_id=c&code=4000&reason=stolen",
        "",
    )
    .await;
    assert_eq!(closed.json(), json!({"closed": 1}));
    assert_eq!(again.close_frame().await, (Some(4000), "stolen".to_owned()));
    assert_eq!(refused(&program, &bearing(&new)).await.0, 401);
    let by_route = ask(&admin, "DELETE /sessions?subject=bob&route=chat", "").await;
    assert_eq!(by_route.json(), json!({"closed": 1}));
    bob.expect_close(1001).await;
    session(&program, &upstream, &bearing(&bobs)).await;
    let log = program.stop().await;
    assert!(!log.contains("c4nary"), "{log}");
}

#[tokio::test]
async fn an_operator_gives_a_session_more_time_than_its_token() {
    let upstream = Upstream::start().await;
    let program = Program::run(&authenticated(&upstream, "jwt = \"main\"", ADMIN)).await;
    let admin = program.admin().await;
    let soon = token(&json!({ "exp": now() + 600 }));
    let ((mut client, _), _up) = session(&program, &upstream, &bearing(&soon)).await;
    for (expires, closes) in [
        ("2100-01-01T00:00:00Z", false),
        ("2020-01-01T00:00:00Z", true),
    ] {
        let body = json!({ "expires": expires }).to_string();
        let answer = patch(&admin, "/sessions/1", &body).await;
        assert_eq!(answer.status(), 204);
        let listed = ask(&admin, "GET /sessions", "").await.json();
        match closes {
            true => client.expect_close(4401).await,
            false => assert_eq!(listed["sessions"][0]["expires"], expires),
        }
    }
}
