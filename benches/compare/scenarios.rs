//! What is measured. Each scenario begins with a fresh process.

mod crowd;
mod echo;
mod fan_out;
mod handshakes;
mod offered;
mod slow_reader;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::common::http2::Connections;
use crate::common::process::Process;
use crate::machine::Processors;
use crate::peers::Peer;
use crate::tls::{Over, Tls};

/// One measurement, the same for every peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// So many sockets that send a message of so many bytes after each answer.
    Echo {
        size: usize,
        sockets: usize,
        over: Over,
    },
    /// Messages at a rate that does not depend on the answers.
    Offered,
    /// Connect, handshake, one message, closing handshake.
    Handshakes(Over),
    /// Idle sessions, and what they cost.
    Crowd(Over),
    /// Quick clients beside one that reads slowly what comes without end.
    SlowReader,
    /// One publication of so many bytes to so many members of a channel, at one server or spread over several with an engine.
    FanOut {
        size: usize,
        members: usize,
        servers: usize,
    },
}

/// What the figures are taken with.
pub(crate) struct Bench {
    pub(crate) backend: SocketAddr,
    pub(crate) directory: PathBuf,
    pub(crate) processors: Option<Processors>,
    pub(crate) tls: Tls,
    /// For how long each thing is measured.
    pub(crate) time: Duration,
    /// For how long an idle crowd is watched.
    pub(crate) idle_time: Duration,
    /// How big crowds are.
    pub(crate) crowds: Vec<usize>,
}

/// A figure of a scenario.
pub(crate) struct Column {
    pub(crate) name: String,
    /// How many digits behind the point are worth showing.
    pub(crate) digits: usize,
}

impl Scenario {
    pub(crate) const ALL: [Self; 20] = [
        Self::echo(128, 64, Over::Plain),
        Self::echo(1024, 64, Over::Plain),
        Self::echo(16 * 1024, 64, Over::Plain),
        Self::echo(1024 * 1024, 8, Over::Plain),
        Self::Offered,
        Self::Handshakes(Over::Plain),
        Self::SlowReader,
        Self::Crowd(Over::Plain),
        Self::echo(128, 64, Over::Tls),
        Self::echo(16 * 1024, 64, Over::Tls),
        Self::Handshakes(Over::Tls),
        Self::Handshakes(Over::ResumedTls),
        Self::Crowd(Over::Tls),
        Self::echo(128, 64, Over::Http2),
        Self::echo(16 * 1024, 64, Over::Http2),
        Self::fan_out(128, 1_000),
        Self::fan_out(4096, 1_000),
        Self::fan_out(128, 9_000),
        Self::fan_out(4096, 9_000),
        Self::FanOut {
            size: 128,
            members: 9_000,
            servers: 3,
        },
    ];

    const fn echo(size: usize, sockets: usize, over: Over) -> Self {
        Self::Echo {
            size,
            sockets,
            over,
        }
    }

    const fn fan_out(size: usize, members: usize) -> Self {
        Self::FanOut {
            size,
            members,
            servers: 1,
        }
    }

    /// Whether the peer can do it.
    pub(crate) fn suits(self, peer: Peer) -> bool {
        match self {
            Self::FanOut { servers, .. } => peer.fans_out() && (servers == 1 || peer.is_wsgate()),
            _ => peer.speaks(self.over()),
        }
    }

    /// How its clients reach the proxy.
    pub(crate) fn over(self) -> Over {
        match self {
            Self::Echo { over, .. } | Self::Handshakes(over) | Self::Crowd(over) => over,
            Self::Offered | Self::SlowReader | Self::FanOut { .. } => Over::Plain,
        }
    }

    /// The word for it on the command line.
    pub(crate) fn word(self) -> String {
        let word = match self {
            Self::Echo { size, .. } => format!("echo-{size}"),
            Self::Offered => "offered".to_owned(),
            Self::Handshakes(_) => "handshakes".to_owned(),
            Self::Crowd(_) => "crowd".to_owned(),
            Self::SlowReader => "slow-reader".to_owned(),
            Self::FanOut {
                size,
                members,
                servers,
            } => match servers {
                1 => format!("fan-out-{size}-{members}"),
                _ => format!("fan-out-{size}-{servers}x{}", members / servers),
            },
        };
        self.over().prefix().to_owned() + &word
    }

    pub(crate) fn title(self) -> String {
        let title = match self {
            Self::Echo { size, sockets, .. } => {
                format!("Echo, {} in each message, {sockets} sockets", bytes(size))
            }
            Self::Offered => offered::title(),
            Self::Handshakes(_) => handshakes::title(),
            Self::Crowd(_) => crowd::title(),
            Self::SlowReader => slow_reader::title(),
            Self::FanOut {
                size,
                members,
                servers,
            } => fan_out::title(size, members, servers),
        };
        title + self.over().suffix()
    }

    /// What [`Scenario::run`] returns; the first is what peers are compared by.
    pub(crate) fn columns(self, bench: &Bench) -> Vec<Column> {
        match self {
            Self::Echo { .. } => echo::columns(),
            Self::Offered => offered::columns(),
            Self::Handshakes(_) => handshakes::columns(),
            Self::Crowd(_) => crowd::columns(bench),
            Self::SlowReader => slow_reader::columns(),
            Self::FanOut { .. } => fan_out::columns(),
        }
    }

    pub(crate) async fn run(self, bench: &Bench, peer: Peer) -> io::Result<Vec<f64>> {
        let proxy = || bench.start(peer, self.over());
        match self {
            Self::Echo { size, sockets, .. } => {
                echo::run(bench, &proxy().await?, size, sockets).await
            }
            Self::Offered => offered::run(bench, &proxy().await?).await,
            Self::Handshakes(_) => handshakes::run(bench, &proxy().await?).await,
            Self::Crowd(_) => crowd::run(bench, &proxy().await?).await,
            Self::SlowReader => slow_reader::run(bench, &proxy().await?).await,
            Self::FanOut {
                size,
                members,
                servers,
            } => fan_out::run(bench, peer, size, members, servers).await,
        }
    }
}

impl Bench {
    /// Starts a proxy and waits until it serves.
    async fn start(&self, peer: Peer, over: Over) -> io::Result<Process> {
        let mut process = self.placed(|| peer.start(self.backend, &self.directory, over))?;
        process.tls = self.tls.client(over)?;
        process.http2 = (over == Over::Http2).then(Connections::default);
        process.serves().await?;
        Ok(process)
    }

    /// Starts something on the processor of the proxy.
    fn placed<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(processors) = &self.processors else {
            return start();
        };
        processors.for_proxy()?;
        let started = start();
        processors.for_load()?;
        started
    }
}

fn column(name: impl Into<String>, digits: usize) -> Column {
    let name = name.into();
    Column { name, digits }
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn bytes(size: usize) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..1_048_576 => format!("{} KiB", size / 1024),
        _ => format!("{} MiB", size / 1_048_576),
    }
}
