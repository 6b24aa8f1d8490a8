//! Case S06: a process that is to take over, or that hands over, and does neither.

use std::os::unix::net::UnixListener as BlockingListener;
use std::path::Path;

use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::{STOPS, goes_on, reloads, stops};
use crate::kit::{AT_ONCE, Echo, Program, settings, soon, spawn};

const MORE: &str =
    "[admin]\naddress = \"127.0.0.1:0\"\n[drain]\nspread = \"0s\"\ndeadline = \"2s\"";

#[tokio::test]
async fn s06_a_next_process_that_does_not_get_on_holds_up_no_session_and_no_signal() {
    let echo = Echo::start().await;
    for signal in STOPS {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, path) = (
            folder.path().join("wsgate.toml"),
            folder.path().join("path"),
        );
        std::fs::write(&file, settings(echo.url(), MORE)).expect("a file");
        let text = |path: &Path| path.to_str().expect("a path").to_owned();
        let line = ["run", &text(&file), "--handover", &text(&path)];
        let mut program = Program::serving(&line).await;
        let admin = program.admin().await;
        program.event("the next process can take over").await;
        // Each asks for the sockets, takes nothing and says nothing.
        let mut waiting = Vec::new();
        for _ in 0..20 {
            waiting.push(
                soon("a connection", UnixStream::connect(&path))
                    .await
                    .expect("one"),
            );
        }
        program
            .event("the next process has the listening sockets")
            .await;
        goes_on(&program.address).await;
        reloads(&program, &admin).await;
        stops(&mut program, signal).await;
    }
}

#[tokio::test]
async fn s06_a_process_that_hands_nothing_over_keeps_the_next_one_from_no_signal() {
    for signal in STOPS {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, path) = (
            folder.path().join("wsgate.toml"),
            folder.path().join("path"),
        );
        std::fs::write(&file, settings("ws://127.0.0.1:1", "")).expect("a file");
        let silent = BlockingListener::bind(&path).expect("a socket");
        silent.set_nonblocking(true).expect("an option");
        let silent = UnixListener::from_std(silent).expect("a socket");
        let text = |path: &Path| path.to_str().expect("a path").to_owned();
        let child = spawn(&["run", &text(&file), "--handover", &text(&path)], &[]);
        let mut program = Program::unheard(child, String::new(), folder);
        let _asking = soon("the next process", silent.accept())
            .await
            .expect("one");
        program.signal(signal);
        let (code, _) = timeout(AT_ONCE / 2, program.ended()).await.expect("an end");
        assert_eq!(
            code, None,
            "it was not serving, and ended by the signal itself"
        );
    }
}
