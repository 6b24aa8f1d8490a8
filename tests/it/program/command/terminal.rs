//! What the commands do where a person sits at a terminal.

use super::super::kit::{Terminal, ended};
use super::Stage;

#[tokio::test]
async fn a_table_is_as_wide_as_the_terminal_and_shows_what_it_cuts() {
    let stage = Stage::with(60).await;
    let terminal = Terminal::open(70, 200);
    let arguments = ["sessions", "--admin", &stage.admin];
    assert_eq!(terminal.finish(&arguments).await, Some(0));
    let remark = "100 of 120 sessions are listed: --all lists every one";
    let screen = terminal.reads(remark).await;
    let rows = screen.rows();
    assert_eq!(
        rows.len(),
        102,
        "headings, the oldest hundred and the remark"
    );
    for row in &rows {
        assert!(row.chars().count() <= 70, "{row}");
    }
    assert!(rows[1].contains('…'), "{}", rows[1]);
}

#[tokio::test]
async fn more_than_one_session_is_closed_only_after_a_clear_yes() {
    let mut stage = Stage::with(2).await;
    for (answer, said) in [
        ("n\n", "error: nothing was closed"),
        ("\n", "error: nothing was closed"),
    ] {
        let terminal = Terminal::open(80, 24);
        let mut close = terminal.spawn(&["close", "--route=chat", "--admin", &stage.admin], &[]);
        terminal
            .reads("Close 2 sessions of route chat? [y/N]")
            .await;
        terminal.types(answer);
        assert_eq!(ended(&mut close).await, Some(1), "{answer:?}");
        terminal.reads(said).await;
    }
    stage.chat[0].echoes("not disturbed").await;
    let terminal = Terminal::open(80, 24);
    let mut close = terminal.spawn(&["close", "--route=chat", "--admin", &stage.admin], &[]);
    terminal
        .reads("Close 2 sessions of route chat? [y/N]")
        .await;
    terminal.types("y\n");
    assert_eq!(ended(&mut close).await, Some(0));
    terminal.reads("closed 2 sessions").await;
    for mut socket in stage.chat.drain(..) {
        assert_eq!(socket.closed().await.0, 1001);
        socket.end().await;
    }
    // Nobody is asked about one, nor after --yes.
    let terminal = Terminal::open(80, 24);
    let one = stage.ids("sessions --json --route feed").await[0].to_string();
    let arguments = ["close", &one, "--admin", &stage.admin];
    assert_eq!(terminal.finish(&arguments).await, Some(0));
    let mut first = stage.feed.remove(0);
    first.closed().await;
    first.end().await;
    stage.program.nth_event(2, "session closed").await;
    let arguments = ["close", "--all", "--admin", &stage.admin];
    assert_eq!(terminal.finish(&arguments).await, Some(0));
    let mut stage = Stage::with(2).await;
    let arguments = ["close", "--all", "--yes", "--admin", &stage.admin];
    assert_eq!(terminal.finish(&arguments).await, Some(0));
    let screen = terminal.reads("closed 4 sessions").await;
    assert!(!screen.text().contains("[y/N]"), "{}", screen.text());
    stage.feed[0].closed().await;
}
