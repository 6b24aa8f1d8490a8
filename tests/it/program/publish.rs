//! The publish interface.

mod access;
mod batch;
mod handover;
mod hostile;
mod openapi;
mod places;

use serde_json::json;

use super::admin::ask;
use super::kit::{ALL, Echo, PUBLISH, Program, Publisher, Socket, settings};

/// Settings in which sessions are in channels by their paths.
fn channels(server: &str, more: &str) -> String {
    settings(server, &format!("{CHANNELS}{more}"))
        .replace("path = \"/ws/*\"", "path = \"/ws/{room}\"")
}

const CHANNELS: &str = "channels.join = [\"room.{path.room}\", \"all\"]\nchannels.retain = 1\n";

/// A program with an admin interface and a publish interface, behind which clients are in channels.
async fn publishing(server: &str) -> Program {
    let admin = "[admin]\naddress = \"127.0.0.1:0\"\n";
    Program::run(&channels(server, &format!("{admin}{PUBLISH}"))).await
}

/// The name of the session that was opened last.
async fn newest(program: &Program) -> String {
    let listed = ask(&program.admin().await, "GET /sessions", "")
        .await
        .json();
    let last = listed["sessions"].as_array().unwrap().last().unwrap();
    last["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_members_of_a_channel_get_what_is_published_to_it() {
    let echo = Echo::start().await;
    let program = publishing(echo.url()).await;
    let mut publisher = Publisher::of(&program, ALL).await;
    let mut one = Socket::open(&program.address, "/ws/1").await;
    let excluded = newest(&program).await;
    let mut two = Socket::open(&program.address, "/ws/2").await;
    one.echoes("hello").await;
    two.echoes("hello").await;

    let response = publisher.ask("POST /channels/room.1", "", "to one").await;
    let expected = json!({"reached": 1, "gates": 0, "repeated": false});
    assert_eq!((response.status(), response.json()), (200, expected));
    assert_eq!(response.head.one("content-type"), "application/json");
    assert_eq!(one.next().await, "to one".into());
    // The members have the bytes, whatever they are, and an escaped name is the name.
    let binary = "Content-Type: application/octet-stream\r\n";
    let response = publisher
        .ask("POST /channels/%61ll", binary, [0xFF, 0, 1])
        .await;
    assert_eq!(response.json()["reached"], 2);
    assert_eq!(one.next().await, vec![0xFF, 0, 1].into());
    assert_eq!(two.next().await, vec![0xFF, 0, 1].into());
    let target = format!("/channels/all?exclude={excluded}");
    assert_eq!(publisher.publish(&target, "{\"a\": 1}").await, 1);
    assert_eq!(two.next().await, "{\"a\": 1}".into());
    assert_eq!(publisher.publish("/channels/room.3", "to nobody").await, 0);
    // An empty message is one.
    assert_eq!(publisher.publish("/channels/room.1", "").await, 1);
    assert_eq!(one.next().await, "".into());
    // What is retained is there for the next one.
    let mut late = Socket::open(&program.address, "/ws/1").await;
    assert_eq!(late.next().await, "".into());
    assert_eq!(late.next().await, "{\"a\": 1}".into());
    program.stop().await;
}

#[tokio::test]
async fn a_session_gets_what_is_published_to_it_alone() {
    let echo = Echo::start().await;
    let program = publishing(echo.url()).await;
    let mut publisher = Publisher::of(&program, ALL).await;
    let mut one = Socket::open(&program.address, "/ws/1").await;
    let target = format!("/sessions/{}", newest(&program).await);
    let mut two = Socket::open(&program.address, "/ws/1").await;
    assert_eq!(publisher.publish(&target, "to one").await, 1);
    assert_eq!(one.next().await, "to one".into());
    two.echoes("nothing else").await;
    one.close().await;
    program.event("session closed").await;
    for (line, status) in [
        (format!("POST {target}"), 410),
        ("POST /sessions/0123456789ab-1".to_owned(), 404),
        ("POST /sessions/7".to_owned(), 400),
    ] {
        let refused = publisher.ask(&line, "", "x").await;
        assert_eq!(refused.status(), status, "{line}: {refused:?}");
    }
    program.stop().await;
}

#[tokio::test]
async fn all_sessions_of_a_user_get_what_is_published_to_the_user() {
    let echo = Echo::start().await;
    let more = format!("auth = {{ tickets = {{}}, from = [\"query:ticket\"] }}\n{PUBLISH}");
    let program = Program::run(&channels(echo.url(), &more)).await;
    let mut publisher = Publisher::of(&program, ALL).await;
    let mut sockets = Vec::new();
    for subject in ["a/b", "a/b", "bob"] {
        let wanted = json!({ "route": "chat", "subject": subject }).to_string();
        let issued = publisher.ask("POST /tickets", "", wanted).await;
        assert_eq!(issued.status(), 201, "{issued:?}");
        let issued = issued.json();
        let ticket = issued["ticket"].as_str().unwrap();
        let target = format!("/ws/1?ticket={ticket}");
        sockets.push(Socket::open(&program.address, &target).await);
    }
    for (target, expected) in [
        ("/subjects/a%2Fb", 2),
        ("/subjects/bob", 1),
        // A ticket has no issuer.
        ("/subjects/bob?issuer=main", 0),
        ("/subjects/nobody", 0),
    ] {
        assert_eq!(
            publisher.publish(target, target).await,
            expected,
            "{target}"
        );
    }
    let members = publisher.get("GET /channels/all").await.json();
    let subjects = members["members"].as_array().unwrap().iter();
    let subjects: Vec<_> = subjects.map(|member| &member["subject"]).collect();
    assert_eq!(subjects, ["a/b", "a/b", "bob"]);
    for (socket, expected) in sockets.iter_mut().zip(["a%2Fb", "a%2Fb", "bob"]) {
        let expected = format!("/subjects/{expected}");
        assert_eq!(socket.next().await, expected.into());
    }
    program.stop().await;
}

#[tokio::test]
async fn an_application_sees_and_changes_who_is_in_a_channel() {
    let echo = Echo::start().await;
    let program = publishing(echo.url()).await;
    let mut publisher = Publisher::of(&program, ALL).await;
    let mut socket = Socket::open(&program.address, "/ws/1").await;
    let name = newest(&program).await;
    let member = format!("/channels/game.7/sessions/{name}");
    for (line, key, expected) in [
        ("PUT", "joined", true),
        ("PUT", "joined", false),
        ("DELETE", "left", true),
        ("DELETE", "left", false),
        ("PUT", "joined", true),
    ] {
        let response = publisher.get(&format!("{line} {member}")).await;
        assert_eq!(
            (response.status(), response.json()),
            (200, json!({ key: expected }))
        );
    }
    assert_eq!(publisher.publish("/channels/game.7", "go").await, 1);
    assert_eq!(socket.next().await, "go".into());
    let channel = |name: &str, retained| json!({"name": name, "sessions": 1, "retained": retained});
    let all = json!({"channels": [channel("all", 0), channel("game.7", 0), channel("room.1", 0)], "next": null});
    assert_eq!(publisher.get("GET /channels").await.json(), all);
    let page = publisher.get("GET /channels?limit=1").await.json();
    assert_eq!(
        (&page["channels"][0]["name"], &page["next"]),
        (&json!("all"), &json!("all"))
    );
    let page = publisher
        .get("GET /channels?after=all&prefix=r")
        .await
        .json();
    assert_eq!(
        page,
        json!({"channels": [channel("room.1", 0)], "next": null})
    );
    let members = publisher.get("GET /channels/game.7").await.json();
    let expected = json!({
        "sessions": 1, "members": [{"session": name, "route": "chat"}], "missing_gates": 0, "next": null
    });
    assert_eq!(members, expected);
    let members = publisher
        .get(&format!("GET /channels/game.7?after={name}"))
        .await;
    assert_eq!(
        members.json(),
        json!({"sessions": 1, "members": [], "missing_gates": 0, "next": null})
    );
    let nobody = publisher.get("GET /channels/game.8").await.json();
    assert_eq!(
        nobody,
        json!({"sessions": 0, "members": [], "missing_gates": 0, "next": null})
    );

    assert_eq!(publisher.publish("/channels/room.2", "for later").await, 0);
    for forgotten in [1, 0] {
        let response = publisher.get("DELETE /channels/room.2/retained").await;
        assert_eq!(response.json(), json!({ "forgotten": forgotten }));
    }
    let line = "DELETE /channels/game.7/sessions?code=4000&reason=game+over";
    let closed = publisher.get(line).await;
    assert_eq!(
        (closed.status(), closed.json()),
        (200, json!({"closed": 1, "missing_gates": 0}))
    );
    assert_eq!(socket.closed().await, (4000, "game over".to_owned()));
    program.stop().await;
}

#[tokio::test]
async fn a_publication_is_published_once_under_its_idempotency_key() {
    let echo = Echo::start().await;
    let program = publishing(echo.url()).await;
    let mut publisher = Publisher::of(&program, ALL).await;
    let mut socket = Socket::open(&program.address, "/ws/1").await;
    socket.echoes("hello").await;
    let key = "Idempotency-Key: \"order-7\"\r\n";
    for (target, text, repeated) in [
        ("/channels/room.1", "one", false),
        ("/channels/room.1", "the same", true),
        // It is the key of one channel.
        ("/channels/all", "two", false),
    ] {
        let response = publisher.ask(&format!("POST {target}"), key, text).await;
        let expected = json!({"reached": 1, "gates": 0, "repeated": repeated});
        assert_eq!(response.json(), expected, "{target}");
    }
    assert_eq!(socket.next().await, "one".into());
    assert_eq!(socket.next().await, "two".into());
    socket.echoes("nothing else").await;
    program.stop().await;
}

#[tokio::test]
async fn publications_and_refusals_are_logged_without_messages_and_counted() {
    let echo = Echo::start().await;
    let admin = "[admin]\naddress = \"127.0.0.1:0\"\n";
    let text = channels(echo.url(), &format!("{admin}{PUBLISH}"));
    let text = text.replace("format = \"json\"", "format = \"json\"\nlevel = \"debug\"");
    let program = Program::run(&text).await;
    let mut publisher = Publisher::of(&program, ALL).await;
    publisher.publish("/channels/room.1", "c4nary").await;
    publisher.publish("/subjects/c4nary", "c4nary").await;
    let published = program.event("published").await;
    assert_eq!(published["token"], "all");
    assert_eq!(
        (&published["level"], &published["bytes"]),
        (&json!("DEBUG"), &json!(6))
    );
    assert_eq!(published["channel"], "room.1");
    // Only the first of a second has a line.
    for target in [
        "/channels/c4nary..",
        "/channels/%63%34nary/%",
        "/sessions/c4nary",
    ] {
        let refused = publisher.ask(&format!("POST {target}"), "", "c4nary").await;
        assert!(matches!(refused.status(), 400 | 404), "{refused:?}");
        assert!(!refused.text().contains("c4nary"), "{refused:?}");
    }
    let refused = program.event("publish request refused").await;
    assert_eq!(
        (&refused["token"], &refused["status"]),
        (&json!("all"), &json!(400))
    );
    assert_eq!(refused["level"], "INFO");
    let metrics = ask(&program.admin().await, "GET /metrics", "").await;
    let metrics = metrics.text();
    for line in [
        "wsgate_publish_refusals_total{status=\"400\"} 2",
        "wsgate_publish_refusals_total{status=\"404\"} 1",
        "wsgate_publish_refusals_total{status=\"403\"} 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}: {metrics}"
        );
    }
    let log = program.stop().await;
    assert!(!log.contains("c4nary"), "{log}");
    assert!(!log.contains(ALL), "{log}");
}
