//! `wsgate channels`.

use serde_json::json;

use super::super::kit::{ALL, Echo, PUBLISH, Program, Publisher, Socket, finish, settings};
use super::{ADMIN, json_lines, words};

/// A process with a session in each of so many channels, and one in all of them.
async fn stage(echo: &Echo, channels: usize) -> (Program, String, Vec<Socket>) {
    let more = format!("channels.join = [\"room.{{path.room}}\", \"all\"]\n{ADMIN}{PUBLISH}");
    let text = settings(echo.url(), &more).replace("path = \"/ws/*\"", "path = \"/ws/{room}\"");
    let program = Program::run(&text).await;
    let mut sockets = Vec::new();
    for room in 0..channels {
        sockets.push(Socket::open(&program.address, &format!("/ws/{room}")).await);
    }
    let admin = program.admin().await;
    (program, admin, sockets)
}

#[tokio::test]
async fn channels_are_a_table_for_people_and_lines_of_json_for_scripts() {
    let echo = Echo::start().await;
    let (program, admin, _sockets) = stage(&echo, 2).await;
    let at = ["--admin", &*admin];
    let done = finish(&[&["channels"][..], &at].concat()).await;
    assert_eq!((done.code, &*done.stderr), (Some(0), ""), "{done:?}");
    let rows: Vec<_> = done.stdout.lines().map(words).collect();
    let expected = [
        ["CHANNEL", "SESSIONS", "RETAINED"],
        ["all", "2", "0"],
        ["room.0", "1", "0"],
        ["room.1", "1", "0"],
    ];
    assert_eq!(rows, expected);
    for (arguments, expected) in [
        (&["--json"][..], vec!["all", "room.0", "room.1"]),
        (&["--json", "--prefix", "room."], vec!["room.0", "room.1"]),
        (&["--json", "--limit", "1"], vec!["all"]),
    ] {
        let done = finish(&[&["channels"], arguments, &at].concat()).await;
        let names = json_lines(&done.stdout);
        let names: Vec<_> = names
            .iter()
            .map(|channel| channel["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected, "{arguments:?}: {done:?}");
    }
    let done = finish(&[&["channels", "--limit", "1"][..], &at].concat()).await;
    assert!(done.stderr.contains("there are more channels"), "{done:?}");
    program.stop().await;
}

#[tokio::test]
async fn the_members_of_a_channel_are_listed_page_by_page() {
    let echo = Echo::start().await;
    let (program, admin, _sockets) = stage(&echo, 3).await;
    let at = ["--admin", &*admin];
    let done = finish(&[&["channels", "all"][..], &at].concat()).await;
    let rows: Vec<_> = done.stdout.lines().map(words).collect();
    assert_eq!(rows.len(), 4, "{done:?}");
    assert_eq!(rows[0], ["SESSION", "SUBJECT", "ROUTE"]);
    assert_eq!(rows[1][1..], ["-", "chat"]);
    // A name is one that can be published to.
    let mut publisher = Publisher::of(&program, ALL).await;
    let target = format!("/sessions/{}", rows[1][0]);
    assert_eq!(publisher.publish(&target, "x").await, 1);
    let done = finish(&[&["channels", "all", "--limit", "2"][..], &at].concat()).await;
    assert!(
        done.stderr.contains("2 of 3 sessions are listed"),
        "{done:?}"
    );
    let done = finish(&[&["channels", "nobody"][..], &at].concat()).await;
    assert!(
        done.stderr.contains("no session is in this channel"),
        "{done:?}"
    );
    let done = finish(&[&["channels", "all", "--json"][..], &at].concat()).await;
    let members = json_lines(&done.stdout);
    assert_eq!(members.len(), 3);
    assert_eq!(members[0]["route"], json!("chat"));
    let done = finish(&[&["channels", "a..b"][..], &at].concat()).await;
    assert_eq!((done.code, &*done.stdout), (Some(1), ""), "{done:?}");
    program.stop().await;
}
