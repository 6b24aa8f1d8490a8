//! Connections that come and go, and break off wherever they can.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use super::backend::{Backend, Manner};
use super::honest::Latency;
use super::{Gate, mebibytes};
use crate::kit::{Frame, Request};

/// Where a client breaks off.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Connected,
    InTheHead,
    BehindTheHead,
    Refused,
    Switched,
    InAFrame,
    HalfClosed,
    Closed,
}

use Stage::*;

const STAGES: [Stage; 8] = [
    Connected,
    InTheHead,
    BehindTheHead,
    Refused,
    Switched,
    InAFrame,
    HalfClosed,
    Closed,
];

const A_SECOND: u32 = 200;

const TIME: Duration = Duration::from_secs(600);

/// What the process may have grown by in all that time.
const GROWN: usize = 4 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes ten minutes, and the machine for itself"]
async fn r12_200_connects_a_second_for_ten_minutes_with_aborts_at_each_stage() {
    let gate = Gate::start(Backend::start(Manner::Quiet).await, "", "").await;
    let calm = Latency::over(gate.address(), Duration::from_secs(5)).await;
    // What the first thousand make the process take for good is not a leak.
    churn(gate.address(), Duration::from_secs(10)).await;
    let warm = gate.vitals();
    let begun = Instant::now();
    let (connects, latency) = tokio::join!(
        churn(gate.address(), TIME),
        Latency::over(gate.address(), TIME)
    );
    let took = begun.elapsed();
    gate.lets_go(warm).await;
    let after = gate.vitals();
    println!(
        "{connects} connects in {took:.0?}: {:.1} MiB and {} descriptors before, {:.1} MiB and {} \
         after; {} reached the backend; the others: {latency}; before: {calm}",
        mebibytes(warm.memory),
        warm.descriptors,
        mebibytes(after.memory),
        after.descriptors,
        gate.backend.taken(),
    );
    assert!(
        after.memory < warm.memory + GROWN,
        "{warm:?}, then {after:?}"
    );
    gate.program.stop().await;
}

/// Connects at a steady pace for so long, and tells how often.
async fn churn(address: &str, time: Duration) -> usize {
    let mut pace = interval(Duration::from_secs(1) / A_SECOND);
    let mut clients = JoinSet::new();
    let begun = Instant::now();
    let mut stages = STAGES.iter().cycle();
    let mut connects = 0;
    while begun.elapsed() < time {
        pace.tick().await;
        let stage = *stages.next().expect("a cycle");
        clients.spawn(break_off(address.to_owned(), stage));
        connects += 1;
        while clients.try_join_next().is_some() {}
    }
    clients.join_all().await;
    connects
}

async fn break_off(address: String, stage: Stage) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let target = match stage {
        Refused => "/ws/refuse",
        _ => "/ws/room",
    };
    let request = Request::websocket(target).text();
    let sent = match stage {
        Connected => 0,
        InTheHead => request.len() / 2,
        _ => request.len(),
    };
    stream
        .write_all(&request.as_bytes()[..sent])
        .await
        .expect("a peer");
    if matches!(stage, Refused | Switched | InAFrame | HalfClosed | Closed) {
        let mut head = [0; 4096];
        let length = stream.read(&mut head).await.expect("an answer");
        assert!(head[..length].starts_with(b"HTTP/1.1 "), "{stage:?}");
    }
    let frame = match stage {
        InAFrame => Frame::binary(vec![1; 1000]).masked()[..500].to_vec(),
        Closed => Frame::close(1000, "").masked(),
        _ => Vec::new(),
    };
    stream.write_all(&frame).await.expect("a peer");
    match stage {
        HalfClosed => {
            let _gone = stream.shutdown().await;
            let _end = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
        Closed => {
            let _end = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
        _ => stream.set_zero_linger().expect("an option"),
    }
}
