//! One publication to all members of a channel.

use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use super::{Bench, Column, bytes, column, microseconds};
use crate::common::client::Client;
use crate::common::process::{Process, free_address};
use crate::common::publisher::Publisher;
use crate::fan_out::channel::Channel;
use crate::fan_out::members::Members;
use crate::peers::{Broadcaster, Peer, ROLE_GRIP};

/// How many deliveries a second are offered.
const RATE: u32 = 36_000;

/// The engine of several servers.
const ENGINE: &str = "redis-server";

pub(crate) fn title(size: usize, members: usize, servers: usize) -> String {
    let size = bytes(size);
    match servers {
        1 => format!("Fan-out, {size} to {members} members"),
        _ => format!(
            "Fan-out, {size} to {} members of each of {servers}, with one engine",
            members / servers
        ),
    }
}

pub(crate) fn columns() -> Vec<Column> {
    vec![
        column("CPU µs a delivery", 2),
        column("deliveries a second", 0),
        column("p50 ms", 2),
        column("p99 ms", 2),
        column("last ms", 2),
        column(format!("CPU µs at {RATE} a second"), 2),
        column("deliveries a second then", 0),
        column("p99 ms then", 2),
        column("KiB a member", 1),
    ]
}

pub(crate) async fn run(
    bench: &Bench,
    peer: Peer,
    size: usize,
    members: usize,
    servers: usize,
) -> io::Result<Vec<f64>> {
    let grip = match peer {
        Peer::Broadcaster(Broadcaster::Pushpin) => Some(grip()?),
        _ => None,
    };
    let backend = grip.as_ref().map_or(bench.backend, |grip| grip.address);
    let engine = match servers {
        1 => None,
        _ => Some(bench.placed(engine)?),
    };
    let engine = engine.as_ref().map(|engine| engine.address);
    let (servers, publisher) = start(bench, peer, backend, engine, servers).await?;
    let empty = servers.memory()?;
    let members = Members::open(&servers.addresses(), members).await?;
    let count = members.count() as f64;
    let taken = servers.memory()?.saturating_sub(empty);
    let mut channel = Channel::new(members, publisher, size);
    channel.fill()?;
    channel.publish_for(bench.time / 5, None)?;

    let before = servers.processor_time()?;
    let mut alone = channel.publish_for(bench.time, None)?;
    let between = servers.processor_time()?;
    let pace = Duration::from_secs_f64(count / f64::from(RATE));
    let mut paced = channel.publish_for(bench.time, Some(pace))?;
    let behind = servers.processor_time()?;
    Ok(vec![
        microseconds(between - before) / alone.latencies.count(),
        alone.latencies.count() / alone.time.as_secs_f64(),
        alone.latencies.percentile(50.0) / 1e3,
        alone.latencies.percentile(99.0) / 1e3,
        alone.last.percentile(50.0) / 1e3,
        microseconds(behind - between) / paced.latencies.count(),
        paced.latencies.count() / paced.time.as_secs_f64(),
        paced.latencies.percentile(99.0) / 1e3,
        taken as f64 / 1024.0 / count,
    ])
}

/// Servers that publish to each other's members.
struct Servers(Vec<Process>);

impl Servers {
    fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|server| server.address).collect()
    }

    fn memory(&self) -> io::Result<u64> {
        self.0.iter().map(Process::memory).sum()
    }

    fn processor_time(&self) -> io::Result<Duration> {
        self.0.iter().map(Process::processor_time).sum()
    }
}

/// Starts so many servers, one after the other, and who publishes at the last one.
async fn start(
    bench: &Bench,
    peer: Peer,
    backend: SocketAddr,
    engine: Option<SocketAddr>,
    count: usize,
) -> io::Result<(Servers, Publisher)> {
    let mut servers = Vec::with_capacity(count);
    loop {
        let start = || peer.start_fan_out(backend, engine, &bench.directory);
        let (mut server, publisher) = bench.placed(start)?;
        server
            .starts(async |target| Client::open(target.clone(), "/").await)
            .await?;
        servers.push(server);
        if servers.len() == count {
            return Ok((Servers(servers), publisher));
        }
    }
}

/// What the servers publish through.
fn engine() -> io::Result<Process> {
    let listen = free_address()?;
    let port = listen.port().to_string();
    let mut program = Command::new(ENGINE);
    let program = program.args(["--bind", "127.0.0.1", "--port", &port, "--save", ""]);
    Process::start(program, listen)
}

/// The backend behind Pushpin.
fn grip() -> io::Result<Process> {
    let listen = free_address()?;
    let mut program = Command::new("/proc/self/exe");
    Process::start(program.args([ROLE_GRIP, &listen.to_string()]), listen)
}
