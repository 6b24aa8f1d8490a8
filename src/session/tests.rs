//! Whole sessions between two in-memory peers, on paused time: what the topics share.

mod assembly;
mod closing;
mod delivery;
mod expiry;
mod fickle;
mod keepalive;
mod limits;
mod model;
mod relay;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{advance, timeout};

use super::*;
use crate::close::{CloseCode, CloseReason};
use crate::config::{self, Compression, OnExceed, Rate, Route};
use crate::frame::{Opcode, write_frame};
use crate::limit::Limit;
use crate::types::Side;
use crate::wall_clock::WallClock;

const SECOND: Duration = Duration::from_secs(1);

/// A session between two in-memory peers.
struct Bench {
    client: DuplexStream,
    upstream: DuplexStream,
    registry: Arc<Registry>,
    entry: Arc<SessionEntry>,
    limit_counts: Arc<LimitCounts>,
}

struct Setup {
    route: Route,
    meter: Option<Meter>,
    limit_counts: Arc<LimitCounts>,
    filter: Option<Box<dyn MessageFilter>>,
    deflate: bool,
    expiry: Expiry,
    clock: WallClock,
    early: (&'static [u8], &'static [u8]),
    /// How much each peer's pipe holds: the client's, the upstream's.
    pipes: (usize, usize),
}

fn setup() -> Setup {
    let mut route = Route::for_tests("test", "/*");
    route.compression = Compression::Off;
    Setup {
        route,
        meter: None,
        limit_counts: Arc::default(),
        filter: None,
        deflate: false,
        expiry: Expiry::never(),
        clock: WallClock::default(),
        early: (b"", b""),
        pipes: (1 << 20, 1 << 20),
    }
}

impl Setup {
    fn begin(self) -> Bench {
        let (client, gate_client) = duplex(self.pipes.0);
        let (upstream, gate_upstream) = duplex(self.pipes.1);
        let clock = self.clock.clone();
        let registry = Arc::new(Registry::for_tests(0, clock));
        let limit_counts = Arc::clone(&self.limit_counts);
        let session = session(&registry, gate_client, gate_upstream, self);
        let entry = registry.list().remove(0);
        registry.tasks.spawn(session);
        registry.tasks.close();
        Bench {
            client,
            upstream,
            registry,
            entry,
            limit_counts,
        }
    }
}

fn session<C, U>(
    registry: &Arc<Registry>,
    client: C,
    upstream: U,
    setup: Setup,
) -> Session<C, U, ()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let route = Arc::new(setup.route);
    let mut metadata = SessionMetadata::for_tests("test", "test", "test");
    metadata.mail.route = Arc::clone(&route);
    let end = |early| Bytes::from_static(early);
    Session::new(
        Endpoint {
            io: client,
            early: end(setup.early.0),
        },
        Endpoint {
            io: upstream,
            early: end(setup.early.1),
        },
        SessionParameters {
            route,
            deflate: setup.deflate,
            meter: setup.meter,
            filter: setup.filter,
        },
        registry
            .acquire()
            .unwrap()
            .register(metadata, setup.expiry, Instant::now())
            .unwrap(),
        (),
    )
}

impl Bench {
    /// Waits for the session's own end.
    async fn ended(&self) {
        timeout(Duration::from_secs(60), self.registry.tasks.wait())
            .await
            .unwrap();
        assert_eq!(self.registry.list().len(), 0);
    }

    /// What the sessions of the one route came to.
    fn totals(&self) -> RouteTotals {
        self.registry.totals().routes["test"].clone()
    }
}

/// A client's frame: masked with a key of zeros, so that it reads plain.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = server(first, payload);
    let at = out.len() - payload.len();
    out[1] |= 0x80;
    out.splice(at..at, [0; 4]);
    out
}

/// An upstream's frame.
fn server(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_frame(Side::Client, Opcode::Binary, payload, &mut out);
    out[0] = first;
    out
}

fn close(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

async fn expect(io: &mut DuplexStream, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    timeout(Duration::from_secs(600), io.read_exact(&mut got))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(got, bytes);
}

async fn expect_end(io: &mut DuplexStream) {
    let mut rest = Vec::new();
    timeout(Duration::from_secs(600), io.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rest, b"");
}

/// The next frame that the upstream got: first byte and plain payload.
async fn expect_masked(io: &mut DuplexStream) -> (u8, Vec<u8>) {
    let (mut head, mut key) = ([0; 2], [0; 4]);
    timeout(Duration::from_secs(600), io.read_exact(&mut head))
        .await
        .unwrap()
        .unwrap();
    assert!(head[1] & 0x80 != 0 && head[1] & 0x7F < 126, "{head:?}");
    io.read_exact(&mut key).await.unwrap();
    let mut payload = vec![0; usize::from(head[1] & 0x7F)];
    io.read_exact(&mut payload).await.unwrap();
    payload
        .iter_mut()
        .zip(key.iter().cycle())
        .for_each(|(byte, key)| *byte ^= key);
    (head[0], payload)
}

/// Plays a client that broke a rule: it is closed with `code`, the upstream with 1001, and nothing of
/// `sent` is passed on.
async fn expect_refusal(setup: Setup, sent: &[u8], code: u16) -> Bench {
    let mut bench = setup.begin();
    bench.client.write_all(sent).await.unwrap();
    let mut head = [0; 4];
    bench.client.read_exact(&mut head).await.unwrap();
    assert_eq!(head[0], 0x88);
    assert_eq!(u16::from_be_bytes([head[2], head[3]]), code);
    let (first, payload) = expect_masked(&mut bench.upstream).await;
    assert_eq!((first, &payload[..2]), (0x88, &1001u16.to_be_bytes()[..]));
    bench
}

fn metered(on_exceed: OnExceed, messages: Option<Rate>, bytes: Option<Rate>) -> Setup {
    let limit = |rate: Option<Rate>| rate.map(|rate| Arc::new(Limit::new(rate)));
    let mut setup = setup();
    setup.meter = Meter::new(
        [None, limit(messages)],
        limit(messages),
        [None, limit(bytes)],
        on_exceed,
        &setup.limit_counts,
    );
    setup
}

fn per_second(count: u64) -> Option<Rate> {
    Some(Rate {
        count,
        per: SECOND,
        burst: count,
    })
}
