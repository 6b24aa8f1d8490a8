//! Sessions that are open and say nothing, as most are most of the time.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep_until};

use super::echo::talk;
use super::{Bench, Column, column, microseconds};
use crate::common::client::{Client, Received};
use crate::common::process::Process;

/// The ones that talk, alone and among the others.
const TALKERS: usize = 64;
const SIZE: usize = 128;

/// Over how long the crowd comes, evenly: the interval of its keepalive. Sessions of real users are
/// spread in that way, and so are their pings.
const ARRIVAL: Duration = Duration::from_secs(30);

pub(crate) fn title() -> String {
    "Idle sessions in a fresh process".to_owned()
}

pub(crate) fn columns(bench: &Bench) -> Vec<Column> {
    let memory = |crowd| column(format!("KiB a session of {crowd}"), 1);
    let most = bench.crowds.last().copied().unwrap_or_default();
    let mut columns: Vec<_> = bench.crowds.iter().map(memory).collect();
    // What is compared first is the memory of the biggest crowd.
    columns.rotate_right(1);
    columns.extend([
        column(format!("CPU % of {most} idle"), 2),
        column(format!("CPU µs a round trip of {TALKERS}, alone"), 1),
        column(format!("the same among {most}"), 1),
    ]);
    columns
}

pub(crate) async fn run(bench: &Bench, proxy: &Process) -> io::Result<Vec<f64>> {
    let empty = proxy.memory()?;
    let tasks = LocalSet::new();
    let mut idle = JoinSet::new();
    let mut figures = Vec::new();
    tasks
        .run_until(async {
            let begun = Instant::now();
            let most = bench.crowds.last().copied().unwrap_or_default();
            for &crowd in &bench.crowds {
                while idle.len() < crowd {
                    sleep_until(begun + ARRIVAL.mul_f64(idle.len() as f64 / most as f64)).await;
                    let mut client = Client::open(proxy.target(), "/").await?;
                    idle.spawn_local(async move { client.idle().await });
                }
                let taken = proxy.memory()?.saturating_sub(empty);
                figures.push(taken as f64 / 1024.0 / crowd as f64);
            }
            figures.rotate_right(1);
            figures.push(idle_cost(bench, proxy).await?);
            let among = talkers_cost(bench, proxy).await?;
            if idle.try_join_next().is_some() {
                return Err(io::Error::other("an idle session ended"));
            }
            idle.shutdown().await;
            figures.extend([talkers_cost(bench, proxy).await?, among]);
            Ok(())
        })
        .await?;
    Ok(figures)
}

/// How many percent of a processor the crowd takes while it is silent.
async fn idle_cost(bench: &Bench, proxy: &Process) -> io::Result<f64> {
    let before = proxy.processor_time()?;
    let begun = Instant::now();
    tokio::time::sleep(bench.idle_time).await;
    let spent = proxy.processor_time()? - before;
    Ok(100.0 * spent.as_secs_f64() / begun.elapsed().as_secs_f64())
}

async fn talkers_cost(bench: &Bench, proxy: &Process) -> io::Result<f64> {
    let mut clients = Vec::new();
    for _ in 0..TALKERS {
        clients.push(Client::open(proxy.target(), "/").await?);
    }
    let (clients, _) = talk(clients, SIZE, bench.time / 5).await?;
    let before = proxy.processor_time()?;
    let (_clients, latencies) = talk(clients, SIZE, bench.time).await?;
    let spent = proxy.processor_time()? - before;
    Ok(microseconds(spent) / latencies.count())
}

impl Client {
    /// Does nothing but answer pings; it ends only when the session does.
    async fn idle(&mut self) -> io::Result<()> {
        loop {
            match self.receive().await? {
                Received::Ping(pong) => self.stream.write_all(&pong).await?,
                Received::Close => return Err(io::ErrorKind::ConnectionAborted.into()),
                Received::Data(_) | Received::Other => {}
            }
            if self.inbox.is_empty() {
                self.inbox = Vec::new();
            }
        }
    }
}
