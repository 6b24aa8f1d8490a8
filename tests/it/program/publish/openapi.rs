//! The document that describes the interface, held to what is really answered.

use serde_json::json;

use super::super::kit::openapi::{Document, target};
use super::super::kit::{ALL, Echo, PUBLISH, Program, Publisher, Socket};
use super::channels;

const TICKETS: &str = "[[route]]\nname = \"tickets\"\npath = \"/tickets/{room}\"\nupstream = \"chat\"\n\
                       auth = { tickets = {}, from = [\"query:ticket\"] }\n";

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

#[tokio::test]
async fn every_answer_is_as_the_document_says() {
    let echo = Echo::start().await;
    let program = Program::run(&channels(echo.url(), &format!("{ADMIN}{TICKETS}{PUBLISH}"))).await;
    let mut publisher = Publisher::of(&program, ALL).await;
    let document = publisher.get("GET /openapi.json").await;
    let mut document = Document::new(document.json());
    let socket = Socket::open(&program.address, "/ws/1").await;
    let gone = super::newest(&program).await;
    socket.close().await;
    program.event("session closed").await;
    let _socket = Socket::open(&program.address, "/ws/1").await;
    let here = super::newest(&program).await;
    let (here, gone, unknown) = (&*here, &*gone, "0123456789ab-1");
    const MEMBER: &str = "/channels/{name}/sessions/{session}";
    let ticket = |route: &str| json!({ "route": route, "subject": "alice" }).to_string();
    let ndjson = "Content-Type: application/x-ndjson\r\n";
    for (method, path, given, query, lines, body, status) in [
        ("POST", "/channels/{name}", &["all"][..], "", "", "x", 200),
        ("POST", "/channels/{name}", &["all"], "?a=1", "", "x", 400),
        (
            "POST",
            "/channels/{name}",
            &["all"],
            "",
            "Content-Type: x\r\n",
            "x",
            415,
        ),
        ("GET", "/channels/{name}", &["all"], "", "", "", 200),
        ("GET", "/channels/{name}", &["all"], "?limit=0", "", "", 400),
        ("POST", "/sessions/{session}", &[here], "", "", "x", 200),
        ("POST", "/sessions/{session}", &[unknown], "", "", "x", 404),
        ("POST", "/sessions/{session}", &[gone], "", "", "x", 410),
        ("POST", "/subjects/{subject}", &["alice"], "", "", "x", 200),
        (
            "POST",
            "/subjects/{subject}",
            &["alice"],
            "?issuer=",
            "",
            "x",
            400,
        ),
        (
            "POST",
            "/publish",
            &[],
            "",
            ndjson,
            "{\"channel\": \"all\", \"text\": \"x\"}\nx",
            200,
        ),
        ("POST", "/publish", &[], "?a=1", ndjson, "", 400),
        ("POST", "/publish", &[], "", "", "", 415),
        ("GET", "/channels", &[], "", "", "", 200),
        ("GET", "/channels", &[], "?a=1", "", "", 400),
        ("PUT", MEMBER, &["a", here], "", "", "", 200),
        ("PUT", MEMBER, &["a", here], "?a=1", "", "", 400),
        ("PUT", MEMBER, &["a", unknown], "", "", "", 404),
        ("PUT", MEMBER, &["a", gone], "", "", "", 410),
        ("DELETE", MEMBER, &["a", here], "", "", "", 200),
        ("DELETE", MEMBER, &["a", here], "?a=1", "", "", 400),
        ("DELETE", MEMBER, &["a", unknown], "", "", "", 404),
        ("DELETE", MEMBER, &["a", gone], "", "", "", 410),
        (
            "DELETE",
            "/channels/{name}/retained",
            &["all"],
            "",
            "",
            "",
            200,
        ),
        (
            "DELETE",
            "/channels/{name}/retained",
            &["all"],
            "?a=1",
            "",
            "",
            400,
        ),
        (
            "DELETE",
            "/channels/{name}/sessions",
            &["a"],
            "",
            "",
            "",
            200,
        ),
        (
            "DELETE",
            "/channels/{name}/sessions",
            &["a"],
            "?code=1",
            "",
            "",
            400,
        ),
        ("POST", "/tickets", &[], "", "", &ticket("tickets"), 201),
        ("POST", "/tickets", &[], "", "", &ticket(""), 404),
        ("POST", "/tickets", &[], "", "", &ticket("chat"), 409),
        ("POST", "/tickets", &[], "", "", "x", 400),
        ("GET", "/healthz", &[], "", "", "", 200),
        ("GET", "/openapi.json", &[], "", "", "", 200),
        ("GET", "/openapi.json", &[], "?a=1", "", "", 400),
    ] {
        let line = format!("{method} {}{query}", target(path, given));
        let answer = publisher.ask(&line, lines, body).await;
        assert_eq!(answer.status(), status, "{line}: {answer:?}");
        document.check(method, path, &answer);
    }
    // As many as a session may be in, and one more.
    for number in 0..126 {
        let answer = publisher
            .get(&format!("PUT /channels/c.{number}/sessions/{here}"))
            .await;
        document.check("PUT", MEMBER, &answer);
    }
    let answer = publisher
        .get(&format!("PUT /channels/b/sessions/{here}"))
        .await;
    assert_eq!(answer.status(), 409, "{answer:?}");
    document.check("PUT", MEMBER, &answer);
    let body = "x".repeat(4 * 1024 * 1024 + 1);
    let answer = publisher.ask("POST /publish", ndjson, body).await;
    document.check("POST", "/publish", &answer);
    assert_eq!(document.unseen(), Vec::<String>::new());

    // The lines of a batch have schemas of their own.
    let mut publisher = Publisher::of(&program, ALL).await;
    let body = "{\"channel\": \"all\", \"text\": \"x\"}\nx";
    let answer = publisher.ask("POST /publish", ndjson, body).await;
    for (line, schema) in answer.text().lines().zip(["Outcome", "RefusedLine"]) {
        let schema = document.document["components"]["schemas"][schema].clone();
        document.fits(&serde_json::from_str(line).unwrap(), &schema, line);
    }
    program.stop().await;
}
