//! The operator's commands, against a process that serves.

mod channels;
mod check;
mod close;
mod empty;
mod probe;
mod probe_tls;
mod publish;
mod reload;
mod sessions;
mod target;
mod terminal;
mod top;
mod upstreams;

use serde_json::Value;

use super::kit::{Echo, Finished, Program, Socket, Upstream, finish, settings, soon};

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"\n";

/// A process with two routes to two upstreams, and who stands on which.
pub(super) struct Stage {
    pub(super) program: Program,
    pub(super) admin: String,
    pub(super) chat: Vec<Socket>,
    pub(super) feed: Vec<Socket>,
    pub(super) echo: Echo,
}

impl Stage {
    /// So many sessions on each of the routes, by turns.
    pub(super) async fn with(each: usize) -> Self {
        let echo = Echo::start().await;
        let program = Program::run(&Self::settings(&echo)).await;
        let (mut chat, mut feed) = (Vec::new(), Vec::new());
        for _ in 0..each {
            chat.push(Socket::open(&program.address, "/ws/").await);
            feed.push(Socket::open(&program.address, "/feed/").await);
        }
        Self {
            admin: program.admin().await,
            program,
            chat,
            feed,
            echo,
        }
    }

    pub(super) fn settings(echo: &Echo) -> String {
        let more = format!(
            "[[route]]\nname = \"feed\"\npath = \"/feed/*\"\nupstream = \"news\"\n\
             [upstream.news]\nservers = [\"{}\"]\n{ADMIN}",
            echo.url()
        );
        settings(echo.url(), &more)
    }

    /// Runs a command to its end.
    pub(super) async fn run(&self, line: &str) -> Finished {
        let mut arguments: Vec<_> = line.split(' ').collect();
        arguments.extend(["--admin", &self.admin]);
        finish(&arguments).await
    }

    /// What a command prints that does what it should.
    #[track_caller]
    pub(super) fn done(&self, line: &str) -> impl Future<Output = String> {
        let at = std::panic::Location::caller();
        async move {
            let done = self.run(line).await;
            assert_eq!(done.code, Some(0), "{at}: {line}: {done:?}");
            done.stdout
        }
    }

    /// The numbers of the sessions that a command line lists.
    pub(super) async fn ids(&self, line: &str) -> Vec<u64> {
        let listed = self.done(line).await;
        let ids = json_lines(&listed);
        ids.iter()
            .map(|line| line["id"].as_u64().unwrap())
            .collect()
    }
}

/// Answers the next request of a command, which has to be this one, in the place of a process.
pub(super) async fn answer(admin: &Upstream, line: &str, status: &str, body: &str) {
    let (mut wire, head) = soon("a request", admin.request()).await;
    assert_eq!(head.line, format!("{line} HTTP/1.1"));
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n");
    wire.send(format!("{head}{body}")).await;
}

pub(super) fn json_lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.map(Result::unwrap).collect()
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}
