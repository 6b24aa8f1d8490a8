//! Cases S01 to S06: whatever takes what the gate says, and takes nothing more, for ever. Sessions,
//! handshakes and signals do not wait for it.

mod admin;
mod handover;
mod log;
mod notify;
#[cfg(feature = "otel")]
mod traces;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::time::timeout;

use crate::kit::{AT_ONCE, Program, Socket, Wire, websocket};

/// The signals that end the process.
const STOPS: [Signal; 2] = [Signal::TERM, Signal::INT];

/// Messages there and back.
const ROUND_TRIPS: usize = 300;

/// Handshakes that are refused, more than the log has lines for.
const REFUSALS: usize = 120;

/// What only one in a hundred round trips may exceed. It is a bound on what holds a session up, not on
/// the machine, which runs many tests at once.
const P99: Duration = Duration::from_millis(500);

/// Checks that sessions go on, and that new ones and refusals are answered.
pub(super) async fn goes_on(address: &str) {
    let round = async {
        let mut held = Socket::open(address, "/ws/held").await;
        let mut took = Vec::with_capacity(ROUND_TRIPS);
        for _ in 0..ROUND_TRIPS {
            let start = Instant::now();
            held.echoes("there and back").await;
            took.push(start.elapsed());
        }
        took.sort_unstable();
        let p99 = took[ROUND_TRIPS * 99 / 100];
        assert!(p99 < P99, "{p99:?}");
        for _ in 0..REFUSALS {
            let mut wire = Wire::connect(address).await;
            wire.send(websocket("/nowhere", "gate.test", "")).await;
            assert_eq!(wire.head().await.status(), 404);
        }
        let mut new = Socket::open(address, "/ws/new").await;
        new.echoes("hello").await;
        new.close().await;
        held.echoes("still here").await;
        held.close().await;
    };
    timeout(AT_ONCE, round).await.expect("a gate that goes on");
}

/// Tells the process to stop while a session is open, which hears of it, and waits for the end.
pub(super) async fn stops(program: &mut Program, signal: Signal) {
    let mut open = Socket::open(&program.address, "/ws/open").await;
    open.echoes("hello").await;
    program.signal(signal);
    let stop = async {
        assert_eq!(open.closed().await.0, 1001);
        open.end().await;
        program.ended().await
    };
    let (code, log) = timeout(AT_ONCE, stop).await.expect("an end");
    assert_eq!(code, Some(0), "{log}");
}

/// The answer to a request to the admin interface.
async fn ask(admin: &str, line: &str) -> String {
    let mut wire = Wire::connect(admin).await;
    let head = format!("{line} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    wire.send(head).await;
    let response = wire.response().await;
    assert_eq!(response.status(), 200, "{}", response.text());
    response.text().to_owned()
}

/// The value of a metric without labels, or of a series as it is written.
async fn metric(admin: &str, series: &str) -> u64 {
    let text = ask(admin, "GET /metrics").await;
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.expect("a series").parse().expect("a number")
}

/// Has the settings read again by a signal, and waits until that is done.
async fn reloads(program: &Program, admin: &str) {
    let series = "wsgate_reloads_total{result=\"unchanged\"}";
    let before = metric(admin, series).await;
    program.signal(Signal::HUP);
    let reloaded = async { while metric(admin, series).await == before {} };
    timeout(AT_ONCE, reloaded).await.expect("a reload");
}
