//! One-time tickets from `POST /tickets`.

use serde_json::{Value, json};

use super::{authenticated, refused, session};
use crate::kit::{Program, Request, Response, Upstream, Wire};

const TICKETS: &str = "from = [\"query:ticket\"]\n[route.auth.tickets]\nlifetime = \"1m\"";

const ADMIN: &str = "[route.headers]\nset = { x-user = \"{subject}\", x-team = \"{claim.team}\" }\n\
                     [admin]\naddress = \"127.0.0.1:0\"";

/// The answer to a request for a ticket.
async fn issue(admin: &str, body: &str) -> Response {
    let mut operator = Wire::connect(admin).await;
    let length = body.len();
    let head =
        format!("POST /tickets HTTP/1.1\r\nHost: {admin}\r\nContent-Length: {length}\r\n\r\n");
    operator.send(head + body).await;
    operator.response().await
}

fn showing(ticket: &Value) -> Request {
    let ticket = ticket["ticket"].as_str().expect("a ticket");
    Request::websocket(&format!("/ws/a?ticket={ticket}"))
}

#[tokio::test]
async fn a_ticket_is_for_one_handshake() {
    let upstream = Upstream::start().await;
    let program = Program::run(&authenticated(&upstream, TICKETS, ADMIN)).await;
    let admin = program.admin().await;
    let body = json!({ "route": "chat", "subject": "bob", "claims": { "team": "red" } });
    let issued = issue(&admin, &body.to_string()).await;
    assert_eq!(issued.status(), 201);
    let ticket = issued.json();
    assert_eq!(ticket["expires_in"], 60);
    let (_, (_, asked)) = session(&program, &upstream, &showing(&ticket)).await;
    asked.assert(&[("x-user", "bob"), ("x-team", "red")]);
    assert_eq!(asked.target(), "/ws/a");
    assert_eq!(refused(&program, &showing(&ticket)).await.0, 401);
    let last = program.event("handshake rejected").await;
    assert_eq!(last["reason"], "credential_unknown");
    let log = program.stop().await;
    assert!(!log.contains(ticket["ticket"].as_str().unwrap()), "{log}");
}

#[tokio::test]
async fn a_session_of_a_ticket_ends_when_its_issuer_says() {
    let upstream = Upstream::start().await;
    let program = Program::run(&authenticated(&upstream, TICKETS, ADMIN)).await;
    let admin = program.admin().await;
    let body =
        json!({ "route": "chat", "subject": "bob", "session_expires": "2020-01-01T00:00:00Z" });
    let ticket = issue(&admin, &body.to_string()).await.json();
    let ((mut client, _), _) = session(&program, &upstream, &showing(&ticket)).await;
    client.expect_close(4401).await;
}

#[tokio::test]
async fn a_revocation_takes_the_tickets_from_before_it() {
    let upstream = Upstream::start().await;
    let program = Program::run(&authenticated(&upstream, TICKETS, ADMIN)).await;
    let admin = program.admin().await;
    let body = json!({ "route": "chat", "subject": "bob" }).to_string();
    let used = issue(&admin, &body).await.json();
    let ((mut client, _), _server) = session(&program, &upstream, &showing(&used)).await;
    let before = issue(&admin, &body).await.json();
    let mut operator = Wire::connect(&admin).await;
    let delete = format!("DELETE /sessions?subject=bob HTTP/1.1\r\nHost: {admin}\r\n\r\n");
    operator.send(delete).await;
    assert_eq!(operator.response().await.json(), json!({ "closed": 1 }));
    client.expect_close(4403).await;
    assert_eq!(refused(&program, &showing(&before)).await.0, 401);
    assert_eq!(
        program.event("handshake rejected").await["reason"],
        "token_revoked"
    );
    let after = issue(&admin, &body).await.json();
    session(&program, &upstream, &showing(&after)).await;
}

#[tokio::test]
async fn a_ticket_outlives_a_reload() {
    let upstream = Upstream::start().await;
    let settings = authenticated(&upstream, TICKETS, ADMIN);
    let program = Program::run(&settings).await;
    let admin = program.admin().await;
    let body = json!({ "route": "chat", "subject": "bob" });
    let ticket = issue(&admin, &body.to_string()).await.json();
    program.rewrite(&settings.replace("\"1m\"", "\"2m\""));
    program.event("settings reloaded").await;
    session(&program, &upstream, &showing(&ticket)).await;
}

#[tokio::test]
async fn a_wrong_request_for_a_ticket_says_what_is_wrong() {
    let upstream = Upstream::start().await;
    let none = "[[route]]\nname = \"none\"\npath = \"/none\"\nupstream = \"chat\"";
    let more = format!("{ADMIN}\n{none}");
    let program = Program::run(&authenticated(&upstream, TICKETS, &more)).await;
    let admin = program.admin().await;
    for (body, status, sentence) in [
        ("canary", 400, "the body is not JSON"),
        (r#"{"route": "chat"}"#, 400, "the body must be an object"),
        (
            r#"{"route": "chat", "subject": ""}"#,
            400,
            "`subject` must not be empty",
        ),
        (
            r#"{"route": "chat", "subject": "a", "canary": 1}"#,
            400,
            "the body must be an object",
        ),
        (
            r#"{"route": "chat", "subject": "a", "session_expires": "canary"}"#,
            400,
            "a time of RFC 3339",
        ),
        (
            r#"{"route": "canary", "subject": "a"}"#,
            404,
            "no such route",
        ),
        (
            r#"{"route": "none", "subject": "a"}"#,
            409,
            "takes no tickets",
        ),
    ] {
        let answer = issue(&admin, body).await;
        assert_eq!(answer.status(), status, "{body}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(
            error.contains(sentence) && !error.contains("canary"),
            "{error}"
        );
    }
}
