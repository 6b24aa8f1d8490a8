//! New settings for the running program: what makes it read them. What it does with wrong ones is
//! case O01, and what reloads cost its traffic is O02.

mod applied;
mod listeners;

use std::os::unix::fs::symlink;

use rustix::process::Signal;
use serde_json::Value;

use super::admin::ask;
use crate::kit::{Echo, Program, Socket, settings};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

/// One more route, to the same servers.
const OTHER: &str = "[[route]]\nname = \"other\"\npath = \"/other\"\nupstream = \"chat\"\n";

/// What the program says when it has read its file again.
const RELOADED: &str = "settings reloaded";

/// Puts other settings in place and has the admin interface reload them. Returns its answer.
async fn reloaded(program: &Program, settings: &str) -> Value {
    program.rewrite(settings);
    let admin = program.admin().await;
    let response = ask(&admin, "POST /reload", "").await;
    assert_eq!(response.status(), 200, "{}", response.text());
    response.json()
}

#[tokio::test]
async fn sighup_reloads_the_file_and_logs_the_result() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), "")).await;
    program.signal(Signal::HUP);
    let unchanged = program.event("settings unchanged").await;
    assert_eq!(unchanged["reason"], "reload_unchanged");
    assert_eq!(unchanged["trigger"], "SIGHUP");

    let more = format!("limits.message_size = \"8KiB\"\n{OTHER}");
    program.rewrite(&settings(echo.url(), &more));
    program.signal(Signal::HUP);
    let event = program.event(RELOADED).await;
    assert_eq!(event["reason"], "reload_ok");
    assert_eq!(event["routes_added"], "other");
    assert_eq!(event["routes_changed"], "chat");
    for absent in ["routes_removed", "keys", "needs_restart", "listeners_added"] {
        assert!(event.get(absent).is_none(), "{event}");
    }
    let mut other = Socket::open(&program.address, "/other").await;
    other.echoes("by the new route").await;
    program.signal(Signal::HUP);
    program.nth_event(1, "settings unchanged").await;
    other.close().await;
    program.stop().await;
}

#[tokio::test]
async fn a_rewritten_file_is_reloaded_by_itself() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), "")).await;
    program.rewrite(&settings(echo.url(), OTHER));
    let event = program.event(RELOADED).await;
    assert_eq!(
        (&event["trigger"], &event["routes_added"]),
        (&"file".into(), &"other".into())
    );
    // The start itself was not worth a line.
    assert!(program.events("settings unchanged").is_empty());
    program.rewrite(&format!("# A remark.\n{}", settings(echo.url(), OTHER)));
    program.event("settings unchanged").await;
    program.rewrite("[[route]]\nnmae = 1");
    let event = program.event("reload rejected").await;
    assert_eq!(event["trigger"], "file");
    Socket::open(&program.address, "/other").await.close().await;
    program.stop().await;
}

#[tokio::test]
async fn a_link_that_is_swapped_as_kubernetes_does_is_a_change() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, more) in [("one", ""), ("two", OTHER)] {
        std::fs::create_dir(at(version)).unwrap();
        let file = at(version).join("wsgate.toml");
        std::fs::write(file, settings(echo.url(), more)).unwrap();
    }
    symlink("one", at("..data")).unwrap();
    symlink("..data/wsgate.toml", at("wsgate.toml")).unwrap();
    let program = Program::serving(&["run", at("wsgate.toml").to_str().unwrap()]).await;
    symlink("two", at("..data_tmp")).unwrap();
    std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
    assert_eq!(program.event(RELOADED).await["routes_added"], "other");
    Socket::open(&program.address, "/other").await.close().await;
    program.stop().await;
}

#[tokio::test]
async fn where_there_is_no_file_sighup_changes_nothing() {
    let echo = Echo::start().await;
    let program = Program::serving(&["run", "--to", echo.url(), "--listen", "127.0.0.1:0"]).await;
    let mut socket = Socket::open(&program.address, "/").await;
    program.signal(Signal::HUP);
    let warned = |line: &str| line.contains("there is no file").then_some(());
    program.line("a warning", warned).await;
    socket.echoes("still here").await;
    socket.close().await;
    program.stop().await;
}
