//! `cargo bench --bench instructions`: how many instructions wsgate runs in user space for a frame, for a session, and
//! for a delivery.
//!
//! Times depend on the machine and on what else it does; the same program that does the same work runs
//! about the same instructions everywhere, so that a slip of a few percent is seen at once. valgrind's
//! callgrind counts them. Each figure is the difference between a run of some round trips and one of
//! three times as many: what the process does at its start and at its end is not in it. What the kernel
//! does for a system call is not either.

#[path = "../common/mod.rs"]
mod common;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Builder;

use self::common::client::{Client, come_and_go};
use self::common::process::{Process, free_address};
use self::common::publisher::{Publisher, to_wsgate};
use self::common::settings::{PUBLISH, WSGATE, fill_in};
use self::common::{backend, program, wire};

/// What each message is big.
const SIZE: usize = 128;

/// How many members the channel has.
const MEMBERS: u64 = 64;

/// What is counted.
#[derive(Clone, Copy)]
enum Load {
    /// One session whose client sends its next message when it has the answer to the last one.
    RoundTrips,
    /// Connect, handshake, one round trip, closing handshake; one after the other.
    Sessions,
    /// A publication to all members of a channel; the next when all have the last one.
    Deliveries,
}

/// What the figures were when they were last written down: with rustc 1.95.0 and valgrind 3.19 on
/// x86-64, by this program.
///
/// A change that is meant to cost more raises them, and says so in its commit; one that saves lowers
/// them.
const FIGURES: [(Load, u64); 3] = [
    (Load::RoundTrips, 3_300),
    (Load::Sessions, 126_200),
    (Load::Deliveries, 2_030),
];

/// How much more than that is a failure. Another compiler or another processor, for which `memchr` and
/// the like choose other instructions, makes a few percent.
const TOLERANCE_PERCENT: u64 = 10;

fn main() -> ExitCode {
    // `cargo test --benches` has the debug build.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("left out: it is for the optimized build, `cargo bench --bench instructions`");
        return ExitCode::SUCCESS;
    }
    if !has_valgrind() {
        println!("left out: valgrind is not installed");
        return ExitCode::SUCCESS;
    }
    count().unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn count() -> io::Result<ExitCode> {
    let program = program::wsgate()?;
    let mut code = ExitCode::SUCCESS;
    for (load, committed) in FIGURES {
        let count = load.measure(&program)?;
        println!("{count} instructions {}", load.of_what());
        let most = committed + committed * TOLERANCE_PERCENT / 100;
        if count > most {
            eprintln!("that is over {most}: {committed} and {TOLERANCE_PERCENT} %");
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn has_valgrind() -> bool {
    let mut version = Command::new("valgrind");
    let version = version.arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

impl Load {
    fn of_what(self) -> String {
        match self {
            Self::RoundTrips => format!("a frame of {SIZE} B"),
            Self::Sessions => format!("a session with one echo of {SIZE} B"),
            Self::Deliveries => format!("a delivery of {SIZE} B to one of {MEMBERS} members"),
        }
    }

    /// How often it is done in the smaller of two runs. The start of a process takes 420 million instructions, a few
    /// million more or less: the library of TLS gathers its first random numbers from the jitter of the processor.
    fn times(self) -> u64 {
        match self {
            Self::RoundTrips => 12_000,
            Self::Sessions => 600,
            Self::Deliveries => 200,
        }
    }

    /// How many figures there are in one of it.
    fn parts(self) -> u64 {
        match self {
            // There, and back.
            Self::RoundTrips => 2,
            Self::Sessions => 1,
            Self::Deliveries => MEMBERS,
        }
    }

    /// Sessions are in a channel only where that is counted.
    fn settings(self, publish: SocketAddr) -> String {
        match self {
            Self::RoundTrips | Self::Sessions => WSGATE.to_owned(),
            Self::Deliveries => {
                format!("{WSGATE}{PUBLISH}").replace("${BENCH_PUBLISH}", &publish.to_string())
            }
        }
    }

    fn measure(self, program: &Path) -> io::Result<u64> {
        let times = self.times();
        let (some, more) = (self.count(program, times)?, self.count(program, 3 * times)?);
        Ok(more.saturating_sub(some) / (2 * times) / self.parts())
    }

    /// All instructions of a fresh wsgate that has this to do so many times.
    fn count(self, program: &Path, times: u64) -> io::Result<u64> {
        let directory = tempfile::tempdir()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut process = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let publish = free_address()?;
            let settings = self.settings(publish);
            let mut process = start(program, &settings, &listener, directory.path())?;
            let load = async {
                process.serves().await?;
                match self {
                    Self::RoundTrips => echo(&process, times).await?,
                    Self::Sessions => open_and_close(&process, times).await?,
                    Self::Deliveries => fan_out(&process, publish, times).await?,
                }
                io::Result::Ok(())
            };
            tokio::select! {
                ended = backend::serve(listener) => ended?,
                done = load => done?,
                () = tokio::time::sleep(LONGEST) => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            io::Result::Ok(process)
        })?;
        match process.end(END) {
            Some(status) if status.success() => total(directory.path()),
            Some(status) => Err(io::Error::other(format!("it has ended: {status}"))),
            None => Err(io::Error::other("it does not end")),
        }
    }
}

async fn echo(process: &Process, times: u64) -> io::Result<()> {
    let message = wire::message(SIZE);
    let mut client = Client::open(process.address, "/").await?;
    for _ in 0..times {
        client.echo(&message, SIZE).await?;
    }
    client.close().await
}

async fn open_and_close(process: &Process, times: u64) -> io::Result<()> {
    let message = wire::message(SIZE);
    for _ in 0..times {
        come_and_go(&process.target(), &message, SIZE).await?;
    }
    Ok(())
}

async fn fan_out(process: &Process, publish: SocketAddr, times: u64) -> io::Result<()> {
    let mut members = Vec::new();
    for _ in 0..MEMBERS {
        members.push(Client::open(process.address, "/").await?);
    }
    let mut publisher = Publisher::new(publish, to_wsgate);
    let text = "x".repeat(SIZE);
    for _ in 0..times {
        publisher.publish(&text)?;
        for member in &mut members {
            member.receive().await?;
        }
        while !publisher.is_answered()? {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// How long one run may take, under valgrind and on a slow machine.
const LONGEST: Duration = Duration::from_secs(300);

/// How long it may take to end: valgrind writes then what it has counted.
const END: Duration = Duration::from_secs(30);

/// What valgrind writes, in the directory of a run.
const COUNTED: &str = "callgrind.out";

/// Starts wsgate under valgrind, in front of the backend.
fn start(
    program: &Path,
    settings: &str,
    backend: &TcpListener,
    directory: &Path,
) -> io::Result<Process> {
    let listen = free_address()?;
    let file = directory.join("wsgate.toml");
    fs::write(
        &file,
        fill_in(settings, listen, backend.local_addr()?, directory)?,
    )?;
    let counted = directory.join(COUNTED).display().to_string();
    let mut command = Command::new("valgrind");
    command
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={counted}"))
        .arg(program)
        .arg("run")
        .arg(file);
    Process::start(&mut command, listen)
}

fn total(directory: &Path) -> io::Result<u64> {
    let counted = fs::read_to_string(directory.join(COUNTED))?;
    let line = counted
        .lines()
        .find_map(|line| line.strip_prefix("totals: "));
    let total = line.and_then(|total| total.trim().parse().ok());
    total.ok_or_else(|| io::Error::other("valgrind has written no total"))
}
