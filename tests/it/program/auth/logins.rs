//! Logins that end: `POST /logout/ISSUER`.

use serde_json::json;

use super::{authenticated, bearing, refused, session};
use crate::kit::token::{logout_token, now, token};
use crate::kit::{Program, Response, Upstream, Wire};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\ntoken = \"0123456789\"";

async fn end_login(admin: &str, issuer: &str, kind: &str, body: &str) -> Response {
    let mut provider = Wire::connect(admin).await;
    let length = body.len();
    let head = format!(
        "POST /logout/{issuer} HTTP/1.1\r\nHost: {admin}\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    provider.send(head + body).await;
    provider.response().await
}

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn a_login_that_has_ended_ends_its_sessions_and_its_tokens() {
    let upstream = Upstream::start().await;
    let program = Program::run(&authenticated(&upstream, "jwt = \"main\"", ADMIN)).await;
    let admin = program.admin().await;
    let (first, other) = (token(&json!({})), token(&json!({ "sid": "login-2" })));
    let ((mut client, _), _server) = session(&program, &upstream, &bearing(&first)).await;
    let _other = session(&program, &upstream, &bearing(&other)).await;
    let body = format!(
        "logout_token={}",
        logout_token(&json!({ "sid": "login-1" }))
    );
    let answer = end_login(&admin, "main", FORM, &body).await;
    assert_eq!(
        (answer.status(), answer.json()),
        (200, json!({ "closed": 1 }))
    );
    client.expect_close(4403).await;
    assert_eq!(program.event("session closed").await["reason"], "revoked");
    assert_eq!(refused(&program, &bearing(&first)).await.0, 401);
    let last = program.event("handshake rejected").await;
    assert_eq!(last["reason"], "token_revoked");
    // Another login goes on, and so does a later token.
    let _again = session(&program, &upstream, &bearing(&other)).await;
    let later = token(&json!({ "iat": now() + 5 }));
    let _later = session(&program, &upstream, &bearing(&later)).await;
    // Without a login, all of the user's have ended.
    let body = format!(
        "state=a&logout_token={}",
        logout_token(&json!({ "iat": now() + 5 }))
    );
    let answer = end_login(&admin, "main", FORM, &body).await;
    assert_eq!(answer.json(), json!({ "closed": 3 }));
}

#[tokio::test]
async fn a_logout_that_is_not_to_be_believed_ends_nothing() {
    let upstream = Upstream::start().await;
    let program = Program::run(&authenticated(&upstream, "jwt = \"main\"", ADMIN)).await;
    let admin = program.admin().await;
    let _open = session(&program, &upstream, &bearing(&token(&json!({})))).await;
    let logout = format!("logout_token={}", logout_token(&json!({})));
    let access = format!("logout_token={}", token(&json!({})));
    let forged = format!("logout_token={}x", logout_token(&json!({})));
    let last = json!({ "iat": i64::MAX });
    let at_the_end_of_time = format!("logout_token={}", logout_token(&last));
    for (issuer, kind, body, status, sentence) in [
        ("other", FORM, &*logout, 404, "no such issuer"),
        (
            "main",
            "application/json",
            &*logout,
            400,
            "must be application/x-www-form-urlencoded",
        ),
        ("main", FORM, "token=canary", 400, "one `logout_token`"),
        (
            "main",
            FORM,
            "logout_token=canary",
            400,
            "the token is malformed",
        ),
        (
            "main",
            FORM,
            &*access,
            400,
            "a claim of the token is missing",
        ),
        (
            "main",
            FORM,
            &*at_the_end_of_time,
            400,
            "the token is not valid yet",
        ),
        (
            "main",
            FORM,
            &*forged,
            400,
            "the signature of the token is wrong",
        ),
        (
            "main",
            FORM,
            &*format!("{logout}&{logout}"),
            400,
            "one `logout_token`",
        ),
    ] {
        let answer = end_login(&admin, issuer, kind, body).await;
        assert_eq!(answer.status(), status, "{sentence}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(
            error.contains(sentence) && !error.contains("canary"),
            "{error}"
        );
    }
    assert!(program.events("session closed").is_empty());
}
