//! Cases S07 and S08: something else than a file of settings stands in its place, and a file that takes
//! long.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use super::sinks::{goes_on, stops};
use crate::kit::{AT_ONCE, Echo, Program, Response, Wire, finish, settings, soon};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

/// The bytes that a file may have.
const LARGEST: usize = 1024 * 1024;

async fn reload(admin: &str) -> Response {
    let mut wire = Wire::connect(admin).await;
    let lines = format!("Host: {admin}\r\nContent-Length: 0\r\nConnection: close\r\n");
    wire.send(format!("POST /reload HTTP/1.1\r\n{lines}\r\n"))
        .await;
    wire.response().await
}

#[tokio::test]
async fn s07_what_is_no_file_is_an_error_at_once_and_signals_are_heard() {
    let echo = Echo::start().await;
    for what in [
        "a pipe",
        "a folder",
        "a socket",
        "a device",
        "larger than 1MiB",
    ] {
        let mut program = Program::run(&settings(echo.url(), ADMIN)).await;
        let admin = program.admin().await;
        let file = program.file("wsgate.toml");
        fs::remove_file(&file).expect("a file");
        match what {
            "a pipe" => mkfifoat(CWD, &file, Mode::RUSR | Mode::WUSR).expect("a pipe"),
            "a folder" => fs::create_dir(&file).expect("a folder"),
            "a socket" => drop(UnixListener::bind(&file).expect("a socket")),
            "a device" => symlink("/dev/zero", &file).expect("a link"),
            _ => fs::write(&file, vec![b'#'; LARGEST + 1]).expect("a file"),
        }
        let asked = timeout(AT_ONCE, reload(&admin)).await;
        let answer = asked.expect("an answer at once");
        assert_eq!(answer.status(), 422, "{what}: {}", answer.text());
        assert!(answer.text().contains(what), "{what}: {}", answer.text());
        program.signal(Signal::HUP);
        let told = |line: &str| {
            line.contains("\"trigger\":\"SIGHUP\"")
                .then(|| line.to_owned())
        };
        let line = timeout(AT_ONCE, program.line("a reload", told)).await;
        assert!(line.expect("a line at once").contains(what));
        goes_on(&program.address).await;
        program.signal(Signal::HUP);
        stops(&mut program, Signal::TERM).await;
    }
}

#[tokio::test]
async fn s07_run_and_check_take_a_file_or_a_pipe_of_at_most_a_mebibyte() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| {
        folder
            .path()
            .join(name)
            .to_str()
            .expect("a path")
            .to_owned()
    };
    let _socket = UnixListener::bind(at("socket")).expect("a socket");
    fs::write(at("large"), vec![b'#'; LARGEST + 1]).expect("a file");
    for (path, what) in [
        (at(""), "this is a folder"),
        (at("socket"), "this is a socket"),
        ("/dev/zero".to_owned(), "this is a device"),
        (at("large"), "this file is larger than 1MiB"),
    ] {
        for command in ["run", "check"] {
            let finished = finish(&[command, &path]).await;
            assert_eq!(finished.code, Some(1), "{finished:?}");
            assert!(finished.stderr.contains(what), "{command}: {finished:?}");
        }
    }
    // As a shell makes it for `<(…)`.
    let text = settings("ws://127.0.0.1:1", "");
    fs::write(at("text"), &text).expect("a file");
    fs::write(at("long"), text + &"# \n".repeat(LARGEST / 2)).expect("a file");
    for (file, code) in [("text", 0), ("long", 1)] {
        let mut command = Command::new("sh");
        let piped = "cat \"$1\" | \"$0\" check /dev/stdin";
        command.args(["-c", piped, env!("CARGO_BIN_EXE_wsgate"), &at(file)]);
        let output = soon("the check", command.output()).await.expect("output");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
}

#[tokio::test]
async fn s07_settings_from_a_pipe_are_read_once() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).expect("a pipe");
    let (text, to) = (settings(echo.url(), ADMIN), pipe.clone());
    let writing = tokio::task::spawn_blocking(move || fs::write(to, text));
    let mut program = Program::serving(&["run", pipe.to_str().expect("a path")]).await;
    writing.await.expect("no panic").expect("a pipe");
    program
        .event("the settings came from a pipe, and are not read again")
        .await;
    let admin = program.admin().await;
    assert_eq!(reload(&admin).await.status(), 409);
    program.signal(Signal::HUP);
    program
        .event("SIGHUP: there is no file to read settings from")
        .await;
    goes_on(&program.address).await;
    stops(&mut program, Signal::TERM).await;
}

/// A file of nearly the largest size, of which each line is wrong.
fn all_wrong() -> String {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < LARGEST - 100 {
        writeln!(text, "unknown_{number} = \"{}\"", "x".repeat(20)).expect("a string");
        number += 1;
    }
    text
}

/// Settings with so many routes that they take long.
fn many_routes(server: &str) -> String {
    let mut text = settings(server, ADMIN);
    let mut number = 0;
    while text.len() < LARGEST - 200 {
        let route = format!(
            "[[route]]\nname = \"r{number}\"\npath = \"/r{number}/*\"\nupstream = \"chat\"\n"
        );
        text.push_str(&route);
        number += 1;
    }
    text
}

#[tokio::test]
async fn s08_a_large_file_that_is_all_wrong_is_told_briefly_and_holds_up_nobody() {
    let echo = Echo::start().await;
    let mut program = Program::run(&settings(echo.url(), ADMIN)).await;
    let admin = program.admin().await;
    program.rewrite(&all_wrong());
    let reloading = async {
        let answer = reload(&admin).await;
        assert_eq!(answer.status(), 422, "{}", answer.text());
        answer.text().to_owned()
    };
    let (answer, ()) = tokio::join!(reloading, goes_on(&program.address));
    assert!(answer.len() < 128 * 1024, "{}", answer.len());
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let errors = answer["errors"].as_array().expect("a list");
    assert_eq!(errors.len(), 50);
    assert!(answer["found"].as_u64().expect("a number") >= 100);
    let rendered = answer["rendered"].as_str().expect("text");
    assert!(rendered.ends_with("more errors\n"), "{rendered}");
    let rejected = program.event("reload rejected").await;
    let error = rejected["error"].as_str().expect("text");
    assert!(error.len() < 4096, "{}", error.len());
    assert!(error.ends_with("more errors"), "{error}");
    // `check` says as much.
    let file = program.file("wsgate.toml");
    let checked = finish(&["check", file.to_str().expect("a path")]).await;
    assert_eq!(checked.code, Some(1));
    assert_eq!(checked.stderr.matches("error: ").count(), 50);
    stops(&mut program, Signal::TERM).await;
}

#[tokio::test]
async fn s08_a_signal_to_stop_ends_a_reload_that_takes_long() {
    let echo = Echo::start().await;
    for signal in [Signal::TERM, Signal::INT] {
        let mut program = Program::run(&settings(echo.url(), ADMIN)).await;
        program.rewrite(&many_routes(echo.url()));
        program.signal(Signal::HUP);
        program.signal(signal);
        let (code, log) = timeout(AT_ONCE, program.ended()).await.expect("an end");
        assert_eq!(code, Some(0), "{log}");
        for event in ["settings reloaded", "reload rejected"] {
            assert!(program.events(event).is_empty(), "{log}");
        }
    }
}
