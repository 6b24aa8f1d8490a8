use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{advance, timeout};

use super::*;
use crate::close::CloseCode;
use crate::config::{self, Compression, OnExceed, Rate};
use crate::frame::{Opcode, write_frame};
use crate::limit::Limit;

const SECOND: Duration = Duration::from_secs(1);

/// A session between two in-memory peers.
struct Bench {
    client: DuplexStream,
    upstream: DuplexStream,
    registry: Arc<Registry>,
    record: Arc<Record>,
}

struct Setup {
    route: Route,
    meter: Option<Meter>,
    filter: Option<Box<dyn MessageFilter>>,
    early: (&'static [u8], &'static [u8]),
    pipe: usize,
}

fn setup() -> Setup {
    let mut route = Route::for_tests("test", "/*");
    route.compression = Compression::Off;
    Setup {
        route,
        meter: None,
        filter: None,
        early: (b"", b""),
        pipe: 1 << 20,
    }
}

impl Setup {
    fn begin(self) -> Bench {
        let (client, gate_client) = duplex(self.pipe);
        let (upstream, gate_upstream) = duplex(self.pipe);
        let registry = Arc::new(Registry::new(0));
        let place = registry
            .enter(Subject {
                route: "test".into(),
                client: IpAddr::V4(Ipv4Addr::LOCALHOST),
                upstream: "test".into(),
                server: "test".into(),
            })
            .unwrap();
        let record = Arc::clone(place.record());
        let session = Session::new(
            End {
                io: gate_client,
                early: Bytes::from_static(self.early.0),
            },
            End {
                io: gate_upstream,
                early: Bytes::from_static(self.early.1),
            },
            Terms {
                route: Arc::new(self.route),
                deflate: false,
                meter: self.meter,
                filter: self.filter,
            },
            place,
        );
        registry.tasks.spawn(session);
        registry.tasks.close();
        Bench {
            client,
            upstream,
            registry,
            record,
        }
    }
}

impl Bench {
    /// Waits for the session's own end.
    async fn ended(&self) {
        timeout(Duration::from_secs(60), self.registry.tasks.wait())
            .await
            .unwrap();
        assert_eq!(self.registry.list().len(), 0);
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

/// Plays a client that broke a rule: it is told `code`, the upstream 1001, and nothing of `sent`
/// is passed on.
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

#[tokio::test(start_paused = true)]
async fn frames_pass_as_they_came_in_both_directions() {
    let mut bench = setup().begin();
    let up = [
        masked(0x01, b"he"),
        masked(0x89, b"?"),
        masked(0x80, b"llo"),
    ]
    .concat();
    bench.client.write_all(&up).await.unwrap();
    expect(&mut bench.upstream, &up).await;
    let down = [server(0x82, &[7; 70_000]), server(0x8A, b"?")].concat();
    bench.upstream.write_all(&down).await.unwrap();
    expect(&mut bench.client, &down).await;
    let traffic = &bench.record.traffic;
    assert_eq!(traffic.messages_from_client.load(Ordering::Relaxed), 1);
    assert_eq!(
        traffic.bytes_from_client.load(Ordering::Relaxed),
        up.len() as u64
    );
    assert_eq!(traffic.messages_from_upstream.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_session_is_delivered_first_and_once() {
    let mut setup = setup();
    setup.early = (&[0x81, 0x81, 0, 0, 0, 0, b'a', 0x81], &[0x81, 1, b'z']);
    let mut bench = setup.begin();
    expect(&mut bench.client, &server(0x81, b"z")).await;
    bench
        .client
        .write_all(&masked(0x81, b"b")[1..])
        .await
        .unwrap();
    expect(
        &mut bench.upstream,
        &[masked(0x81, b"a"), masked(0x81, b"b")].concat(),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_close_handshake_is_relayed_to_the_letter() {
    let mut bench = setup().begin();
    let bye = masked(0x88, &close(4001, "bye"));
    bench.client.write_all(&bye).await.unwrap();
    expect(&mut bench.upstream, &bye).await;
    let answer = [
        server(0x81, b"last words"),
        server(0x88, &close(4002, "so long")),
    ]
    .concat();
    bench.upstream.write_all(&answer).await.unwrap();
    bench.upstream.shutdown().await.unwrap();
    expect(&mut bench.client, &answer).await;
    // The server ends the connection first.
    expect_end(&mut bench.client).await;
    drop(bench.client);
    bench.registry.tasks.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_upstream_never_answers_its_close_gets_its_own_code_back() {
    let mut bench = setup().begin();
    bench
        .client
        .write_all(&masked(0x88, &close(1000, "")))
        .await
        .unwrap();
    expect(&mut bench.client, &server(0x88, &close(1000, ""))).await;
    bench.ended().await;
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_vanishes_is_told_with_the_routes_code() {
    let mut bench = setup().begin();
    bench
        .upstream
        .write_all(&server(0x81, b"hi"))
        .await
        .unwrap();
    drop(bench.upstream);
    expect(&mut bench.client, &server(0x81, b"hi")).await;
    expect(
        &mut bench.client,
        &server(0x88, &close(1011, "upstream lost")),
    )
    .await;
    bench
        .client
        .write_all(&masked(0x88, &close(1011, "")))
        .await
        .unwrap();
    expect_end(&mut bench.client).await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_the_upstream_left_half_is_not_followed_by_a_close_frame() {
    let mut bench = setup().begin();
    let frame = server(0x82, &[1; 100]);
    bench.upstream.write_all(&frame[..50]).await.unwrap();
    drop(bench.upstream);
    expect(&mut bench.client, &frame[..50]).await;
    expect_end(&mut bench.client).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanishes_is_a_1001_for_the_upstream() {
    let mut bench = setup().begin();
    bench
        .client
        .write_all(&masked(0x81, b"last"))
        .await
        .unwrap();
    drop(bench.client);
    expect(&mut bench.upstream, &masked(0x81, b"last")).await;
    let (first, payload) = expect_masked(&mut bench.upstream).await;
    assert_eq!((first, payload), (0x88, close(1001, "client lost")));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_ends_its_half_still_gets_what_the_upstream_says() {
    let mut bench = setup().begin();
    bench.client.shutdown().await.unwrap();
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
    let answer = [server(0x81, b"the rest"), server(0x88, &close(1001, ""))].concat();
    bench.upstream.write_all(&answer).await.unwrap();
    expect(&mut bench.client, &answer).await;
    drop(bench.upstream);
    expect_end(&mut bench.client).await;
    timeout(SECOND, bench.registry.tasks.wait()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_broken_rule_ends_the_session_before_the_frame_is_passed() {
    expect_refusal(setup(), &server(0x81, b"unmasked"), 1002).await;
    expect_refusal(setup(), &masked(0xC1, b"rsv"), 1002).await;
    expect_refusal(setup(), &masked(0x88, &close(1005, "")), 1002).await;
    expect_refusal(setup(), &masked(0x88, b"\x03\xE8\xFF"), 1007).await;
    let mut small = setup();
    small.route.limits.message_size = 10;
    expect_refusal(small, &masked(0x82, &[0; 11]), 1009).await;
}

#[tokio::test(start_paused = true)]
async fn the_frames_before_a_broken_one_are_passed_and_counted() {
    let mut bench = setup().begin();
    let good = masked(0x81, b"good");
    bench
        .client
        .write_all(&[good.clone(), masked(0x83, b"")].concat())
        .await
        .unwrap();
    expect(&mut bench.upstream, &good).await;
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
    expect(
        &mut bench.client,
        &server(0x88, &close(1002, "protocol error")),
    )
    .await;
    // Our half is shut though the client says nothing.
    expect_end(&mut bench.client).await;
}

#[tokio::test(start_paused = true)]
async fn a_close_of_ours_waits_for_the_end_of_the_frame_before_it() {
    let mut bench = setup().begin();
    let frame = server(0x82, &[9; 200]);
    bench.upstream.write_all(&frame[..100]).await.unwrap();
    expect(&mut bench.client, &frame[..100]).await;
    let code = CloseCode::new(4000).unwrap();
    bench.record.order(CloseReason::Kicked {
        code,
        reason: "out".into(),
    });
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
    let rest = [&frame[100..], &server(0x81, b"too late")].concat();
    bench.upstream.write_all(&rest).await.unwrap();
    expect(&mut bench.client, &frame[100..]).await;
    expect(&mut bench.client, &server(0x88, &close(4000, "out"))).await;
}

#[tokio::test(start_paused = true)]
async fn a_ping_of_ours_goes_between_frames_and_its_pong_is_ours() {
    let mut bench = setup().begin();
    // An upstream that talks, in a frame that is not over.
    let frame = server(0x82, &[9; 200]);
    bench.upstream.write_all(&frame[..100]).await.unwrap();
    expect(&mut bench.client, &frame[..100]).await;
    advance(31 * SECOND).await;
    tokio::task::yield_now().await;
    bench.upstream.write_all(&frame[100..]).await.unwrap();
    expect(&mut bench.client, &frame[100..]).await;
    let mut ping = [0; 10];
    bench.client.read_exact(&mut ping).await.unwrap();
    assert_eq!(&ping[..2], &[0x89, 8]);
    // The upstream was silent as long, and was asked as well.
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x89);
    let ours = masked(0x8A, &ping[2..]);
    let foreign = masked(0x8A, b"foreign");
    bench
        .client
        .write_all(&[ours, foreign.clone()].concat())
        .await
        .unwrap();
    expect(&mut bench.upstream, &foreign).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_asked_and_then_let_go() {
    let mut setup = setup();
    setup.route.keepalive.upstream.interval = None;
    let mut bench = setup.begin();
    let start = Instant::now();
    let mut ping = [0; 10];
    bench.client.read_exact(&mut ping).await.unwrap();
    assert_eq!((ping[0], start.elapsed().as_secs()), (0x89, 30));
    expect(
        &mut bench.client,
        &server(0x88, &close(1001, "ping timeout")),
    )
    .await;
    assert_eq!(start.elapsed().as_secs(), 45);
    assert_eq!(
        expect_masked(&mut bench.upstream).await,
        (0x88, close(1001, ""))
    );
    bench.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_could_not_be_asked_is_not_let_go() {
    let mut bench = setup().begin();
    let frame = server(0x82, &[9; 200]);
    bench.upstream.write_all(&frame[..100]).await.unwrap();
    expect(&mut bench.client, &frame[..100]).await;
    // The frame takes its time, and no ping can stand in it.
    for _ in 0..10 {
        advance(14 * SECOND).await;
        bench.upstream.write_all(&frame[100..101]).await.unwrap();
        expect(&mut bench.client, &frame[100..101]).await;
    }
    bench.upstream.write_all(&frame[110..]).await.unwrap();
    expect(&mut bench.client, &frame[110..]).await;
    let mut ping = [0; 10];
    bench.client.read_exact(&mut ping).await.unwrap();
    assert_eq!(&ping[..2], &[0x89, 8]);
    let start = Instant::now();
    expect(
        &mut bench.client,
        &server(0x88, &close(1001, "ping timeout")),
    )
    .await;
    assert_eq!(start.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_is_asked_again_after_the_interval() {
    let mut setup = setup();
    setup.route.keepalive.upstream.interval = None;
    setup.route.keepalive.client = config::Ping {
        interval: Some(10 * SECOND),
        timeout: 60 * SECOND,
    };
    let mut bench = setup.begin();
    let start = Instant::now();
    for turn in 1..10 {
        let mut ping = [0; 10];
        bench.client.read_exact(&mut ping).await.unwrap();
        assert_eq!((ping[0], start.elapsed().as_secs()), (0x89, 10 * turn));
        bench
            .client
            .write_all(&masked(0x8A, &ping[2..]))
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_but_never_pongs_is_alive() {
    let mut bench = setup().begin();
    let hello = masked(0x81, b"hello");
    for _ in 0..20 {
        advance(20 * SECOND).await;
        bench.client.write_all(&hello).await.unwrap();
        bench.upstream.write_all(&server(0x81, b"x")).await.unwrap();
        expect(&mut bench.upstream, &hello).await;
        expect(&mut bench.client, &server(0x81, b"x")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn idle_and_lifetime_end_a_session_with_a_reason_that_says_which() {
    let start = Instant::now();
    let mut idle = setup();
    idle.route.keepalive = config::Keepalive {
        client: config::Ping {
            interval: None,
            timeout: SECOND,
        },
        upstream: config::Ping {
            interval: None,
            timeout: SECOND,
        },
    };
    idle.route.timeouts.idle = Some(10 * SECOND);
    let mut bench = idle.begin();
    advance(9 * SECOND).await;
    bench.client.write_all(&masked(0x81, b"x")).await.unwrap();
    expect(&mut bench.upstream, &masked(0x81, b"x")).await;
    expect(
        &mut bench.client,
        &server(0x88, &close(1001, "idle timeout")),
    )
    .await;
    assert_eq!(start.elapsed().as_secs(), 19);

    let mut lifetime = setup();
    lifetime.route.timeouts.lifetime = Some(7 * SECOND);
    let mut bench = lifetime.begin();
    expect(
        &mut bench.client,
        &server(0x88, &close(1001, "lifetime over")),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_told_and_cut_and_holds_its_source() {
    let mut setup = setup();
    setup.pipe = 1000;
    let mut bench = setup.begin();
    let frame = server(0x82, &[5; 10_000]);
    // The pipe, one read of the relay and no more: then the upstream has to wait.
    let sent = timeout(
        SECOND,
        bench.upstream.write_all(&[frame.clone(), frame].concat()),
    )
    .await;
    assert!(sent.is_err());
    let start = Instant::now();
    bench.ended().await;
    assert!(start.elapsed() >= 14 * SECOND && start.elapsed() < 17 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn back_pressure_delivers_every_byte_in_order() {
    let mut setup = setup();
    setup.pipe = 64;
    let bench = setup.begin();
    let frames: Vec<u8> = (0..200u8)
        .flat_map(|n| server(0x82, &vec![n; 300]))
        .collect();
    let (mut from, mut to) = (bench.upstream, bench.client);
    let (sent, ()) = tokio::join!(from.write_all(&frames), async {
        expect(&mut to, &frames).await
    });
    sent.unwrap();
}

fn metered(on_exceed: OnExceed, messages: Option<Rate>, bytes: Option<Rate>) -> Setup {
    let limit = |rate: Option<Rate>| rate.map(|rate| Arc::new(Limit::new(rate)));
    let mut setup = setup();
    setup.meter = Meter::new([None, limit(messages)], [None, limit(bytes)], on_exceed);
    setup
}

fn per_second(count: u64) -> Option<Rate> {
    Some(Rate {
        count,
        per: SECOND,
        burst: count,
    })
}

#[tokio::test(start_paused = true)]
async fn a_client_over_its_rate_is_closed() {
    let mut bench = metered(OnExceed::Close, per_second(2), None).begin();
    let message = masked(0x81, b"x");
    bench.client.write_all(&message.repeat(3)).await.unwrap();
    expect(&mut bench.upstream, &message.repeat(2)).await;
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
    expect(
        &mut bench.client,
        &server(0x88, &close(1008, "message rate exceeded")),
    )
    .await;
    bench
        .client
        .write_all(&masked(0x88, &close(1008, "")))
        .await
        .unwrap();
    expect_end(&mut bench.client).await;
    let mut bench = metered(OnExceed::Close, None, per_second(100)).begin();
    bench
        .client
        .write_all(&masked(0x82, &[0; 101]))
        .await
        .unwrap();
    expect(
        &mut bench.client,
        &server(0x88, &close(1008, "byte rate exceeded")),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_over_its_rate_is_delayed_and_loses_nothing() {
    let mut bench = metered(OnExceed::Delay, per_second(2), None).begin();
    let start = Instant::now();
    let message = masked(0x81, b"x");
    bench.client.write_all(&message.repeat(10)).await.unwrap();
    expect(&mut bench.upstream, &message.repeat(10)).await;
    assert_eq!(start.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_frame_bigger_than_the_burst_is_only_slowed_down() {
    let mut bench = metered(OnExceed::Delay, None, per_second(100)).begin();
    let start = Instant::now();
    let message = masked(0x82, &[3; 992]);
    bench.client.write_all(&message).await.unwrap();
    expect(&mut bench.upstream, &message).await;
    assert!(
        (8..=11).contains(&start.elapsed().as_secs()),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_rate_is_dropped_whole() {
    let mut bench = metered(OnExceed::Drop, per_second(1), None).begin();
    let (first, ping) = (masked(0x81, b"first"), masked(0x89, b"p"));
    let dropped = [masked(0x01, b"a"), ping.clone(), masked(0x80, b"b")].concat();
    bench
        .client
        .write_all(&[first.clone(), dropped].concat())
        .await
        .unwrap();
    expect(&mut bench.upstream, &[first, ping].concat()).await;
    advance(SECOND).await;
    bench
        .client
        .write_all(&masked(0x81, b"next"))
        .await
        .unwrap();
    expect(&mut bench.upstream, &masked(0x81, b"next")).await;
}

#[tokio::test(start_paused = true)]
async fn text_that_is_not_utf8_never_reaches_the_other_side() {
    let validating = || {
        let mut setup = setup();
        setup.route.validate_utf8 = true;
        setup
    };
    expect_refusal(validating(), &masked(0x81, b"ab\xC0\xAF"), 1007).await;
    let cut = [masked(0x01, b"ok"), masked(0x80, b"\xE2\x82")].concat();
    expect_refusal(validating(), &cut, 1007).await;
    let mut bench = validating().begin();
    let good = [
        masked(0x01, b"\xE2\x82"),
        masked(0x80, b"\xAC"),
        masked(0x82, b"\xFF\xFF"),
    ]
    .concat();
    bench.client.write_all(&good).await.unwrap();
    expect(&mut bench.upstream, &good).await;
}

#[tokio::test(start_paused = true)]
async fn a_filter_sees_changes_discards_and_closes() {
    let filter = |message: Message| match message.text() {
        Some("discard") => Verdict::Discard,
        Some("close") => Verdict::Close(CloseCode::new(4400).unwrap(), "no".into()),
        Some("shout") => Verdict::Forward(Message {
            body: Body::Text("SHOUT".into()),
            ..message
        }),
        _ => Verdict::Forward(message),
    };
    let mut setup = setup();
    setup.filter = Some(Box::new(filter));
    let mut bench = setup.begin();
    for frame in [
        masked(0x81, b"discard"),
        masked(0x01, b"sh"),
        masked(0x80, b"out"),
        masked(0x82, b"raw"),
        masked(0x81, b"close"),
        masked(0x81, b"late"),
    ] {
        bench.client.write_all(&frame).await.unwrap();
    }
    assert_eq!(
        expect_masked(&mut bench.upstream).await,
        (0x81, b"SHOUT".to_vec())
    );
    assert_eq!(
        expect_masked(&mut bench.upstream).await,
        (0x82, b"raw".to_vec())
    );
    assert_eq!(
        expect_masked(&mut bench.upstream).await,
        (0x88, close(1001, ""))
    );
    expect(&mut bench.client, &server(0x88, &close(4400, "no"))).await;
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_panics_ends_its_session_with_1011() {
    let mut setup = setup();
    setup.filter = Some(Box::new(|_: Message| -> Verdict {
        panic!("a bug in the filter")
    }));
    let mut bench = setup.begin();
    bench.upstream.write_all(&server(0x81, b"x")).await.unwrap();
    expect(
        &mut bench.client,
        &server(0x88, &close(1011, "internal error")),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drained_session_ends_and_a_cut_one_ends_at_once() {
    let mut bench = setup().begin();
    // Each order finds it asleep.
    bench.upstream.write_all(&server(0x81, b"x")).await.unwrap();
    expect(&mut bench.client, &server(0x81, b"x")).await;
    bench
        .record
        .order(CloseReason::Drain(CloseCode::new(1012).unwrap()));
    expect(
        &mut bench.client,
        &server(0x88, &close(1012, "server is shutting down")),
    )
    .await;
    assert_eq!(expect_masked(&mut bench.upstream).await.0, 0x88);
    let start = Instant::now();
    bench.record.order(CloseReason::Cut);
    bench.ended().await;
    assert!(start.elapsed() < SECOND);
}

#[tokio::test]
async fn a_registry_that_is_full_or_stopped_gives_no_place() {
    let subject = || Subject {
        route: "r".into(),
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        upstream: "u".into(),
        server: "s".into(),
    };
    let registry = Arc::new(Registry::new(1));
    let place = registry.enter(subject()).unwrap();
    assert_eq!(registry.enter(subject()).unwrap_err(), NoPlace::Full);
    drop(place);
    assert!(registry.enter(subject()).is_ok());
    registry.stop();
    assert_eq!(registry.has_place(), Err(NoPlace::Draining));
}
