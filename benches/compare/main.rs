//! `cargo bench --bench compare`: what wsgate costs, beside other proxies and on the same machine.
//!
//! An echo backend, the proxies in turn, and clients that talk through them. Every proxy has one
//! thread, on a processor of its own where there are two; every scenario begins with a fresh process;
//! the peers are measured one after the other in each round, so that what the machine does meanwhile
//! hits all of them. docs/benchmarks.md tells what comes of it.

mod arguments;
#[path = "../common/mod.rs"]
mod common;
mod fan_out;
mod latency;
mod machine;
mod peers;
mod relays;
mod report;
mod scenarios;
mod tls;
mod usage;

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use self::arguments::Arguments;
use self::common::backend;
use self::common::process::{Process, free_address};
use self::fan_out::servers;
use self::machine::Processors;
use self::peers::{
    Peer, ROLE_BACKEND, ROLE_BARE, ROLE_FAN_OUT, ROLE_GRIP, ROLE_MESSAGES, ROLE_TUNNEL,
};
use self::report::Table;
use self::scenarios::{Bench, Scenario};
use self::tls::Tls;

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [role @ (ROLE_BACKEND | ROLE_FAN_OUT | ROLE_GRIP), listen] => serve(listen, None, role),
        [
            role @ (ROLE_TUNNEL | ROLE_BARE | ROLE_MESSAGES),
            listen,
            backend,
        ] => serve(listen, Some(backend), role),
        _ => compare(&Arguments::parse()),
    }
}

/// What this program is to itself.
fn serve(listen: &str, backend: Option<&str>, role: &str) -> io::Result<()> {
    let address = |text: &str| text.parse::<SocketAddr>().map_err(io::Error::other);
    let listen = address(listen)?;
    runtime()?.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        match (role, backend.map(address).transpose()?) {
            (ROLE_MESSAGES, Some(backend)) => relays::messages(listener, backend).await,
            (ROLE_BARE, Some(backend)) => relays::bare(listener, backend).await,
            (_, Some(backend)) => relays::tunnel(listener, backend).await,
            (ROLE_FAN_OUT, None) => servers::bare(listener).await,
            (ROLE_GRIP, None) => servers::grip(listener).await,
            (_, None) => backend::serve(listener).await,
        }
    })
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn compare(arguments: &Arguments) -> io::Result<()> {
    let descriptors = machine::raise_limit()?;
    let directory = tempfile::tempdir()?;
    let processors = match arguments.unpinned {
        true => None,
        false => Processors::split()?,
    };
    if let Some(processors) = &processors {
        processors.for_load()?;
    }
    let listen = free_address()?;
    let mut backend = Command::new("/proc/self/exe");
    let backend = Process::start(backend.args([ROLE_BACKEND, &listen.to_string()]), listen)?;
    let mut crowds = arguments.crowds.clone();
    crowds.retain(|&crowd| {
        let possible = 2 * crowd as u64 + 200 < descriptors;
        if !possible {
            eprintln!("left out: a crowd of {crowd}, with {descriptors} descriptors a process");
        }
        possible
    });
    let bench = Bench {
        backend: backend.address,
        directory: directory.path().to_owned(),
        processors,
        tls: Tls::prepare(directory.path())?,
        time: Duration::from_secs_f64(arguments.time),
        idle_time: Duration::from_secs_f64(arguments.idle_time),
        crowds,
    };
    let scenarios = match arguments.scenarios.is_empty() {
        true => &Scenario::ALL[..],
        false => &arguments.scenarios,
    };
    let (peers, versions) = present(arguments, scenarios)?;
    let mut figures = preface(arguments, &bench, &versions);
    println!("{figures}");
    let runtime = runtime()?;
    for &scenario in scenarios {
        let table = measure(arguments, &runtime, &bench, scenario, &peers);
        println!("{table}");
        figures += &table;
        figures.push('\n');
    }
    if arguments.write {
        report::write_page(figures.trim_end())?;
    }
    Ok(())
}

/// The peers that are asked for, take part and are there, and their versions.
fn present(arguments: &Arguments, scenarios: &[Scenario]) -> io::Result<(Vec<Peer>, Vec<String>)> {
    let mut wanted = match arguments.peers.is_empty() {
        true => Peer::ALL.to_vec(),
        false => arguments.peers.clone(),
    };
    let against = arguments.against.clone();
    wanted.extend(against.map(|program| Peer::Against(program.leak())));
    wanted.retain(|&peer| scenarios.iter().any(|scenario| scenario.suits(peer)));
    if wanted.contains(&Peer::Wsgate) {
        peers::build()?;
    }
    let (mut peers, mut versions) = (Vec::new(), Vec::new());
    for peer in wanted {
        match peer.version() {
            Some(version) => {
                peers.push(peer);
                versions.push(format!("{} {version}", peer.name()));
            }
            None => eprintln!("left out: {} is not installed", peer.name()),
        }
    }
    Ok((peers, versions))
}

/// What the figures were taken with.
fn preface(arguments: &Arguments, bench: &Bench, versions: &[String]) -> String {
    let placed = match bench.processors {
        Some(_) => "the proxy alone on one core, clients and backend on the others",
        None => "the system placed them",
    };
    let mut text = format!("Machine: {}; {placed}.\n", machine::description());
    let _ = writeln!(text, "Compared: {}.", versions.join(", "));
    let _ = writeln!(
        text,
        "Medians of {} rounds of {} s ({} for idle crowds, watched for {} s).\n",
        arguments.rounds, arguments.time, arguments.crowd_rounds, arguments.idle_time
    );
    text
}

fn measure(
    arguments: &Arguments,
    runtime: &Runtime,
    bench: &Bench,
    scenario: Scenario,
    peers: &[Peer],
) -> String {
    let able = |peer: &&Peer| scenario.suits(**peer);
    let peers: Vec<_> = peers.iter().filter(able).copied().collect();
    let mut table = Table::new(scenario, scenario.columns(bench), &peers);
    let rounds = match scenario {
        Scenario::Crowd(_) => arguments.crowd_rounds,
        _ => arguments.rounds,
    };
    for round in 1..=rounds {
        for &peer in &peers {
            progress(&format!(
                "{}, round {round}: {}",
                scenario.word(),
                peer.name()
            ));
            match runtime.block_on(within(scenario.run(bench, peer))) {
                Ok(figures) => table.add(peer, figures),
                Err(error) => {
                    progress("");
                    eprintln!("left out of round {round}: {}: {error}", peer.name());
                    table.add_nothing(peer);
                }
            }
        }
    }
    progress("");
    table.markdown()
}

/// A proxy that stands still is left out, and not waited for.
async fn within<T>(run: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    const LONGEST: Duration = Duration::from_secs(600);
    tokio::time::timeout(LONGEST, run).await?
}

/// Shows in one line what goes on, to whoever looks.
fn progress(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r{text:<60}\r");
    }
}
