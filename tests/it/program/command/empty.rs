//! `wsgate drain`.

use super::super::kit::{Upstream, finish, soon};
use super::{Stage, answer};

#[tokio::test]
async fn a_drain_closes_every_session_and_returns_at_once() {
    let mut stage = Stage::with(1).await;
    assert_eq!(
        stage.done("drain").await,
        "draining: 2 sessions being closed\n"
    );
    for mut socket in stage.chat.drain(..).chain(stage.feed.drain(..)) {
        assert_eq!(socket.closed().await.0, 1001);
        socket.end().await;
    }
    let waited = stage.done("drain --wait").await;
    let (said, last) = waited.split_once('\n').unwrap();
    assert!(said.starts_with("draining: "), "{said}");
    assert_eq!(last, "drained: no session is left\n");
}

#[tokio::test]
async fn a_drain_with_wait_returns_when_no_session_is_left_or_the_process_is_gone() {
    const DRAIN: [&str; 3] = ["POST /drain", "202 Accepted", r#"{"sessions": 2}"#];
    const UNREADY: [&str; 3] = [
        "GET /readyz",
        "503 Service Unavailable",
        r#"{"ready": false}"#,
    ];
    const READY: [&str; 3] = ["GET /readyz", "200 OK", r#"{"ready": true}"#];
    const LEFT: [&str; 3] = ["GET /sessions?limit=1", "200 OK", r#"{"total": 2}"#];
    const NONE: [&str; 3] = ["GET /sessions?limit=1", "200 OK", r#"{"total": 0}"#];
    const BUSY: [&str; 3] = ["GET /sessions?limit=1", "503 Busy", r#"{"error": "busy"}"#];
    for (looks, last) in [
        (
            vec![UNREADY, LEFT, UNREADY, LEFT, UNREADY, NONE],
            "drained: no session is left",
        ),
        (vec![UNREADY, NONE], "drained: no session is left"),
        (vec![UNREADY, LEFT], "the process is gone"),
        (
            vec![UNREADY, BUSY, UNREADY, NONE],
            "drained: no session is left",
        ),
        (vec![UNREADY], "the process is gone"),
        (
            vec![UNREADY, LEFT, READY],
            "the process is gone, and another is in its place",
        ),
    ] {
        let admin = Upstream::start().await;
        let url = admin.url().to_owned();
        let address = url.strip_prefix("ws://").unwrap();
        let arguments = ["drain", "--wait", "--admin", address];
        let answers = async {
            for [line, status, body] in [vec![DRAIN], looks].concat() {
                answer(&admin, line, status, body).await;
            }
            drop(admin);
        };
        let (done, ()) = tokio::join!(finish(&arguments), answers);
        let expected = format!("draining: 2 sessions being closed\n{last}\n");
        assert_eq!((done.code, done.stdout), (Some(0), expected));
    }
    // One that hangs up is asked again.
    let admin = Upstream::start().await;
    let url = admin.url().to_owned();
    let address = url.strip_prefix("ws://").unwrap();
    let arguments = ["drain", "--wait", "--admin", address];
    let answers = async {
        answer(&admin, DRAIN[0], DRAIN[1], DRAIN[2]).await;
        drop(soon("a request", admin.request()).await);
        answer(&admin, UNREADY[0], UNREADY[1], UNREADY[2]).await;
        answer(&admin, NONE[0], NONE[1], NONE[2]).await;
    };
    let (done, ()) = tokio::join!(finish(&arguments), answers);
    assert!(done.stdout.ends_with("no session is left\n"), "{done:?}");
}

#[tokio::test]
async fn a_drain_of_a_process_that_does_not_run_fails() {
    let absent = finish(&["drain", "--wait", "--admin", "unix:/nowhere/admin.sock"]).await;
    assert_eq!((absent.code, &*absent.stdout), (Some(2), ""));
    let error = "error: nothing listens on unix:/nowhere/admin.sock\n\
                 help: is wsgate running, and does its file have [admin]?\n";
    assert_eq!(absent.stderr, error);
}
