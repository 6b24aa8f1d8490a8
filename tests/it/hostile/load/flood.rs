//! Floods, and peers that do not read.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::backend::{Backend, Manner};
use super::honest::Latency;
use super::{Gate, mebibytes};
use crate::support::{Frame, Request, bits};

/// For how long each thing is measured.
const TIME: Duration = Duration::from_secs(8);

const ATTACKERS: usize = 4;

/// What one address is let do where the gate is told to limit it.
const LIMITED: &str = "[route.limits.per_ip]\nmessages = { rate = \"500/s\", burst = 1000 }";

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
        let gate = Gate::start(Backend::start(Manner::Quiet).await, &route, "").await;
        let calm = Latency::over(gate.address(), TIME).await;
        println!("{limits}, nobody attacks: {calm}");
        for (what, frames) in &floods {
            let bytes: Vec<u8> = frames.iter().flat_map(Frame::masked).collect();
            let attack = Attack::begin(gate.address(), &bytes);
            let latency = Latency::over(gate.address(), TIME).await;
            let memory = mebibytes(gate.vitals().memory);
            attack.end();
            println!("{limits}, {what}: {latency}; {memory:.1} MiB");
        }
        gate.program.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes the machine for itself"]
async fn r03_200_clients_that_do_not_read_a_fast_upstream() {
    const CLIENTS: usize = 200;
    let gate = Gate::start(Backend::start(Manner::Talking).await, "", "").await;
    let before = gate.vitals();
    let calm = Latency::over(gate.address(), TIME).await;
    let mut silent = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = TcpStream::connect(gate.address())
            .await
            .expect("a connection");
        let request = Request::websocket("/ws/room").text();
        stream.write_all(request.as_bytes()).await.expect("a peer");
        silent.push(stream);
    }
    let latency = Latency::over(gate.address(), TIME).await;
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

/// Attackers on a thread of their own: what they compute is not to hold up the honest ones here.
struct Attack {
    over: CancellationToken,
    thread: JoinHandle<()>,
}

impl Attack {
    fn begin(address: &str, bytes: &[u8]) -> Self {
        let over = CancellationToken::new();
        let (end, address, bytes) = (over.clone(), address.to_owned(), bytes.to_owned());
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut attackers = JoinSet::new();
                for _ in 0..ATTACKERS {
                    attackers.spawn(attack(address.clone(), bytes.clone()));
                }
                end.cancelled().await;
            });
        });
        Self { over, thread }
    }

    fn end(self) {
        self.over.cancel();
        self.thread.join().expect("no panic");
    }
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
