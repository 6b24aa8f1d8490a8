//! The document that describes the interface, held to what is really answered.

use serde_json::json;

use super::super::kit::openapi::{Document, target};
use super::super::kit::token::{issuer, logout_token};
use super::super::kit::{Echo, Program, Response, Socket, Wire, settings, websocket};
use super::{ADMIN, ask, patch};

/// Asks, and checks the answer; what stands in braces is given.
async fn check(
    document: &mut Document,
    admin: &str,
    (method, path): (&str, &str),
    given: &[&str],
    query: &str,
) -> Response {
    let target = target(path, given);
    let answer = ask(admin, &format!("{method} {target}{query}"), "").await;
    document.check(method, path, &answer);
    answer
}

#[tokio::test]
async fn every_answer_is_as_the_document_says() {
    let echo = Echo::start().await;
    let text = settings(echo.url(), ADMIN) + &issuer() + TICKETS;
    let program = Program::run(&text).await;
    let admin = &*program.admin().await;
    let document = ask(admin, "GET /openapi.json", "").await;
    let mut document = Document::new(document.json());
    let _sockets = [
        Socket::open(&program.address, "/ws/").await,
        Socket::open(&program.address, "/ws/").await,
    ];
    patches(&mut document, admin).await;
    tickets(&mut document, admin).await;
    logouts(&mut document, admin).await;
    const DRAIN: &str = "/upstreams/{name}/{server}/drain";
    const RESUME: &str = "/upstreams/{name}/{server}/resume";
    for (method, path, given, query, status) in [
        ("GET", "/openapi.json", &[][..], "", 200),
        ("GET", "/openapi.json", &[], "?a=1", 400),
        ("GET", "/healthz", &[], "", 200),
        ("GET", "/readyz", &[], "", 200),
        ("GET", "/metrics", &[], "", 200),
        ("GET", "/sessions", &[], "", 200),
        ("GET", "/sessions", &[], "?limit=1", 200),
        ("GET", "/sessions", &[], "?limit=0", 400),
        ("PATCH", "/sessions/{id}", &["1"], "", 400),
        ("PATCH", "/sessions/{id}", &["1"], "?a=1", 400),
        ("DELETE", "/sessions/{id}", &["1"], "", 204),
        ("DELETE", "/sessions/{id}", &["999"], "", 404),
        ("DELETE", "/sessions/{id}", &["2"], "?code=1", 400),
        ("DELETE", "/sessions", &[], "", 400),
        ("DELETE", "/sessions", &[], "?all=true", 200),
        ("GET", "/channels", &[], "", 200),
        ("GET", "/channels", &[], "?a=1", 400),
        ("GET", "/channels/{name}", &["room.1"], "", 200),
        ("GET", "/channels/{name}", &["room..1"], "", 400),
        ("GET", "/upstreams", &[], "", 200),
        ("GET", "/upstreams", &[], "?a=1", 400),
        ("POST", DRAIN, &["chat", "0"], "", 202),
        ("POST", DRAIN, &["chat", "7"], "", 404),
        ("POST", DRAIN, &["chat", "0"], "?over=1s", 400),
        ("POST", RESUME, &["chat", "0"], "", 200),
        ("POST", RESUME, &["news", "0"], "", 404),
        ("POST", RESUME, &["chat", "0"], "?a=1", 400),
        ("GET", "/config", &[], "", 200),
        ("GET", "/config", &[], "?a=1", 400),
        ("GET", "/events", &[], "?kind=x", 400),
        ("POST", "/reload", &[], "", 200),
        ("POST", "/reload", &[], "?a=1", 400),
        ("POST", "/drain", &[], "?a=1", 400),
    ] {
        let answer = check(&mut document, admin, (method, path), given, query).await;
        assert_eq!(answer.status(), status, "{method} {path}{query}");
    }
    // A path that there is, asked for in the wrong way.
    let wrong = ask(admin, "PUT /sessions", "").await;
    assert_eq!(
        (wrong.status(), wrong.head.one("allow")),
        (405, "GET, DELETE")
    );
    events(&mut document, admin, &program).await;
    addresses_that_are_two(&mut document, admin, &program, &text).await;
    program.rewrite("wrong");
    check(&mut document, admin, ("POST", "/reload"), &[], "").await;
    check(&mut document, admin, ("POST", "/drain"), &[], "").await;
    check(&mut document, admin, ("GET", "/readyz"), &[], "").await;
    program.event("drained").await;
    check(&mut document, admin, ("GET", "/events"), &[], "").await;

    // All that the document has was seen, but what takes a process that stops or has no file.
    assert_eq!(document.unseen(), ["POST /reload 409", "POST /reload 503"]);
}

/// A stream, and one event of each kind.
async fn events(document: &mut Document, admin: &str, program: &Program) {
    let mut wire = Wire::connect(admin).await;
    wire.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    let head = wire.head().await;
    let body = Vec::new();
    document.check("GET", "/events", &Response { head, body });
    assert_eq!(wire.chunk().await, b": listening\n\n");
    Socket::open(&program.address, "/ws/").await.close().await;
    let mut refused = Wire::connect(&program.address).await;
    refused
        .send(websocket("/nowhere", &program.address, ""))
        .await;
    refused.response().await;
    let mut told = String::new();
    for kind in ["open", "close", "reject"] {
        let begin = format!("event: {kind}\ndata: ");
        let data = loop {
            let found = told
                .split_once(&begin)
                .and_then(|(_, rest)| rest.split_once('\n'));
            match found {
                Some((data, _)) => break data.to_owned(),
                None => told.push_str(std::str::from_utf8(&wire.chunk().await).unwrap()),
            }
        };
        let schema = format!("{}{}Event", kind[..1].to_uppercase(), &kind[1..]);
        let schema = document.document["components"]["schemas"][&schema].clone();
        let data = serde_json::from_str(&data).unwrap();
        document.fits(&data, &schema, kind);
    }
}

/// Two servers at one address, which then names neither.
async fn addresses_that_are_two(
    document: &mut Document,
    admin: &str,
    program: &Program,
    text: &str,
) {
    let servers = "servers = [\"ws://127.0.0.1:1/a\", \"ws://127.0.0.1:1/b\"]";
    let start = text.find("servers").unwrap();
    let end = start + text[start..].find('\n').unwrap();
    program.rewrite(&format!("{}{servers}{}", &text[..start], &text[end..]));
    check(document, admin, ("POST", "/reload"), &[], "").await;
    for path in ["drain", "resume"] {
        let path = format!("/upstreams/{{name}}/{{server}}/{path}");
        let given = &["chat", "127.0.0.1:1"];
        let answer = check(document, admin, ("POST", &path), given, "").await;
        assert_eq!(answer.status(), 409, "{}", answer.text());
    }
}

#[tokio::test]
async fn the_document_requires_the_token() {
    let more = format!("{ADMIN}token = \"t0ken\"\n");
    let program = Program::run(&settings("ws://127.0.0.1:1", &more)).await;
    let admin = program.admin().await;
    assert_eq!(ask(&admin, "GET /openapi.json", "").await.status(), 401);
    let bearer = "Authorization: Bearer t0ken\r\n";
    let document = ask(&admin, "GET /openapi.json", bearer).await;
    assert_eq!(document.json()["openapi"], "3.1.0");
}

/// The one request that has a body.
async fn patches(document: &mut Document, admin: &str) {
    const PATH: &str = "/sessions/{id}";
    for (id, body, status) in [
        ("999", "{\"expires\": null}", 404),
        ("2", "{\"expires\": null}", 204),
    ] {
        let answer = patch(admin, &format!("/sessions/{id}"), body).await;
        assert_eq!(answer.status(), status, "{body}");
        document.check("PATCH", PATH, &answer);
    }
}

/// A route that takes tickets, and tokens of the issuer.
const TICKETS: &str = "[[route]]\nname = \"tickets\"\npath = \"/tickets\"\nupstream = \"chat\"\n\
                       auth = { jwt = \"main\", tickets = {} }\n";

async fn tickets(document: &mut Document, admin: &str) {
    for (route, status) in [("tickets", 201), ("chat", 409), ("nowhere", 404), ("", 400)] {
        let subject = if status == 400 { "" } else { "alice" };
        let body = json!({ "route": route, "subject": subject }).to_string();
        let answer = post(admin, "/tickets", "application/json", &body).await;
        assert_eq!(answer.status(), status, "{route}");
        document.check("POST", "/tickets", &answer);
    }
}

async fn logouts(document: &mut Document, admin: &str) {
    let form = "application/x-www-form-urlencoded";
    let body = format!("logout_token={}", logout_token(&json!({})));
    for (issuer, body, status) in [
        ("main", &*body, 200),
        ("other", &*body, 404),
        ("main", "", 400),
    ] {
        let answer = post(admin, &format!("/logout/{issuer}"), form, body).await;
        assert_eq!(answer.status(), status, "{issuer}");
        document.check("POST", "/logout/{issuer}", &answer);
    }
}

async fn post(admin: &str, target: &str, kind: &str, body: &str) -> Response {
    let length = body.len();
    let mut wire = Wire::connect(admin).await;
    wire.send(format!(
        "POST {target} HTTP/1.1\r\nHost: {admin}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
    .await;
    wire.response().await
}
