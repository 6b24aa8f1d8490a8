//! New settings for the running program: what makes it read them, and what it does with bad ones.

mod applied;
mod listeners;
mod traffic;

use std::os::unix::fs::symlink;

use rustix::process::Signal;
use serde_json::Value;
use tokio::net::TcpListener;

use super::admin::ask;
use crate::kit::{Echo, Program, Response, Socket, Wire, settings, websocket};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

/// One more route, to the same servers.
const OTHER: &str = "[[route]]\nname = \"other\"\npath = \"/other\"\nupstream = \"chat\"\n";

/// What the program says when it has read its file again.
const RELOADED: &str = "settings reloaded";

/// Puts other settings in place, and has them read over the admin interface.
async fn reload(program: &Program, settings: &str) -> Response {
    program.rewrite(settings);
    let admin = program.admin().await;
    ask(&admin, "POST /reload", "").await
}

async fn reloaded(program: &Program, settings: &str) -> Value {
    let response = reload(program, settings).await;
    assert_eq!(response.status(), 200, "{}", response.text());
    response.json()
}

#[tokio::test]
async fn sighup_reads_the_file_again_and_says_what_came_of_it() {
    let echo = Echo::start().await;
    let program = Program::run(&settings(echo.url(), "")).await;
    let mut socket = Socket::open(&program.address, "/ws/").await;
    program.signal(Signal::HUP);
    let unchanged = program.event("settings unchanged").await;
    assert_eq!(unchanged["reason"], "reload_unchanged");
    assert_eq!(unchanged["trigger"], "SIGHUP");

    let more = format!("limits.message_size = \"8B\"\n{OTHER}");
    program.rewrite(&settings(echo.url(), &more));
    program.signal(Signal::HUP);
    let event = program.event(RELOADED).await;
    assert_eq!(event["reason"], "reload_ok");
    assert_eq!(event["routes_added"], "other");
    assert_eq!(event["routes_changed"], "chat");
    for absent in ["routes_removed", "keys", "needs_restart", "listeners_added"] {
        assert!(event.get(absent).is_none(), "{event}");
    }
    socket.echoes("longer than eight bytes, as before").await;
    let mut other = Socket::open(&program.address, "/other").await;
    other.echoes("by the new route").await;
    let mut limited = Socket::open(&program.address, "/ws/").await;
    limited.send("longer than eight bytes").await;
    assert_eq!(limited.closed().await.0, 1009);
    limited.end().await;
    program.signal(Signal::HUP);
    program.nth_event(1, "settings unchanged").await;
    for socket in [socket, other] {
        socket.close().await;
    }
    program.stop().await;
}

#[tokio::test]
async fn a_rewritten_file_is_read_without_being_asked_to() {
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
async fn bad_settings_change_nothing_and_are_told_with_their_place() {
    let echo = Echo::start().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let good = settings(echo.url(), ADMIN);
    let program = Program::run(&good).await;
    let admin = program.admin().await;
    std::fs::write(program.file("no.sock"), "").unwrap();
    let mut socket = Socket::open(&program.address, "/ws/").await;
    // Each of these has one more route as well, and no listener of the old ones.
    let other = settings(echo.url(), &format!("{OTHER}{ADMIN}"));
    let listening = |address: &str| other.replacen("127.0.0.1:0", address, 1);
    let free = "unix:free.sock\"\n[[listen]]\naddress = \"";
    for (round, (text, line, message)) in [
        (format!("{other}x ="), true, ""),
        (format!("{other}[listne]\n"), true, "unknown key `listne`"),
        (
            other.replace(echo.url(), "${WSGATE_TEST_UNSET}"),
            true,
            "the environment variable `WSGATE_TEST_UNSET` is not set",
        ),
        (
            other.replace("[log]", "[log]\nlevel = \"wsgate=loud\""),
            true,
            "loud",
        ),
        (
            other.replace("[log]", "[log]\nlevel = \"info,wsgate\""),
            false,
            "neither a level nor a filter",
        ),
        (listening(&format!("{free}{taken}")), false, &*taken),
        (
            listening(&format!("{free}unix:no.sock")),
            false,
            "not a socket",
        ),
        (
            other.replace(ADMIN, &format!("[admin]\naddress = \"{taken}\"\n")),
            false,
            &*taken,
        ),
        (
            format!("{other}[admn]\ntoken = \"c4nary\"\n"),
            true,
            "unknown key `admn`",
        ),
        ("\u{0}".to_owned(), true, ""),
    ]
    .into_iter()
    .enumerate()
    {
        let response = reload(&program, &text).await;
        assert_eq!(response.status(), 422, "{text}\n{}", response.text());
        let body = response.json();
        let first = &body["errors"][0];
        let told = body["errors"].to_string();
        assert!(told.contains(message), "{message} in {body:#}");
        assert!(body["rendered"].as_str().unwrap().contains("error: "));
        assert_eq!(first["line"].is_u64(), line, "{body:#}");
        let event = program.nth_event(round, "reload rejected").await;
        assert_eq!(
            (&event["reason"], &event["level"]),
            (&"reload_rejected".into(), &"ERROR".into())
        );
        let error = event["error"].as_str().unwrap();
        assert!(error.contains(message), "{message} in {event}");
        assert_eq!(error.contains("wsgate.toml:"), line, "{error}");
        // Nothing of it holds.
        let mut wire = Wire::connect(&program.address).await;
        wire.send(websocket("/other", &program.address, "")).await;
        assert_eq!(wire.response().await.status(), 404, "{text}");
        assert!(!program.file("free.sock").exists(), "{text}");
        assert_eq!(ask(&admin, "GET /readyz", "").await.status(), 200);
        socket.echoes(message).await;
    }
    std::fs::remove_file(program.file("wsgate.toml")).unwrap();
    let gone = ask(&admin, "POST /reload", "").await;
    assert_eq!(gone.status(), 422);
    let message = gone.json()["errors"][0]["message"].to_string();
    assert!(message.contains("cannot be read"), "{message}");
    assert!(message.contains("No such file"), "{message}");

    assert_eq!(reloaded(&program, &good).await["changed"], false);
    socket.close().await;
    let log = program.stop().await;
    assert!(!log.contains("c4nary"), "{log}");
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
