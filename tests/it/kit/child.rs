//! The program as a child process. It is killed when its handle is dropped.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::soon;

/// What a run that ended by itself left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A program that serves.
pub(crate) struct Program {
    child: Child,
    log: watch::Receiver<Lines>,
    /// Where its first listener listens.
    pub(crate) address: String,
    _readers: JoinSet<()>,
    folder: TempDir,
}

/// What was written to standard error so far.
#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    ended: bool,
}

/// A command line with these variables in its environment.
pub(crate) fn spawn(arguments: &[&str], variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsgate"));
    command.args(arguments).envs(variables.iter().copied());
    start(command)
}

fn start(command: Command) -> Child {
    start_with(command, Stdio::null())
}

fn start_with(mut command: Command, stdin: Stdio) -> Child {
    command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts")
}

/// `wsgate run` with settings in this folder and these sockets, two at most, as sd_listen_fds(3) has
/// it: from descriptor 3 on.
pub(crate) fn spawn_passed(
    folder: &Path,
    settings: &str,
    sockets: Vec<OwnedFd>,
    variables: &[(&str, &str)],
) -> Child {
    spawn_passed_to(Stdio::piped(), folder, settings, sockets, variables)
}

/// The same with this standard error.
pub(crate) fn spawn_passed_to(
    stderr: Stdio,
    folder: &Path,
    settings: &str,
    sockets: Vec<OwnedFd>,
    variables: &[(&str, &str)],
) -> Child {
    let file = folder.join("wsgate.toml");
    std::fs::write(&file, settings).expect("a file");
    let mut command = Command::new("sh");
    let passing = "export LISTEN_PID=${LISTEN_PID:-$$}; \
                   exec \"$0\" run \"$1\" 3<&0 4<&1 </dev/null >/dev/null";
    command.args(["-c", passing, env!("CARGO_BIN_EXE_wsgate")]);
    command
        .arg(file)
        .env("LISTEN_FDS", sockets.len().to_string());
    command.envs(variables.iter().copied());
    let mut sockets = sockets.into_iter().map(Stdio::from);
    let mut next = || sockets.next().unwrap_or_else(Stdio::null);
    command.stdin(next()).stdout(next()).stderr(stderr);
    assert!(sockets.next().is_none(), "a shell passes two");
    command.kill_on_drop(true).spawn().expect("a shell")
}

/// Runs a command line to its end.
#[track_caller]
pub(crate) fn finish(arguments: &[&str]) -> impl Future<Output = Finished> {
    finish_with(arguments, &[])
}

/// Runs a command line to its end, with these variables in its environment.
#[track_caller]
pub(crate) fn finish_with(
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> impl Future<Output = Finished> {
    let output = soon(
        "the program to end",
        spawn(arguments, variables).wait_with_output(),
    );
    async { Finished::of(output.await.expect("output")) }
}

/// Runs a command line to its end, with these variables and this standard input.
#[track_caller]
pub(crate) fn finish_reading(
    arguments: &[&str],
    variables: &[(&str, &str)],
    input: &[u8],
) -> impl Future<Output = Finished> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsgate"));
    command.args(arguments).envs(variables.iter().copied());
    let mut child = start_with(command, Stdio::piped());
    let (mut stdin, input) = (child.stdin.take().expect("a pipe"), input.to_vec());
    let finished = soon("the program to end", async move {
        // A command that has its message already does not read.
        let _unread = stdin.write_all(&input).await;
        drop(stdin);
        child.wait_with_output().await
    });
    async { Finished::of(finished.await.expect("output")) }
}

/// Settings that listen on a free port, log JSON, and send `/ws/*` to a server. A drain closes all
/// sessions at once, unless `more` says how it is to go.
pub(crate) fn settings(server: &str, more: &str) -> String {
    let drain = match more.contains("[drain]") {
        true => "",
        false => "[drain]\nspread = \"0s\"",
    };
    format!(
        "[[listen]]\naddress = \"127.0.0.1:0\"\n\
         [log]\nformat = \"json\"\n\
         [upstream.chat]\nservers = [\"{server}\"]\n\
         [[route]]\nname = \"chat\"\npath = \"/ws/*\"\nupstream = \"chat\"\n\
         {more}\n{drain}\n"
    )
}

impl Finished {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

impl Program {
    /// `wsgate run` with these settings, once it listens.
    #[track_caller]
    pub(crate) fn run(settings: &str) -> impl Future<Output = Self> {
        Self::run_with(settings, &[])
    }

    /// The same with these variables in its environment.
    #[track_caller]
    pub(crate) fn run_with(
        settings: &str,
        variables: &[(&str, &str)],
    ) -> impl Future<Output = Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("wsgate.toml");
        std::fs::write(&file, settings).expect("a file");
        let file = file.to_str().expect("a path").to_owned();
        let child = spawn(&["run", &file], variables);
        Self::listening(child, folder)
    }

    /// `wsgate run` with these settings and so many file descriptors, once it listens.
    #[track_caller]
    pub(crate) fn run_limited(settings: &str, descriptors: u32) -> impl Future<Output = Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("wsgate.toml");
        std::fs::write(&file, settings).expect("a file");
        let mut command = Command::new("sh");
        let limited = format!("ulimit -n {descriptors} && exec \"$0\" run \"$1\"");
        command.args(["-c", &limited, env!("CARGO_BIN_EXE_wsgate")]);
        command.arg(file);
        Self::listening(start(command), folder)
    }

    /// `wsgate run` with these settings and sockets that are bound already, two at most, once it
    /// listens.
    #[track_caller]
    pub(crate) fn run_passed(
        settings: &str,
        sockets: Vec<OwnedFd>,
        variables: &[(&str, &str)],
    ) -> impl Future<Output = Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let child = spawn_passed(folder.path(), settings, sockets, variables);
        Self::listening(child, folder)
    }

    /// Any command line that serves, once it listens.
    #[track_caller]
    pub(crate) fn serving(arguments: &[&str]) -> impl Future<Output = Self> {
        let folder = tempfile::tempdir().expect("a folder");
        Self::listening(spawn(arguments, &[]), folder)
    }

    /// A program that listens here, and whose log is not read.
    pub(crate) fn unheard(child: Child, address: String, folder: TempDir) -> Self {
        let ended = Lines {
            ended: true,
            ..Lines::default()
        };
        Self {
            child,
            log: watch::channel(ended).1,
            address,
            _readers: JoinSet::new(),
            folder,
        }
    }

    #[track_caller]
    fn listening(mut child: Child, folder: TempDir) -> impl Future<Output = Self> {
        let (lines, log) = watch::channel(Lines::default());
        let stderr = child.stderr.take().expect("a pipe");
        let mut readers = JoinSet::new();
        readers.spawn(async move {
            let mut stderr = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = stderr.next_line().await {
                lines.send_modify(|lines| lines.lines.push(line));
            }
            lines.send_modify(|lines| lines.ended = true);
        });
        let mut program = Self {
            child,
            log,
            address: String::new(),
            _readers: readers,
            folder,
        };
        let found = program.line("the program to listen", |line| address(line, "listening"));
        async {
            let address = found.await;
            program.address = address;
            program
        }
    }

    /// Where the admin interface listens.
    #[track_caller]
    pub(crate) fn admin(&self) -> impl Future<Output = String> + use<> {
        self.line("an admin interface", |line| {
            address(line, "admin interface listening")
        })
    }

    /// Where the publish interface listens.
    #[track_caller]
    pub(crate) fn publish(&self) -> impl Future<Output = String> + use<> {
        self.line("a publish interface", |line| {
            address(line, "publish interface listening")
        })
    }

    /// The first line of the log that this finds something in, written already or to come.
    #[track_caller]
    pub(crate) fn line<T, F: Fn(&str) -> Option<T>>(
        &self,
        what: &str,
        find: F,
    ) -> impl Future<Output = T> + use<T, F> {
        self.nth_line(0, what, find)
    }

    /// The same after so many such lines.
    #[track_caller]
    fn nth_line<T, F: Fn(&str) -> Option<T>>(
        &self,
        index: usize,
        what: &str,
        find: F,
    ) -> impl Future<Output = T> + use<T, F> {
        let mut log = self.log.clone();
        let found = async move {
            let found = |lines: &Lines| {
                let mut found = lines.lines.iter().filter_map(|line| find(line));
                found.nth(index)
            };
            let lines = log
                .wait_for(|lines| lines.ended || found(lines).is_some())
                .await
                .expect("a reader");
            found(&lines).ok_or_else(|| lines.lines.join("\n"))
        };
        let found = soon(what.to_owned(), found);
        async { found.await.unwrap_or_else(|log| panic!("only:\n{log}")) }
    }

    /// The first event of a JSON log with this message, written already or to come.
    #[track_caller]
    pub(crate) fn event(&self, message: &str) -> impl Future<Output = Value> + use<> {
        self.nth_event(0, message)
    }

    /// The same after so many such events.
    #[track_caller]
    pub(crate) fn nth_event(
        &self,
        index: usize,
        message: &str,
    ) -> impl Future<Output = Value> + use<> {
        let wanted = message.to_owned();
        self.nth_line(index, message, move |line| {
            event(line).filter(|event| event["message"] == *wanted)
        })
    }

    /// Waits until something holds of the log, which is looked at with each line.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let mut log = self.log.clone();
        soon(what, async {
            log.mark_unchanged();
            while !holds() {
                log.changed().await.expect("a log that goes on");
            }
        })
        .await;
    }

    /// The lines of the log so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.log.borrow().lines.clone()
    }

    /// The events of a JSON log so far that have this message.
    pub(crate) fn events(&self, message: &str) -> Vec<Value> {
        let lines = self.lines();
        let events = lines.iter().filter_map(|line| event(line));
        events
            .filter(|event| event["message"] == *message)
            .collect()
    }

    /// A file in the folder of the settings.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts other settings in the place of its own, whole at once.
    pub(crate) fn rewrite(&self, settings: &str) {
        let new = self.file("new.toml");
        std::fs::write(&new, settings).expect("a file");
        std::fs::rename(new, self.file("wsgate.toml")).expect("a file");
    }

    /// Its id among the processes.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// The folder of the settings.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Lets it open so many files at once, or no more than are open where it has those already.
    #[cfg(target_os = "linux")]
    pub(crate) fn limit_descriptors(&self, most: u64) {
        use rustix::process::{Resource, Rlimit, prlimit};
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        prlimit(Some(self.pid()), Resource::Nofile, limit).expect("it runs");
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.id().cast_signed()).expect("an id")
    }

    /// Waits for the end: its exit code, and all of the log.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> impl Future<Output = (Option<i32>, String)> {
        soon("the program to end", async {
            let status = self.child.wait().await.expect("a status");
            let lines = self.log.wait_for(|lines| lines.ended).await;
            let log = lines.expect("a reader").lines.join("\n");
            (status.code(), log)
        })
    }

    /// Tells it to stop, and checks that it ends well.
    pub(crate) async fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        let (code, log) = self.ended().await;
        assert_eq!(code, Some(0), "{log}");
        log
    }
}

/// The address in a line with this message, as text or JSON.
fn address(line: &str, message: &str) -> Option<String> {
    if let Some(event) = event(line) {
        let address = event["address"].as_str()?;
        return (event["message"] == *message).then(|| address.to_owned());
    }
    let (_, address) = line.split_once(&format!("INFO {message} address="))?;
    Some(address.to_owned())
}

fn event(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}
