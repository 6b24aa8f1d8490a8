//! `wsgate close`.

use super::Stage;

#[tokio::test]
async fn sessions_are_closed_by_their_numbers() {
    let mut stage = Stage::with(2).await;
    let ids = stage.ids("sessions --json").await;
    let line = format!("close {} {} --code 4001 --reason moved", ids[0], ids[3]);
    assert_eq!(stage.done(&line).await, "closed 2 sessions\n");
    let (mut first, mut last) = (stage.chat.remove(0), stage.feed.remove(1));
    assert_eq!(first.closed().await, (4001, "moved".to_owned()));
    assert_eq!(last.closed().await, (4001, "moved".to_owned()));
    stage.chat[0].echoes("not disturbed").await;
    stage.feed[0].echoes("not disturbed").await;
}

#[tokio::test]
async fn an_unknown_session_is_reported_and_the_others_are_closed() {
    let mut stage = Stage::with(1).await;
    let ids = stage.ids("sessions --json --route chat").await;
    let line = format!("close 987654 {} 876543", ids[0]);
    let done = stage.run(&line).await;
    assert_eq!((done.code, &*done.stdout), (Some(1), "closed 1 session\n"));
    assert_eq!(done.stderr, "error: no such session: 987654, 876543\n");
    let reason = "closed by an administrator".to_owned();
    assert_eq!(stage.chat[0].closed().await, (1001, reason));
}

#[tokio::test]
async fn sessions_are_closed_by_route_client_and_upstream() {
    let mut stage = Stage::with(2).await;
    for (line, said) in [
        ("close --route nowhere", "closed 0 sessions\n"),
        ("close --client 10.0.0.0/8", "closed 0 sessions\n"),
        ("close --subject alice --issuer main", "closed 0 sessions\n"),
        ("close --token-id 7f", "closed 0 sessions\n"),
        // Where nobody can answer, nobody is asked.
        ("close --upstream chat", "closed 2 sessions\n"),
    ] {
        assert_eq!(stage.done(line).await, said, "{line}");
    }
    for mut socket in stage.chat.drain(..) {
        socket.closed().await;
        socket.end().await;
    }
    stage.feed[0].echoes("not disturbed").await;
    assert_eq!(stage.done("close --all --yes").await, "closed 2 sessions\n");
    for mut socket in stage.feed.drain(..) {
        socket.closed().await;
    }
}

#[tokio::test]
async fn a_close_without_a_selection_closes_nothing() {
    let mut stage = Stage::with(1).await;
    for (line, said) in [
        ("close", "required"),
        ("close --yes", "required"),
        ("close 1 --all", "cannot be used with"),
        ("close 1 --route chat", "cannot be used with"),
        ("close --all --route chat", "cannot be used with"),
        ("close --all --subject alice", "cannot be used with"),
        ("close 1 --token-id 7f", "cannot be used with"),
        ("close one", "invalid value 'one'"),
        ("close --all --code 1005", "a gate may send 1000 to 1003"),
        ("close --all --code 99999", "a gate may send 1000 to 1003"),
    ] {
        let wrong = stage.run(line).await;
        assert_eq!((wrong.code, &*wrong.stdout), (Some(1), ""), "{line}");
        assert!(wrong.stderr.contains(said), "{line}: {}", wrong.stderr);
    }
    stage.chat[0].echoes("not disturbed").await;
    stage.feed[0].echoes("not disturbed").await;
}
