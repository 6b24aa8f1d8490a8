//! Floods, and peers that do not read.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::interval;

use super::backend::{Backend, Manner};
use super::elsewhere::Elsewhere;
use super::honest::Latency;
use super::{Gate, mebibytes};
use crate::kit::{Frame, Request, bits};

/// For how long each thing is measured.
const TIME: Duration = Duration::from_secs(2);

/// The same where it takes a while until all sockets are full.
const LONG: Duration = Duration::from_secs(8);

const ATTACKERS: usize = 4;

/// What one address is let do where the gate is told to limit it.
const LIMITED: &str = "[route.limits.per_ip]\nmessages = { rate = \"500/s\", burst = 1000 }";

/// How many times it is measured, in turn. The best round counts: what else the machine does can only
/// add to it.
const ROUNDS: usize = 5;

/// What the others may notice of an attack on their gate: so many times what they notice of the same
/// attack on another one, of which they have the busy machine alone. Below the floor it is the
/// scheduler that is measured.
const NOTICEABLE: u32 = 2;
const FLOOR: Duration = Duration::from_millis(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes the machine for itself"]
async fn f14_floods_of_tiny_messages_pings_and_empty_fragments() {
    let message = Frame::binary([1]);
    let ping = Frame::ping("");
    let fragments = [
        vec![Frame::new(bits::BINARY, "")],
        vec![Frame::new(bits::CONTINUATION, ""); 60_000],
        vec![Frame::new(bits::FIN | bits::CONTINUATION, "")],
    ]
    .concat();
    let floods = [
        ("tiny messages", vec![message; 4096]),
        ("pings", vec![ping; 4096]),
        ("empty fragments", fragments),
    ];
    let floods = floods.map(|(what, frames)| {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::masked).collect();
        (what, bytes)
    });
    let mut noticed = Vec::new();
    for (limits, route) in [
        ("without limits", String::new()),
        ("closed over 500/s", LIMITED.to_owned()),
        (
            "delayed over 500/s",
            format!("limits.on_exceed = \"delay\"\n{LIMITED}"),
        ),
        (
            "dropped over 500/s",
            format!("limits.on_exceed = \"drop\"\n{LIMITED}"),
        ),
    ] {
        let start = async || Gate::start(Backend::start(Manner::Quiet).await, &route, "").await;
        let (gate, other) = (start().await, start().await);
        let p99 = async || Latency::over(gate.address(), TIME).await.percentile(99.0);
        let mut calm = Vec::new();
        let mut attacked = floods.each_ref().map(|_| (Vec::new(), Vec::new()));
        for _ in 0..ROUNDS {
            calm.push(p99().await);
            for ((_, bytes), (there, here)) in floods.iter().zip(&mut attacked) {
                let attack = attackers(other.address(), bytes);
                there.push(p99().await);
                drop(attack);
                let attack = attackers(gate.address(), bytes);
                here.push(p99().await);
                drop(attack);
            }
        }
        let memory = mebibytes(gate.vitals().memory);
        gate.program.stop().await;
        other.program.stop().await;
        println!(
            "{limits}: {memory:.1} MiB; p99 while nobody attacks {:.1?}",
            best(calm)
        );
        for ((what, _), (there, here)) in floods.iter().zip(attacked) {
            let (there, here) = (best(there), best(here));
            let line = format!("{limits}, {what}: p99 {here:.1?}, of another gate's {there:.1?}");
            println!("{line}");
            if here > NOTICEABLE * there.max(FLOOR) {
                noticed.push(line);
            }
        }
    }
    assert!(noticed.is_empty(), "{noticed:#?}");
}

fn best(figures: Vec<Duration>) -> Duration {
    figures.into_iter().min().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes the machine for itself"]
async fn r03_200_clients_that_do_not_read_a_fast_upstream() {
    const CLIENTS: usize = 200;
    let gate = Gate::start(Backend::start(Manner::Talking).await, "", "").await;
    let before = gate.vitals();
    let calm = Latency::over(gate.address(), LONG).await;
    let mut silent = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = TcpStream::connect(gate.address())
            .await
            .expect("a connection");
        let request = Request::websocket("/ws/room").text();
        stream.write_all(request.as_bytes()).await.expect("a peer");
        silent.push(stream);
    }
    let latency = Latency::over(gate.address(), LONG).await;
    let full = gate.vitals();
    let each = full.memory.saturating_sub(before.memory) / CLIENTS;
    println!(
        "{CLIENTS} clients that do not read: {each} bytes of resident memory each; \
         the others: {latency}; before: {calm}"
    );
    assert!(each < 300 * 1024, "{each}");
    // Nobody but the gate's own clock ends them.
    gate.lets_go(before).await;
    drop(silent);
    println!("afterwards: {:.1} MiB", mebibytes(gate.vitals().memory));
    gate.program.stop().await;
}

/// So many who flood the gate, until this is dropped.
fn attackers(address: &str, bytes: &[u8]) -> Elsewhere {
    let (address, bytes) = (address.to_owned(), bytes.to_owned());
    Elsewhere::run(move || async move {
        let mut attackers = JoinSet::new();
        for _ in 0..ATTACKERS {
            attackers.spawn(attack(address.clone(), bytes.clone()));
        }
        attackers.join_all().await;
    })
}

/// Sends the same bytes without end, and begins anew when it is thrown out, after as long as a
/// network takes for that.
async fn attack(address: String, bytes: Vec<u8>) {
    let mut network = interval(Duration::from_millis(10));
    loop {
        network.tick().await;
        let Ok(stream) = TcpStream::connect(&*address).await else {
            continue;
        };
        let (mut from, mut into) = stream.into_split();
        let request = Request::websocket("/ws/room").text();
        let flood = async {
            let mut sent = into.write_all(request.as_bytes()).await;
            while sent.is_ok() {
                sent = into.write_all(&bytes).await;
            }
        };
        let listen = async {
            let mut heard = vec![0; 64 * 1024];
            while from.read(&mut heard).await.is_ok_and(|length| length > 0) {}
        };
        tokio::select! {
            () = flood => {}
            () = listen => {}
        }
    }
}
