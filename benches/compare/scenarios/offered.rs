//! Messages come at a rate of their own, as they do from people: not when the last answer is there.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Bench, Column, column, microseconds};
use crate::common::client::Client;
use crate::common::process::Process;
use crate::common::wire::message;
use crate::latency::Latencies;

const SOCKETS: u32 = 500;
const RATE: u32 = 8_000;
const SIZE: usize = 128;

pub(crate) fn title() -> String {
    format!("Offered load, {RATE} messages of {SIZE} B a second over {SOCKETS} sockets")
}

pub(crate) fn columns() -> Vec<Column> {
    vec![
        column("CPU µs a round trip", 1),
        column("CPU %", 1),
        column("p50 µs", 0),
        column("p99 µs", 0),
        column("p99.9 µs", 0),
    ]
}

pub(crate) async fn run(bench: &Bench, proxy: &Process) -> io::Result<Vec<f64>> {
    let mut clients = Vec::new();
    for _ in 0..SOCKETS {
        clients.push(Client::open(proxy.target(), "/").await?);
    }
    let (clients, _) = offer(clients, bench.time / 5).await?;
    let before = proxy.processor_time()?;
    let begun = Instant::now();
    let (_clients, mut latencies) = offer(clients, bench.time).await?;
    let time = begun.elapsed();
    let spent = proxy.processor_time()? - before;
    Ok(vec![
        microseconds(spent) / latencies.count(),
        100.0 * spent.as_secs_f64() / time.as_secs_f64(),
        latencies.percentile(50.0),
        latencies.percentile(99.0),
        latencies.percentile(99.9),
    ])
}

async fn offer(clients: Vec<Client>, time: Duration) -> io::Result<(Vec<Client>, Latencies)> {
    let frame = Rc::new(message(SIZE));
    let begin = Instant::now();
    let end = begin + time;
    let period = Duration::from_secs(1) * SOCKETS / RATE;
    let mut offering = JoinSet::new();
    let tasks = LocalSet::new();
    for (index, mut client) in (0..).zip(clients) {
        let frame = Rc::clone(&frame);
        let offer = async move {
            let mut latencies = Latencies::default();
            let mut tick = interval_at(begin + period * index / SOCKETS, period);
            tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
            while tick.tick().await < end {
                let sent = Instant::now();
                client.echo(&frame, SIZE).await?;
                latencies.add(sent.elapsed());
            }
            io::Result::Ok((client, latencies))
        };
        offering.spawn_local_on(offer, &tasks);
    }
    super::echo::gather(offering, &tasks).await
}
