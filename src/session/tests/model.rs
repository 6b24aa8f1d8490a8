//! Random peers over small pipes: whatever they do, what passes is what was sent, and it ends.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;

use proptest::prelude::*;
use tokio::time::sleep;

use super::*;

/// What one peer does: it writes its frames in pieces, with pauses, and reads in another rhythm.
#[derive(Clone, Debug)]
struct Script {
    frames: Vec<Vec<u8>>,
    pieces: Vec<usize>,
    pauses: Vec<u64>,
    reads: Vec<usize>,
    read_pauses: Vec<u64>,
    finish: Finish,
}

#[derive(Clone, Copy, Debug)]
enum Finish {
    Close,
    Shutdown,
    HalfFrame,
    Silence,
}

#[derive(Clone, Debug)]
struct Case {
    client: Script,
    upstream: Script,
    pipes: (usize, usize),
    validating: bool,
    delayed: bool,
    /// Milliseconds after which the session is drained.
    drained: Option<u64>,
}

fn script(from: Side) -> impl Strategy<Value = Script> {
    let frame = move |first, payload: &[u8]| match from {
        Side::Client => masked(first, payload),
        Side::Upstream => server(first, payload),
    };
    let fragments = prop::collection::vec(prop_oneof![0usize..5, 0usize..300], 1..4);
    let message = (any::<bool>(), any::<bool>(), fragments).prop_map(move |(text, ping, sizes)| {
        let mut frames = Vec::new();
        for (index, size) in sizes.iter().enumerate() {
            let fin = if index + 1 == sizes.len() { 0x80 } else { 0 };
            let opcode = match (index, text) {
                (0, true) => 0x1,
                (0, false) => 0x2,
                _ => 0x0,
            };
            frames.push(frame(fin | opcode, &vec![b'a' + index as u8; *size]));
            if ping {
                frames.push(frame(0x89, b"?"));
            }
        }
        frames
    });
    let finish = prop_oneof![
        Just(Finish::Close),
        Just(Finish::Shutdown),
        Just(Finish::HalfFrame),
        Just(Finish::Silence),
    ];
    let sizes = || prop::collection::vec(1usize..400, 1..5);
    let pauses = || {
        let pause =
            prop_oneof![8 => Just(0u64), 2 => 1u64..50, 1 => Just(2_000), 1 => Just(12_000)];
        prop::collection::vec(pause, 1..6)
    };
    let messages = prop::collection::vec(message, 0..8);
    (messages, sizes(), pauses(), sizes(), pauses(), finish).prop_map(
        move |(messages, pieces, pauses, reads, read_pauses, finish)| {
            let mut frames = messages.concat();
            match finish {
                Finish::Close => frames.push(frame(0x88, &close(4000, "bye"))),
                Finish::HalfFrame => frames.push(frame(0x82, &[b'h'; 50])),
                Finish::Shutdown | Finish::Silence => {}
            }
            Script {
                frames,
                pieces,
                pauses,
                reads,
                read_pauses,
                finish,
            }
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let pipe = || prop_oneof![1usize..20, 20usize..2000];
    let drained = prop::option::weighted(0.2, 0u64..20_000);
    let scripts = (script(Side::Client), script(Side::Upstream));
    (
        scripts,
        pipe(),
        pipe(),
        any::<bool>(),
        any::<bool>(),
        drained,
    )
        .prop_map(
            |((client, upstream), to_client, to_upstream, validating, delayed, drained)| Case {
                client,
                upstream,
                pipes: (to_client, to_upstream),
                validating,
                delayed,
                drained,
            },
        )
}

/// Plays one peer to the end of the session; what it got.
async fn play(io: DuplexStream, script: &Script, last: &Cell<Instant>) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(io);
    let write = async {
        let mut bytes = script.frames.concat();
        if let Finish::HalfFrame = script.finish {
            bytes.truncate(bytes.len() - 20);
        }
        let (mut rest, mut turn) = (&bytes[..], 0);
        while !rest.is_empty() {
            let piece = script.pieces[turn % script.pieces.len()].min(rest.len());
            if writer.write_all(&rest[..piece]).await.is_err() {
                break;
            }
            last.set(Instant::now());
            rest = &rest[piece..];
            sleep(Duration::from_millis(
                script.pauses[turn % script.pauses.len()],
            ))
            .await;
            turn += 1;
        }
        if let Finish::Shutdown | Finish::HalfFrame = script.finish {
            let _ = writer.shutdown().await;
        }
    };
    let read = async {
        let (mut got, mut turn) = (Vec::new(), 0);
        loop {
            let mut buffer = vec![0; script.reads[turn % script.reads.len()]];
            match reader.read(&mut buffer).await {
                Ok(0) | Err(_) => return got,
                Ok(length) => got.extend_from_slice(&buffer[..length]),
            }
            last.set(Instant::now());
            let pause = script.read_pauses[turn % script.read_pauses.len()];
            sleep(Duration::from_millis(pause)).await;
            turn += 1;
        }
    };
    tokio::join!(write, read).1
}

/// A session that counts how often it is polled.
struct Counted<F> {
    session: Pin<Box<F>>,
    polls: Arc<AtomicUsize>,
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.session.as_mut().poll(cx)
    }
}

/// The ping, the wait for its pong and the close time-out, after the longest pause of a script.
const LONGEST_SILENCE: Duration = Duration::from_secs(30 + 15 + 5 + 12 + 1);

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Takes a stream apart into whole frames and what is left.
fn frames(mut bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut frames = Vec::new();
    while let [_, second, rest @ ..] = bytes {
        let length = match (second & 0x7F, rest) {
            (126, [a, b, ..]) => 4 + usize::from(u16::from_be_bytes([*a, *b])),
            (126 | 127, _) => break,
            (short, _) => 2 + usize::from(short),
        };
        let length = length + if second & 0x80 != 0 { 4 } else { 0 };
        if bytes.len() < length {
            break;
        }
        let (frame, behind) = bytes.split_at(length);
        frames.push(frame);
        bytes = behind;
    }
    (frames, bytes)
}

fn is_control(frame: &[u8]) -> bool {
    frame[0] & 0x08 != 0
}

/// Holds what a peer got against what the peer across sent. Returns the bytes that were relayed.
fn check(got: &[u8], sent: &[Vec<u8>], reordered: bool) -> usize {
    let (frames, rest) = frames(got);
    let closed = frames.iter().position(|frame| frame[0] == 0x88);
    if let Some(closed) = closed {
        assert_eq!(
            (closed + 1, rest),
            (frames.len(), &b""[..]),
            "behind a close frame"
        );
    }
    // Peers' own pings are shorter than ours, and peers close with 4000 (masked with zeros).
    let is_ours = |frame: &[u8]| match frame[0] {
        0x89 => frame[1] & 0x7F == 8,
        0x88 => !sent.iter().any(|sent| sent == frame),
        _ => false,
    };
    let relayed: Vec<_> = frames.iter().filter(|frame| !is_ours(frame)).collect();
    // Where text is collected, control frames overtake it.
    let kinds: &[fn(&[u8]) -> bool] = match reordered {
        false => &[|_| true],
        true => &[is_control, |frame| !is_control(frame)],
    };
    let mut next = Vec::new();
    for is_kind in kinds {
        let relayed: Vec<&[u8]> = relayed.iter().map(|f| **f).filter(|f| is_kind(f)).collect();
        let mut sent = sent.iter().filter(|frame| is_kind(frame));
        for relayed in &relayed {
            let original = sent.next().map(|frame| &frame[..]);
            assert_eq!(Some(*relayed), original, "lost, changed or out of order");
        }
        next.extend(sent.next());
    }
    let is_cut = next.iter().any(|frame| frame.starts_with(rest));
    assert!(
        rest.is_empty() || is_cut || [0x88, 0x89].contains(&rest[0]),
        "{rest:x?}"
    );
    relayed.iter().map(|frame| frame.len()).sum()
}

async fn run(case: Case) {
    let mut setup = match case.delayed {
        true => metered(OnExceed::Delay, per_second(20), per_second(2000)),
        false => setup(),
    };
    setup.route.validate_utf8 = case.validating;
    let (client, gate_client) = duplex(case.pipes.0);
    let (upstream, gate_upstream) = duplex(case.pipes.1);
    let registry = Arc::new(Registry::for_tests(0, WallClock::default()));
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = Counted {
        session: Box::pin(session(&registry, gate_client, gate_upstream, setup)),
        polls: Arc::clone(&polls),
    };
    let entry = registry.list().remove(0);
    registry.tasks.spawn(counted);
    registry.tasks.close();
    let order = async {
        if let Some(after) = case.drained {
            sleep(Duration::from_millis(after)).await;
            entry.request_close(CloseReason::Drain(CloseCode::GOING_AWAY));
        }
    };
    // No peer answers a ping, so that the time-outs end what the peers do not.
    let last = Cell::new(Instant::now());
    let ended = async {
        registry.tasks.wait().await;
        assert!(last.get().elapsed() < LONGEST_SILENCE, "it went on");
    };
    let play = async {
        tokio::join!(
            play(client, &case.client, &last),
            play(upstream, &case.upstream, &last),
            order,
            ended
        )
    };
    let (to_client, to_upstream, ..) = timeout(DAY * 30, play).await.unwrap();
    let traffic = &entry.traffic;
    let up = check(&to_upstream, &case.client.frames, case.validating);
    let down = check(&to_client, &case.upstream.frames, case.validating);
    assert!(up as u64 <= traffic.bytes_from_client.load(Ordering::Relaxed));
    assert!(down as u64 <= traffic.bytes_from_upstream.load(Ordering::Relaxed));
    let moved: usize = [&case.client, &case.upstream]
        .iter()
        .flat_map(|script| &script.frames)
        .map(Vec::len)
        .sum();
    let polls = polls.load(Ordering::Relaxed);
    assert!(polls <= 100 + 8 * moved, "{polls} polls for {moved} bytes");
}

proptest! {
    #[test]
    fn whatever_the_peers_do_what_passes_is_what_was_sent_and_the_session_ends(case in case()) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(run(case));
    }
}
