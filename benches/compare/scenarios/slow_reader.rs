//! What quick clients notice of one that does not keep up with its upstream.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::task::LocalSet;
use tokio::time::{Instant, interval};

use super::echo::talk;
use super::{Bench, Column, column};
use crate::common::backend::ENDLESS;
use crate::common::client::Client;
use crate::common::process::Process;
use crate::latency::Latencies;

const QUICK: usize = 16;
const SIZE: usize = 1024;

/// What the slow one reads in a tenth of a second.
const SIP: usize = 16 * 1024;

/// How much its socket holds.
const NARROW: u32 = 16 * 1024;

pub(crate) fn title() -> String {
    format!("{QUICK} sockets that echo 1 KiB, beside one that reads 160 KiB/s of an endless stream")
}

pub(crate) fn columns() -> Vec<Column> {
    vec![
        column("p99 µs beside it", 0),
        column("p99 µs alone", 0),
        column("p99.9 µs beside it", 0),
        column("round trips a second beside it", 0),
        column("memory that it takes, KiB", 0),
    ]
}

pub(crate) async fn run(bench: &Bench, proxy: &Process) -> io::Result<Vec<f64>> {
    let mut clients = Vec::new();
    for _ in 0..QUICK {
        clients.push(Client::open(proxy.target(), "/").await?);
    }
    let (clients, mut alone) = talk(clients, SIZE, bench.time).await?;
    let before = proxy.memory()?;
    let slow = Client::open_narrow(proxy.address, ENDLESS, NARROW).await?;
    let tasks = LocalSet::new();
    let reading = tasks.spawn_local(sip(slow));
    let begun = Instant::now();
    let (_clients, mut beside): (_, Latencies) =
        tasks.run_until(talk(clients, SIZE, bench.time)).await?;
    let time = begun.elapsed();
    if reading.is_finished() {
        return Err(io::Error::other("the slow reader was thrown out"));
    }
    let taken = proxy.memory()?.saturating_sub(before);
    Ok(vec![
        beside.percentile(99.0),
        alone.percentile(99.0),
        beside.percentile(99.9),
        beside.count() / time.as_secs_f64(),
        taken as f64 / 1024.0,
    ])
}

async fn sip(mut client: Client) -> io::Result<()> {
    let mut tick = interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        client.skip(SIP).await?;
    }
}

impl Client {
    /// Opens a session with a socket whose buffer for what comes is small.
    async fn open_narrow(address: SocketAddr, path: &str, buffer: u32) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(buffer)?;
        Self::open_with(socket, &address.into(), path).await
    }

    /// Reads so many bytes of whatever comes.
    async fn skip(&mut self, bytes: usize) -> io::Result<()> {
        let mut left = bytes;
        while left > 0 {
            self.inbox.clear();
            self.more(left).await?;
            left = left.saturating_sub(self.inbox.len());
        }
        self.inbox.clear();
        Ok(())
    }
}
