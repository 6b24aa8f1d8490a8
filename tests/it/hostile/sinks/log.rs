//! Case S01: nobody reads standard error, or nobody can write to it.

use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Write, pipe};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Signal;
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{STOPS, ask, goes_on, metric, reloads, stops};
use crate::kit::{AT_ONCE, Echo, Program, Socket, Wire, settings, spawn_passed_to, websocket};

/// A program with this standard error.
struct Unheard {
    program: Program,
    admin: String,
}

/// The log of most programs.
const TEXT: &str = "format = \"text\"";

/// The log with the most lines.
const TRACE: &str = "format = \"json\"\nlevel = \"trace\"";

impl Unheard {
    /// One that has begun to serve. Its sockets listen before it does: it cannot say where.
    async fn start(stderr: Stdio, server: &str, log: &str, more: &str) -> Self {
        let sockets = ["127.0.0.1:0"; 2].map(|any| TcpListener::bind(any).expect("a port"));
        let [address, admin] =
            (sockets.each_ref()).map(|socket| socket.local_addr().expect("an address").to_string());
        let more = format!("{more}\n[admin]\naddress = \"{admin}\"");
        let text = settings(server, &more)
            .replacen("127.0.0.1:0", &address, 1)
            .replacen("format = \"json\"", log, 1);
        let folder = tempfile::tempdir().expect("a folder");
        let sockets = sockets.map(OwnedFd::from).into();
        let child = spawn_passed_to(stderr, folder.path(), &text, sockets, &[]);
        let program = Program::unheard(child, address, folder);
        let unheard = Self { program, admin };
        let serves = ask(&unheard.admin, "GET /readyz");
        timeout(AT_ONCE, serves).await.expect("a gate that serves");
        unheard
    }

    async fn dropped(&self) -> u64 {
        metric(&self.admin, "wsgate_log_lines_dropped_total").await
    }
}

/// A pipe that is full. The side that reads is only held.
fn full_pipe() -> (PipeReader, Stdio) {
    let (reader, mut writer) = pipe().expect("a pipe");
    let flags = fcntl_getfl(writer.as_fd()).expect("flags");
    fcntl_setfl(writer.as_fd(), flags | OFlags::NONBLOCK).expect("flags");
    while writer.write(&[b'\n'; 4096]).is_ok() {}
    while writer.write(b"\n").is_ok() {}
    fcntl_setfl(writer.as_fd(), flags).expect("flags");
    (reader, writer.into())
}

#[tokio::test]
async fn s01_a_log_that_nobody_reads_holds_up_no_session_and_no_signal() {
    let echo = Echo::start().await;
    for (signal, log) in STOPS.into_iter().zip([TEXT, TRACE]) {
        let (_reader, stderr) = full_pipe();
        let Unheard { mut program, admin } = Unheard::start(stderr, echo.url(), log, "").await;
        goes_on(&program.address).await;
        assert!(ask(&admin, "GET /healthz").await.contains("alive"));
        reloads(&program, &admin).await;
        goes_on(&program.address).await;
        stops(&mut program, signal).await;
    }
}

#[tokio::test]
async fn s01_a_second_signal_ends_it_at_once_although_nobody_reads_its_last_words() {
    let echo = Echo::start().await;
    for (signal, code) in STOPS.into_iter().zip([143, 130]) {
        let (_reader, stderr) = full_pipe();
        let never = "timeouts.close = \"1h\"\n[drain]\nspread = \"0s\"\ndeadline = \"1h\"";
        let unheard = Unheard::start(stderr, echo.url(), TEXT, never).await;
        let mut program = unheard.program;
        let mut open = Wire::connect(&program.address).await;
        open.send(websocket("/ws/", &program.address, "")).await;
        assert_eq!(open.head().await.status(), 101);
        program.signal(Signal::TERM);
        open.expect_close(1001).await;
        program.signal(signal);
        let (ended, _) = timeout(AT_ONCE, program.ended()).await.expect("an end");
        assert_eq!(ended, Some(code));
    }
}

#[tokio::test]
async fn s01_what_is_dropped_is_counted_and_the_log_says_so_in_its_place() {
    let echo = Echo::start().await;
    let (reader, stderr) = full_pipe();
    // A server with a long name, which stands in each line about a session.
    let server = format!("{}/{}", echo.url(), "x".repeat(4000));
    let unheard = Unheard::start(stderr, &server, TRACE, "").await;
    let flood = async {
        while unheard.dropped().await == 0 {
            let mut socket = Socket::open(&unheard.program.address, "/ws/").await;
            socket.echoes("hello").await;
            socket.close().await;
        }
    };
    timeout(AT_ONCE, flood).await.expect("a full queue");
    // What reads it recovers, and then there is room for more.
    let (recovered, recovers) = oneshot::channel();
    let reading = tokio::task::spawn_blocking(move || {
        let mut recovered = Some(recovered);
        let lines = BufReader::new(reader)
            .lines()
            .map(|line| line.expect("text"));
        let lines = lines.filter(|line| !line.is_empty());
        lines
            .inspect(|line| {
                if line.contains("log_dropped") {
                    recovered.take().map(|recovered| recovered.send(()));
                }
            })
            .collect::<Vec<_>>()
    });
    timeout(AT_ONCE, recovers)
        .await
        .expect("room")
        .expect("a line");
    let Unheard { mut program, .. } = unheard;
    stops(&mut program, Signal::TERM).await;
    let lines = timeout(AT_ONCE, reading)
        .await
        .expect("an end")
        .expect("lines");
    let events: Vec<Value> = (lines.iter())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line} is no JSON")))
        .collect();
    let told = |event: &&Value| event["reason"] == "log_dropped";
    let told: Vec<_> = events.iter().filter(told).collect();
    assert!(!told.is_empty() && told.len() < 10, "{told:?}");
    for event in told {
        assert_eq!(event["level"], "WARN");
        assert_eq!(event["message"], "lines of the log were dropped");
        assert!(event["dropped"].as_u64().expect("a number") > 0, "{event}");
    }
    let last = events.last().expect("a line");
    assert_eq!(
        last["message"], "stopped",
        "all that came afterwards is there"
    );
}

#[tokio::test]
async fn s01_standard_error_that_fails_harms_nobody() {
    let echo = Echo::start().await;
    let (reader, gone) = pipe().expect("a pipe");
    drop(reader);
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("a device");
    for (stderr, what) in [(gone.into(), "gone"), (full.into(), "full")] {
        let mut unheard = Unheard::start(stderr, echo.url(), TEXT, "").await;
        goes_on(&unheard.program.address).await;
        let counted = async { while unheard.dropped().await == 0 {} };
        timeout(AT_ONCE, counted).await.expect(what);
        stops(&mut unheard.program, Signal::TERM).await;
    }
}

/// The command with no standard error at all.
#[tokio::test]
async fn s01_standard_error_that_is_closed_harms_nobody() {
    let echo = Echo::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("gate.sock");
    let listen = format!("unix:{}", socket.display());
    let text = settings(echo.url(), "").replacen("127.0.0.1:0", &listen, 1);
    let file = folder.path().join("wsgate.toml");
    std::fs::write(&file, text).expect("a file");
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "exec \"$0\" run \"$1\" 2>&-",
        env!("CARGO_BIN_EXE_wsgate"),
    ]);
    let child = command
        .arg(file)
        .kill_on_drop(true)
        .spawn()
        .expect("a shell");
    let mut program = Program::unheard(child, String::new(), folder);
    let served = async {
        let wire = loop {
            // Nothing tells when it listens.
            match tokio::net::UnixStream::connect(&socket).await {
                Ok(stream) => break Wire::of_client(stream),
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let opened = Socket::open_on(wire, "gate.test", "/ws/", &[]).await;
        let mut peer = opened.expect("a session");
        peer.echoes("hello").await;
        peer.close().await;
    };
    timeout(AT_ONCE, served).await.expect("a session");
    program.signal(Signal::TERM);
    let (code, _) = timeout(AT_ONCE, program.ended()).await.expect("an end");
    assert_eq!(code, Some(0));
}

/// A start that fails says so to nobody, and ends nevertheless.
#[tokio::test]
async fn s01_a_start_that_fails_ends_although_nobody_reads_why() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    for (text, code) in [
        ("not settings".to_owned(), 1),
        (
            settings("ws://127.0.0.1:1", "").replacen("127.0.0.1:0", &taken, 1),
            2,
        ),
        (
            settings("ws://127.0.0.1:1", "").replacen("[log]", "[log]\nlevel = \"a=b=c\"", 1),
            1,
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let (_reader, stderr) = full_pipe();
        let child = spawn_passed_to(stderr, folder.path(), &text, Vec::new(), &[]);
        let mut program = Program::unheard(child, String::new(), folder);
        let (ended, _) = timeout(AT_ONCE, program.ended()).await.expect("an end");
        assert_eq!(ended, Some(code), "{text}");
    }
}
