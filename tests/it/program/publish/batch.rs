//! `POST /publish`: many publications in one request.

use serde_json::{Value, json};

use super::super::kit::{ALL, BILLING, Echo, Publisher, Socket};
use super::{newest, publishing};

const NDJSON: &str = "Content-Type: application/x-ndjson\r\n";

/// The lines of the answer to a batch.
async fn batch(publisher: &mut Publisher, body: &str) -> Vec<Value> {
    let response = publisher.ask("POST /publish", NDJSON, body).await;
    assert_eq!(response.status(), 200, "{response:?}");
    assert_eq!(response.head.one("content-type"), "application/x-ndjson");
    let lines = response.text().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn reached(sessions: usize) -> Value {
    json!({"reached": sessions, "gates": 0, "repeated": false})
}

#[tokio::test]
async fn each_line_is_published_in_its_turn() {
    let echo = Echo::start().await;
    let program = publishing(echo.url()).await;
    let mut publisher = Publisher::of(&program, ALL).await;
    let mut socket = Socket::open(&program.address, "/ws/1").await;
    let name = newest(&program).await;
    let mut other = Socket::open(&program.address, "/ws/1").await;
    other.echoes("hello").await;
    let lines = [
        json!({"channel": "room.1", "text": "one"}).to_string(),
        // As it is written.
        "{\"channel\": \"room.1\", \"json\": {\"b\":1.0,  \"a\": null}}".to_owned(),
        "{\"channel\":\"room.1\",\"json\":null}".to_owned(),
        json!({"channel": "room.1", "base64": "/wAB", "exclude": name}).to_string(),
        json!({"session": name, "text": "", "idempotency_key": "k"}).to_string(),
        json!({"session": name, "text": "", "idempotency_key": "k"}).to_string(),
        json!({"subject": "nobody", "issuer": "main", "text": "x"}).to_string(),
        String::new(),
        json!({"channel": "nobody", "text": "x"}).to_string(),
    ];
    let found = batch(&mut publisher, &lines.join("\r\n")).await;
    let mut again = reached(1);
    again["repeated"] = true.into();
    let expected = [
        reached(2),
        reached(2),
        reached(2),
        reached(1),
        reached(1),
        again,
        reached(0),
        reached(0),
    ];
    assert_eq!(found, expected);
    for expected in ["one", "{\"b\":1.0,  \"a\": null}", "null", ""] {
        assert_eq!(socket.next().await, expected.into());
    }
    socket.echoes("nothing else").await;
    for expected in ["one", "{\"b\":1.0,  \"a\": null}", "null"] {
        assert_eq!(other.next().await, expected.into());
    }
    assert_eq!(other.next().await, vec![0xFF, 0, 1].into());
    assert_eq!(batch(&mut publisher, "").await, Vec::<Value>::new());
    program.stop().await;
}

#[tokio::test]
async fn a_wrong_line_is_answered_in_its_place_and_the_others_are_published() {
    let echo = Echo::start().await;
    let program = publishing(echo.url()).await;
    let mut publisher = Publisher::of(&program, BILLING).await;
    let right = "{\"channel\": \"user.1\", \"text\": \"x\"}";
    for (line, status) in [
        ("c4nary", 400),
        ("[]", 400),
        ("{}", 400),
        (
            "{\"channel\": \"user.1\", \"text\": \"x\", \"c4nary\": 1}",
            400,
        ),
        (
            "{\"channel\": \"user.1\", \"channel\": \"user.1\", \"text\": \"x\"}",
            400,
        ),
        ("{\"channel\": \"user.1\"}", 400),
        ("{\"text\": \"x\"}", 400),
        (
            "{\"channel\": \"user.1\", \"text\": \"x\", \"json\": 1}",
            400,
        ),
        ("{\"channel\": \"user.1\", \"text\": 1}", 400),
        ("{\"channel\": \"user.1\", \"base64\": \"c4nary=\"}", 400),
        ("{\"channel\": \"user.1\", \"base64\": \"_-_-\"}", 400),
        (
            "{\"channel\": \"user.1\", \"issuer\": \"a\", \"text\": \"x\"}",
            400,
        ),
        (
            "{\"channel\": \"user.1\", \"text\": \"x\", \"exclude\": \"c4nary\"}",
            400,
        ),
        (
            "{\"channel\": \"user.1\", \"text\": \"x\", \"exclude\": [\"0123456789ab-1\"]}",
            400,
        ),
        (
            "{\"channel\": \"user.1\", \"text\": \"x\", \"idempotency_key\": \"\"}",
            400,
        ),
        ("{\"channel\": \"user..1\", \"text\": \"x\"}", 400),
        ("{\"channel\": \"user.1.c4nary\", \"text\": \"x\"}", 403),
        ("{\"channel\": \"room.1\", \"text\": \"x\"}", 403),
        ("{\"session\": \"0123456789ab-1\", \"text\": \"x\"}", 403),
        ("{\"subject\": \"c4nary\", \"text\": \"x\"}", 403),
    ] {
        let found = batch(&mut publisher, &format!("{right}\n{line}\n{right}\n")).await;
        assert_eq!(found.len(), 3, "{line}: {found:?}");
        assert_eq!((&found[0], &found[2]), (&reached(0), &reached(0)), "{line}");
        assert_eq!(found[1]["status"], status, "{line}: {found:?}");
        let error = found[1]["error"].as_str().unwrap();
        assert!(!error.contains("c4nary"), "{error}");
    }
    let log = program.stop().await;
    assert!(!log.contains("c4nary"), "{log}");
}

#[tokio::test]
async fn a_batch_has_its_bounds() {
    let echo = Echo::start().await;
    let program = publishing(echo.url()).await;
    let mut publisher = Publisher::of(&program, ALL).await;
    let line = "{\"channel\": \"nobody\", \"text\": \"x\"}\n";
    let found = batch(&mut publisher, &line.repeat(1000)).await;
    assert!(found.len() == 1000 && found.iter().all(|line| *line == reached(0)));
    let found = batch(&mut publisher, &line.repeat(1002)).await;
    assert_eq!(found.len(), 1001);
    assert_eq!(found[1000]["status"], 413);
    // Its message is as long as one may be, and one more byte is too many.
    let mut publisher = Publisher::of(&program, ALL).await;
    let long = |length: usize| json!({"channel": "nobody", "text": "x".repeat(length)}).to_string();
    let lines = format!("{}\n{}\n", long(1024 * 1024), long(1024 * 1024 + 1));
    let found = batch(&mut publisher, &lines).await;
    assert_eq!((&found[0], &found[1]["status"]), (&reached(0), &json!(413)));
    // All of it has a bound too, of which the head can already be over.
    let longest = 4 * 1024 * 1024;
    let response = publisher
        .ask("POST /publish", NDJSON, "\n".repeat(longest + 1))
        .await;
    assert_eq!(response.status(), 413, "{response:?}");
    let mut publisher = Publisher::of(&program, ALL).await;
    let response = publisher
        .ask("POST /publish", NDJSON, "\n".repeat(longest))
        .await;
    assert_eq!((response.status(), &*response.body), (200, &b""[..]));
    for lines in [
        "",
        "Content-Type: application/json\r\n",
        &format!("{NDJSON}Content-Encoding: gzip\r\n"),
    ] {
        let mut publisher = Publisher::of(&program, ALL).await;
        let response = publisher.ask("POST /publish", lines, line).await;
        assert_eq!(response.status(), 415, "{lines}");
    }
    program.stop().await;
}

#[tokio::test]
async fn a_line_is_published_before_the_next_has_come() {
    let echo = Echo::start().await;
    let program = publishing(echo.url()).await;
    let mut publisher = Publisher::of(&program, ALL).await;
    let mut socket = Socket::open(&program.address, "/ws/1").await;
    socket.echoes("hello").await;
    let line = "{\"channel\": \"room.1\", \"text\": \"x\"}\n";
    let request = publisher.request("POST /publish", NDJSON, line.repeat(2));
    let (first, second) = request.split_at(request.len() - line.len());
    publisher.wire.send(first).await;
    assert_eq!(socket.next().await, "x".into());
    publisher.wire.send(second).await;
    assert_eq!(socket.next().await, "x".into());
    let response = publisher.wire.response().await;
    assert_eq!(response.text().lines().count(), 2);
    // One that comes in chunks is the same.
    let head = format!("{NDJSON}Transfer-Encoding: chunked\r\n");
    let request = publisher.request("POST /publish", &head, "");
    let request = String::from_utf8(request)
        .unwrap()
        .replace("Content-Length: 0\r\n", "");
    publisher.wire.send(request).await;
    for piece in [&line[..5], &line[5..]] {
        publisher
            .wire
            .send(format!("{:x}\r\n{piece}\r\n", piece.len()))
            .await;
    }
    assert_eq!(socket.next().await, "x".into());
    publisher.wire.send("0\r\n\r\n").await;
    assert_eq!(publisher.wire.response().await.text().lines().count(), 1);
    program.stop().await;
}
