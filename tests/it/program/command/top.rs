//! `wsgate top`.

use rustix::process::{Pid, Signal, kill_process};

use super::super::kit::{Program, Screen, Socket, Terminal, ended, finish};
use super::{Stage, words};

/// What can be counted on to be seen of a stage with two sessions on each route.
fn is_whole(text: &str) -> bool {
    [
        "sessions 4 of ",
        "ROUTE",
        "UPSTREAM",
        "CLIENT",
        "127.0.0.1",
        "in service",
        "ENDED",
    ]
    .iter()
    .all(|part| text.contains(part))
}

#[tokio::test]
async fn where_there_is_no_terminal_one_picture_is_printed() {
    let mut stage = Stage::with(2).await;
    stage.chat[0].echoes("hello").await;
    for line in ["top --interval 100ms", "top --once --interval 100ms"] {
        let printed = stage.done(line).await;
        assert!(is_whole(&printed), "{printed}");
        assert!(!printed.contains(['\x1b', '…']), "{printed}");
        let version = env!("CARGO_PKG_VERSION");
        let first = format!("wsgate {version} on {}  up ", stage.admin);
        assert!(printed.starts_with(&first), "{printed}");
        let row = printed.lines().find(|line| line.starts_with("chat "));
        assert_eq!(words(row.unwrap())[..2], ["chat", "2"]);
    }
    for (line, said) in [
        ("top --interval 10ms", "from 100ms to 1h"),
        ("top --interval soon", "a duration is"),
    ] {
        let wrong = stage.run(line).await;
        assert_eq!((wrong.code, &*wrong.stdout), (Some(1), ""), "{line}");
        assert!(wrong.stderr.contains(said), "{}", wrong.stderr);
    }
    let absent = finish(&["top", "--admin", "unix:/nowhere/admin.sock"]).await;
    assert_eq!((absent.code, &*absent.stdout), (Some(2), ""));
}

#[tokio::test]
async fn it_shows_live_traffic_until_q_and_restores_the_terminal() {
    let mut stage = Stage::with(2).await;
    let terminal = Terminal::open(110, 40);
    let before = terminal.modes();
    let arguments = ["top", "--interval", "100ms", "--admin", &stage.admin];
    let mut top = terminal.spawn(&arguments, &[]);
    let screen = terminal
        .shows("all of it", |screen| is_whole(&screen.text()))
        .await;
    assert!(screen.is_taken() && screen.is_cursor_hidden);
    assert_ne!(terminal.modes(), before, "keys come one by one");
    assert_eq!(screen.rows().len(), 40);
    assert!(screen.rows()[39].starts_with("q quit  s sort by (bytes)"));
    assert!(screen.text().contains("  ready\n"));

    // Traffic that goes on is seen as a rate, on its route and of its client.
    let flooded = {
        let seen = terminal.shows("traffic", |screen| {
            let rows = screen.rows();
            let busy = |name: &str, index: usize| {
                let row = rows.iter().find(|row| row.starts_with(name));
                row.is_some_and(|row| words(row).get(index).is_some_and(|rate| *rate != "0"))
            };
            busy("chat ", 4) && busy("127.0.0.1 ", 2)
        });
        let talk = async {
            loop {
                stage.chat[0].echoes("hello").await;
            }
        };
        tokio::select! {
            seen = seen => seen,
            () = talk => unreachable!("it talks for ever"),
        }
    };
    let quiet = flooded.rows().iter().any(|row| {
        let words = words(row);
        words[..] == ["feed", "2", "0", "0", "0", "/", "0", "0B", "/", "0B"]
    });
    assert!(quiet, "{}", flooded.text());

    // What ends is told with its reason.
    stage.feed.remove(0).close().await;
    terminal
        .shows("the end of a session", |screen| {
            let text = screen.text();
            let mut rows = text.lines().skip_while(|row| !row.starts_with("ENDED"));
            let latest = rows.nth(1).map(words).unwrap_or_default();
            latest.starts_with(&["closed", "feed", "closed", "client"])
                && latest.ends_with(&["0s", "ago"])
                && text.contains("sessions 3 of ")
        })
        .await;

    for sort in ["messages", "sessions", "name", "bytes"] {
        terminal.types("s");
        terminal.reads(&format!("s sort by ({sort})")).await;
    }
    stage.done("drain").await;
    terminal.reads("  draining\n").await;
    terminal.types("q");
    assert_eq!(ended(&mut top).await, Some(0));
    let after = terminal
        .shows("the terminal as it was", |screen| !screen.is_taken())
        .await;
    assert!(!after.is_cursor_hidden);
    assert_eq!((terminal.modes(), after.text()), (before, String::new()));
}

#[tokio::test]
async fn another_size_is_drawn_anew_and_what_does_not_fit_is_scrolled_to() {
    let stage = Stage::with(2).await;
    let terminal = Terminal::open(110, 40);
    let arguments = ["top", "--interval", "1h", "--admin", &stage.admin];
    let mut top = terminal.spawn(&arguments, &[]);
    terminal
        .shows("all of it", |screen| is_whole(&screen.text()))
        .await;
    // Nothing but the size changes: the next look is an hour away.
    let fits = |columns: usize, rows: usize| {
        move |screen: &Screen| {
            let drawn = screen.rows();
            drawn.len() == rows
                && drawn.iter().all(|row| row.chars().count() <= columns)
                && drawn.last().is_some_and(|row| row.starts_with("q quit"))
        }
    };
    terminal.resize(60, 10);
    let small = terminal.shows("fewer rows", fits(60, 10)).await;
    assert!(small.text().contains("ROUTE") && !small.text().contains("ENDED"));
    assert!(
        small.rows()[9].contains("lines 1-4 of "),
        "{}",
        small.text()
    );
    terminal.types("\x1b[F");
    let end = terminal.reads("ENDED").await;
    assert!(!end.text().contains("OPENED/s"), "{}", end.text());
    terminal.types("\x1b[H");
    terminal.reads("lines 1-4 of ").await;
    terminal.types("\x1b[B");
    terminal.reads("lines 2-5 of ").await;
    terminal.types("\x1b[6~");
    terminal.reads("lines 6-9 of ").await;
    terminal.types("\x1b[5~\x1b[A\x1b[A");
    terminal.reads("lines 1-4 of ").await;
    terminal.resize(110, 40);
    terminal.shows("all rows", fits(110, 40)).await;
    terminal.resize(3, 2);
    terminal
        .shows("hardly anything", |screen| screen.rows() == ["ws…", "q …"])
        .await;
    // Ctrl-C.
    terminal.types("\x03");
    assert_eq!(ended(&mut top).await, Some(0));
}

#[tokio::test]
async fn a_size_that_changes_before_the_first_key_is_seen_as_well() {
    let stage = Stage::with(0).await;
    for _each in 0..5 {
        let terminal = Terminal::open(100, 30);
        let arguments = ["top", "--interval", "1h", "--admin", &stage.admin];
        let mut top = terminal.spawn(&arguments, &[]);
        terminal
            .shows("the screen to be taken", Screen::is_taken)
            .await;
        terminal.resize(50, 8);
        terminal
            .shows("fewer rows", |screen| screen.rows().len() == 8)
            .await;
        terminal.types("q");
        assert_eq!(ended(&mut top).await, Some(0));
    }
}

#[tokio::test]
async fn a_signal_restores_the_terminal_too() {
    let stage = Stage::with(0).await;
    for (signal, code) in [
        (Signal::TERM, 143),
        (Signal::INT, 130),
        (Signal::HUP, 129),
        (Signal::QUIT, 131),
    ] {
        let terminal = Terminal::open(80, 24);
        let before = terminal.modes();
        let mut top = terminal.spawn(&["top", "--admin", &stage.admin], &[]);
        terminal.reads("q quit").await;
        assert_ne!(terminal.modes(), before);
        let id = top.id().unwrap().cast_signed();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
        assert_eq!(ended(&mut top).await, Some(code), "{signal:?}");
        let after = terminal
            .shows("the terminal", |screen| !screen.is_taken())
            .await;
        assert_eq!((terminal.modes(), after.text()), (before, String::new()));
    }
}

#[tokio::test]
async fn a_process_that_is_gone_is_reported_and_waited_for() {
    let mut stage = Stage::with(1).await;
    // At an address that another process can have after this one.
    let settings = Stage::settings(&stage.echo);
    let settings = settings.replace("[admin]\naddress = \"127.0.0.1:0\"", &{
        let socket = stage.program.file("admin.sock");
        format!("[admin]\naddress = \"unix:{}\"", socket.display())
    });
    let first = Program::run(&settings).await;
    let admin = first.admin().await;
    let mut socket = Socket::open(&first.address, "/ws/").await;
    let terminal = Terminal::open(100, 30);
    let arguments = ["top", "--interval", "100ms", "--admin", &admin];
    let mut top = terminal.spawn(&arguments, &[]);
    terminal.reads("sessions 1 of ").await;
    let stopped = first.stop();
    let leaves = async {
        socket.closed().await;
        socket.end().await;
    };
    tokio::join!(stopped, leaves);
    let gone = terminal.reads("no news: nothing listens on unix:").await;
    assert!(
        gone.text().contains("ROUTE"),
        "what was seen stays:\n{}",
        gone.text()
    );
    let second = Program::run(&settings).await;
    terminal.reads("sessions 0 of ").await;
    terminal.reads("q quit").await;
    let _socket = Socket::open(&second.address, "/ws/").await;
    terminal.reads("sessions 1 of ").await;
    terminal.types("q");
    assert_eq!(ended(&mut top).await, Some(0));
    stage.chat[0].echoes("another process").await;
}
