//! One publication to all members of a channel.

use std::io;
use std::process::Command;
use std::time::Duration;

use super::{Bench, Column, bytes, column, microseconds};
use crate::common::client::Client;
use crate::common::process::{Process, free_address};
use crate::fan_out::channel::Channel;
use crate::fan_out::members::Members;
use crate::peers::{Broadcaster, Peer, ROLE_GRIP};

/// How many deliveries a second are offered.
const RATE: u32 = 36_000;

pub(crate) fn title(size: usize, members: usize) -> String {
    format!("Fan-out, {} to {members} members", bytes(size))
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
) -> io::Result<Vec<f64>> {
    let grip = match peer {
        Peer::Broadcaster(Broadcaster::Pushpin) => Some(grip()?),
        _ => None,
    };
    let backend = grip.as_ref().map_or(bench.backend, |grip| grip.address);
    let (mut server, publisher) = bench.placed(|| peer.start_fan_out(backend, &bench.directory))?;
    server
        .starts(async |target| Client::open(target.clone(), "/").await)
        .await?;
    let empty = server.memory()?;
    let members = Members::open(server.address, members).await?;
    let count = members.count() as f64;
    let taken = server.memory()?.saturating_sub(empty);
    let mut channel = Channel::new(members, publisher, size);
    channel.fill()?;
    channel.publish_for(bench.time / 5, None)?;

    let before = server.processor_time()?;
    let mut alone = channel.publish_for(bench.time, None)?;
    let between = server.processor_time()?;
    let pace = Duration::from_secs_f64(count / f64::from(RATE));
    let mut paced = channel.publish_for(bench.time, Some(pace))?;
    let behind = server.processor_time()?;
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

/// The backend behind Pushpin.
fn grip() -> io::Result<Process> {
    let listen = free_address()?;
    let mut program = Command::new("/proc/self/exe");
    Process::start(program.args([ROLE_GRIP, &listen.to_string()]), listen)
}
