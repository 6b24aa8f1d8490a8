//! Each socket sends its next message when it has the answer to the last one.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use super::{Bench, Column, column, microseconds};
use crate::common::client::Client;
use crate::common::process::Process;
use crate::common::wire::message;
use crate::latency::Latencies;

pub(crate) fn columns() -> Vec<Column> {
    vec![
        column("CPU µs a round trip", 1),
        column("round trips a second", 0),
        column("p50 µs", 0),
        column("p99 µs", 0),
        column("p99.9 µs", 0),
        column("memory MiB", 1),
    ]
}

pub(crate) async fn run(
    bench: &Bench,
    proxy: &Process,
    size: usize,
    sockets: usize,
) -> io::Result<Vec<f64>> {
    let mut clients = Vec::new();
    for _ in 0..sockets {
        clients.push(Client::open(proxy.target(), "/").await?);
    }
    // What a proxy sets up for its first messages is not measured.
    let (clients, _) = talk(clients, size, bench.time / 5).await?;
    let before = proxy.processor_time()?;
    let begun = Instant::now();
    let (_clients, mut latencies) = talk(clients, size, bench.time).await?;
    let time = begun.elapsed();
    let spent = proxy.processor_time()? - before;
    let count = latencies.count();
    Ok(vec![
        microseconds(spent) / count,
        count / time.as_secs_f64(),
        latencies.percentile(50.0),
        latencies.percentile(99.0),
        latencies.percentile(99.9),
        proxy.memory()? as f64 / 1_048_576.0,
    ])
}

/// Lets all clients talk for so long; gives them back.
pub(super) async fn talk(
    clients: Vec<Client>,
    size: usize,
    time: Duration,
) -> io::Result<(Vec<Client>, Latencies)> {
    let frame = Rc::new(message(size));
    let end = Instant::now() + time;
    let mut talking = JoinSet::new();
    let tasks = LocalSet::new();
    for mut client in clients {
        let frame = Rc::clone(&frame);
        let talk = async move {
            let mut latencies = Latencies::default();
            loop {
                let sent = Instant::now();
                if sent >= end {
                    return io::Result::Ok((client, latencies));
                }
                client.echo(&frame, size).await?;
                latencies.add(sent.elapsed());
            }
        };
        talking.spawn_local_on(talk, &tasks);
    }
    gather(talking, &tasks).await
}

/// Waits for all, and puts together what they measured.
pub(super) async fn gather<T: 'static>(
    mut measuring: JoinSet<io::Result<(T, Latencies)>>,
    tasks: &LocalSet,
) -> io::Result<(Vec<T>, Latencies)> {
    let mut clients = Vec::new();
    let mut all = Latencies::default();
    tasks
        .run_until(async {
            while let Some(measured) = measuring.join_next().await {
                let (client, latencies) = measured.map_err(io::Error::other)??;
                clients.push(client);
                all.join(latencies);
            }
            io::Result::Ok(())
        })
        .await?;
    Ok((clients, all))
}
