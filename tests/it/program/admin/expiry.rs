//! An operator changes when the right to a session ends.

use serde_json::json;

use super::super::kit::{Echo, Program, Socket, settings};
use super::{ADMIN, ask, patch};

#[tokio::test]
async fn an_operator_sets_and_takes_away_the_expiry_of_a_session() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), ADMIN)).await;
    let admin = program.admin().await;
    let mut socket = Socket::open(&program.address, "/ws/").await;
    let mut other = Socket::open(&program.address, "/ws/").await;
    let listed = ask(&admin, "GET /sessions", "").await.json();
    let first = listed["sessions"][0].as_object().unwrap();
    let unknown = ["expires", "subject", "issuer", "token_id"];
    assert!(!unknown.iter().any(|key| first.contains_key(*key)));
    let target = format!("/sessions/{}", first["id"]);
    for (body, expires) in [
        (
            "{\"expires\": \"2100-01-01T01:00:00+01:00\"}",
            json!("2100-01-01T00:00:00Z"),
        ),
        (" { \"expires\" : null } ", json!(null)),
    ] {
        assert_eq!(patch(&admin, &target, body).await.status(), 204, "{body}");
        let listed = ask(&admin, "GET /sessions", "").await.json();
        assert_eq!(listed["sessions"][0]["expires"], expires);
        assert_eq!(listed["sessions"][1]["expires"], json!(null));
    }
    socket.echoes("still here").await;
    let set = program
        .event("expiry of a session set through the admin interface")
        .await;
    assert_eq!(set["expires"], "2100-01-01T00:00:00Z");
    assert_eq!(set["session"], json!(first["id"].to_string()));
    let passed = "{\"expires\": \"2020-01-01T00:00:00Z\"}";
    assert_eq!(patch(&admin, &target, passed).await.status(), 204);
    assert_eq!(socket.closed().await, (4401, "login expired".to_owned()));
    socket.end().await;
    let closed = program.event("session closed").await;
    assert_eq!(
        (&closed["reason"], &closed["code"]),
        (&json!("expired"), &json!(4401))
    );
    assert_eq!(patch(&admin, &target, passed).await.status(), 404);
    other.echoes("not disturbed").await;
}

#[tokio::test]
async fn a_wrong_change_of_a_session_is_refused_with_what_would_be_right() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), ADMIN)).await;
    let admin = program.admin().await;
    let mut socket = Socket::open(&program.address, "/ws/").await;
    let long = format!("{{\"expires\": \"{}\"}}", "9".repeat(5000));
    for (body, problem) in [
        ("", "the body is not JSON: it must be an object"),
        ("c4nary", "the body is not JSON"),
        ("{\"expires\": null", "the body is not JSON"),
        (
            "null",
            "the body must be an object with the one key `expires`",
        ),
        ("[]", "the body must be an object"),
        ("{}", "the body must be an object"),
        ("{\"expires\": 4102444800}", "or null"),
        ("{\"expires\": \"c4nary\"}", "a time of RFC 3339"),
        (
            "{\"expires\": \"2100-01-01T00:00:00\"}",
            "a time of RFC 3339",
        ),
        (
            "{\"expires\": null, \"expires\": null}",
            "the one key `expires`",
        ),
        (
            "{\"expires\": null, \"c4nary\": 1}",
            "the one key `expires`",
        ),
        (&long, "has more than 4096 bytes"),
    ] {
        let answer = patch(&admin, "/sessions/1", body).await;
        assert_eq!(answer.status(), 400, "{body}");
        let error = answer.json();
        let error = error["error"].as_str().unwrap();
        assert!(
            error.contains(problem) && !error.contains("c4nary"),
            "{body}: {error}"
        );
    }
    for (target, problem) in [
        ("/sessions/1?expires=x", "it takes no keys"),
        ("/sessions/x", "no such session"),
    ] {
        let answer = patch(&admin, target, "{\"expires\": null}").await.json();
        assert!(
            answer["error"].as_str().unwrap().ends_with(problem),
            "{answer}"
        );
    }
    socket.echoes("not disturbed").await;
}
