//! Sessions that come, say one thing and go.

use std::io;

use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use super::{Bench, Column, column, microseconds};
use crate::common::client::come_and_go;
use crate::common::process::Process;
use crate::common::wire::message;
use crate::latency::Latencies;

const AT_ONCE: usize = 16;
const SIZE: usize = 128;

pub(crate) fn title() -> String {
    format!("Handshakes: connect, one echo of {SIZE} B, close; {AT_ONCE} at a time")
}

pub(crate) fn columns() -> Vec<Column> {
    vec![
        column("CPU µs a session", 0),
        column("sessions a second", 0),
        column("p50 µs", 0),
        column("p99 µs", 0),
    ]
}

pub(crate) async fn run(bench: &Bench, proxy: &Process) -> io::Result<Vec<f64>> {
    let before = proxy.processor_time()?;
    let begun = Instant::now();
    let end = begun + bench.time;
    let target = proxy.target();
    let mut coming = JoinSet::new();
    let tasks = LocalSet::new();
    for _ in 0..AT_ONCE {
        let target = target.clone();
        let come_and_go = async move {
            let frame = message(SIZE);
            let mut latencies = Latencies::default();
            loop {
                let begun = Instant::now();
                if begun >= end {
                    return io::Result::Ok(((), latencies));
                }
                come_and_go(&target, &frame, SIZE).await?;
                latencies.add(begun.elapsed());
            }
        };
        coming.spawn_local_on(come_and_go, &tasks);
    }
    let (_, mut latencies) = super::echo::gather(coming, &tasks).await?;
    let time = begun.elapsed();
    let spent = proxy.processor_time()? - before;
    let count = latencies.count();
    Ok(vec![
        microseconds(spent) / count,
        count / time.as_secs_f64(),
        latencies.percentile(50.0),
        latencies.percentile(99.0),
    ])
}
