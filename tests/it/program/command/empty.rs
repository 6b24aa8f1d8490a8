//! `wsgate drain`.

use super::super::kit::{Upstream, finish};
use super::{Stage, answer};

#[tokio::test]
async fn a_drain_sends_everybody_away_and_comes_back_at_once() {
    let mut stage = Stage::with(1).await;
    assert_eq!(
        stage.done("drain").await,
        "draining: 2 sessions on their way out\n"
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
async fn a_drain_that_waits_looks_until_no_session_is_left_or_nobody_answers() {
    const DRAINING: (&str, &str) = ("202 Accepted", r#"{"draining": true, "sessions": 2}"#);
    const LEFT: (&str, &str) = ("200 OK", r#"{"sessions": [], "total": 2, "next": null}"#);
    const NONE: (&str, &str) = ("200 OK", r#"{"sessions": [], "total": 0, "next": null}"#);
    const STOPPED: (&str, &str) = ("503 Service Unavailable", r#"{"error": "no longer here"}"#);
    for (looks, last) in [
        (vec![LEFT, LEFT, NONE], "drained: no session is left"),
        (vec![NONE], "drained: no session is left"),
        (vec![LEFT, STOPPED], "the process is gone"),
        (vec![LEFT], "the process is gone"),
    ] {
        let admin = Upstream::start().await;
        let url = admin.url();
        let address = url.strip_prefix("ws://").unwrap();
        let arguments = ["drain", "--wait", "--admin", address];
        let answers = async {
            answer(&admin, "POST /drain", DRAINING.0, DRAINING.1).await;
            for (status, body) in looks {
                answer(&admin, "GET /sessions?limit=1", status, body).await;
            }
            drop(admin);
        };
        let (done, ()) = tokio::join!(finish(&arguments), answers);
        let expected = format!("draining: 2 sessions on their way out\n{last}\n");
        assert_eq!((done.code, done.stdout), (Some(0), expected));
    }
}

#[tokio::test]
async fn where_nobody_is_there_is_nothing_to_drain() {
    let absent = finish(&["drain", "--wait", "--admin", "unix:/nowhere/admin.sock"]).await;
    assert_eq!((absent.code, &*absent.stdout), (Some(2), ""));
    let error = "error: nothing listens on unix:/nowhere/admin.sock\n\
                 help: is wsgate running, and does its file have [admin]?\n";
    assert_eq!(absent.stderr, error);
}
