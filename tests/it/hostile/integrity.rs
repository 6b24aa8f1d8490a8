//! Cases F18 and F19: every byte arrives as it was sent, and the gate's own frames are masked
//! with keys that nobody can foresee.

use std::collections::BTreeSet;

use futures_util::future::{join, join_all};

use rstest::rstest;

use crate::kit::{
    CANARY, Frame, Hop, Host, Mood, Request, Side, Stage, Upstream, Wire, bits, switching,
};

use bits::{BINARY, CONTINUATION, FIN, TEXT};

/// Frames of each kind, with headers of each length.
fn frames() -> Vec<Frame> {
    let mut frames = vec![
        Frame::text(""),
        Frame::new(TEXT, "frag"),
        Frame::ping("between"),
        Frame::new(CONTINUATION, ""),
        Frame::pong("unasked"),
        Frame::ping(""),
        Frame::new(FIN | CONTINUATION, "ment"),
        Frame::binary(""),
        Frame::pong(""),
    ];
    frames.extend([1, 125, 126, 300].map(|length| Frame::binary(pattern(length))));
    frames
}

/// Payload in which no two near places look alike.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64)
        .map(|at| (at.wrapping_mul(0x9E37_79B9) >> 13) as u8)
        .collect()
}

/// Every byte of these in a segment of its own, both ways.
async fn relay_byte_by_byte(client: &mut Wire, server: &mut Wire) {
    Stage::passes(client, server, &frames()).await;
    Stage::passes(server, client, &frames()).await;
}

#[rstest]
#[tokio::test]
async fn f18_one_byte_in_a_segment_on_both_legs(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let upstream = Upstream::start().await;
    let back = Hop::to(upstream.url()).await;
    let pool = format!("servers = [\"{}\"]", back.url());
    let mut stage = Stage::on_with(host, upstream, &pool, "", "").await;
    let front = Hop::to(stage.address()).await;
    front.set(Mood::Drip);
    back.set(Mood::Drip);
    // The handshakes come in the same way, and what stands behind them.
    let mut client = Wire::connect(front.address()).await;
    let early: Vec<u8> = frames().iter().flat_map(Frame::masked).collect();
    let request = [Stage::handshake().text().as_bytes(), &early].concat();
    client.send(request).await;
    let (mut server, asked) = stage.upstream.request().await;
    let behind: Vec<u8> = frames().iter().flat_map(Frame::plain).collect();
    server
        .send([switching(&asked, "").as_bytes(), &behind].concat())
        .await;
    assert_eq!(client.head().await.status(), 101);
    stage.was_accepted();
    assert!(server.take(early.len()).await == early);
    assert!(client.take(behind.len()).await == behind);
    relay_byte_by_byte(&mut client, &mut server).await;
    // The close frames, too.
    stage.parts(client, server).await;
    drop((front, back));
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn f18_a_frame_cut_at_every_byte_with_a_pause_at_the_cut(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let (mut client, mut server) = stage.session().await;
    let mut frames = frames();
    frames.extend([65_535, 65_536].map(|length| Frame::binary(vec![1; length])));
    // The others are cut in their conversation, below.
    frames.retain(|frame| matches!(frame.first ^ FIN, TEXT | BINARY));
    for from in [Side::Client, Side::Upstream] {
        let (sender, receiver) = match from {
            Side::Client => (&mut client, &mut server),
            Side::Upstream => (&mut server, &mut client),
        };
        for frame in &frames {
            let bytes = sender.encode(frame);
            // Every place in the header, around its end, and in a small payload.
            for cut in 1..bytes.len().min(24) {
                sender.send(&bytes[..cut]).await;
                // A round the other way gives the gate time to have read so far and no further.
                receiver.send_frame(&Frame::ping("")).await;
                sender.expect(Frame::ping("")).await;
                sender.send(&bytes[cut..]).await;
                assert!(receiver.take(bytes.len()).await == bytes, "{frame:?} {cut}");
            }
        }
    }
    stage.parts(client, server).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn f18_a_conversation_cut_in_two_at_every_byte(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let (mut client, mut server) = stage.session().await;
    let frames = frames();
    for from in [Side::Client, Side::Upstream] {
        let (sender, receiver) = match from {
            Side::Client => (&mut client, &mut server),
            Side::Upstream => (&mut server, &mut client),
        };
        let bytes: Vec<u8> = frames.iter().flat_map(|f| sender.encode(f)).collect();
        for cut in 0..=bytes.len() {
            sender.send(&bytes[..cut]).await;
            receiver.send_frame(&Frame::pong("")).await;
            sender.expect(Frame::pong("")).await;
            sender.send(&bytes[cut..]).await;
            assert!(receiver.take(bytes.len()).await == bytes, "{cut}");
        }
    }
    stage.parts(client, server).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn f18_many_frames_in_one_segment(#[values(Host::Program, Host::HyperService)] host: Host) {
    let mut stage = Stage::on(host, "").await;
    let (mut client, mut server) = stage.session().await;
    let frames: Vec<_> = (0..20_000_usize)
        .map(|number| match number % 3 {
            0 => Frame::text(&number.to_string()),
            1 => Frame::ping(&number.to_string()),
            _ => Frame::binary(""),
        })
        .chain([
            Frame::new(TEXT, "frag"),
            Frame::new(CONTINUATION, pattern(70_000)),
            Frame::new(FIN | CONTINUATION, "ment"),
            Frame::binary(pattern(100_000)),
        ])
        .collect();
    let is_last = |frame: &&Frame| frame.first & (FIN | 0x8) == FIN;
    let messages = frames.iter().filter(is_last).count();
    Stage::passes(&mut client, &mut server, &frames).await;
    Stage::passes(&mut server, &mut client, &frames).await;
    stage.parts(client, server).await;
    let line = stage.line("closed").await;
    for counted in ["client_messages", "upstream_messages"] {
        assert_eq!(
            line[counted].to_string().trim_matches('"'),
            messages.to_string()
        );
    }
    stage.stands().await;
}

/// The mask of the next frame from the gate, and the frame itself.
async fn masked(server: &mut Wire) -> (u32, Frame) {
    let head = server.take(2).await;
    assert_eq!(head[1] & 0x80, 0x80, "the gate is a client here: it masks");
    let key = server.take(4).await;
    let payload = server.take(usize::from(head[1] & 0x7F)).await;
    let plain = payload.iter().zip(key.iter().cycle());
    let plain: Vec<u8> = plain.map(|(byte, key)| byte ^ key).collect();
    let key = u32::from_be_bytes([key[0], key[1], key[2], key[3]]);
    (key, Frame::new(head[0], plain))
}

/// So many sessions, and so many pings of the gate's in each.
const SESSIONS: usize = 16;
const PINGS: usize = 25;

/// The keys that the gate's own frames to an upstream have: its pings, and its close frame.
async fn keys(mut client: Wire, mut server: Wire) -> Vec<u32> {
    let mut keys = Vec::new();
    for _ in 0..PINGS {
        let (key, ping) = masked(&mut server).await;
        assert_eq!(ping.first, FIN | bits::PING);
        keys.push(key);
        server.send_frame(&Frame::pong(ping.payload)).await;
    }
    client.shut().await;
    loop {
        let (key, frame) = masked(&mut server).await;
        keys.push(key);
        if frame == Frame::close(1001, "client lost") {
            break;
        }
        assert_eq!(frame.first, FIN | bits::PING);
    }
    server.send_frame(&Frame::bare_close()).await;
    server.shut().await;
    client.end().await;
    keys
}

#[tokio::test]
async fn f19_the_gates_own_frames_to_an_upstream_have_fresh_keys() {
    let keepalive = "[route.keepalive]\nclient = { interval = \"0s\" }\n\
                     upstream = { interval = \"5ms\", timeout = \"30s\" }";
    let mut stage = Stage::set(keepalive).await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let (client, server) = stage.session().await;
        sessions.push(keys(client, server));
        stage.ends("client_lost");
    }
    let keys = join_all(sessions).await.concat();
    let count = keys.len();
    assert!(count >= SESSIONS * (PINGS + 1), "{count}");
    // Among so few of 2^32 one may come twice once in 50,000 runs, and two hardly ever.
    let distinct: BTreeSet<_> = keys.iter().collect();
    assert!(distinct.len() >= count - 1, "{keys:x?}");
    let zeros = keys.iter().filter(|key| **key == 0).count();
    assert!(zeros <= 1, "{keys:x?}");
    // Neither do they count up: each bit is set in about half of them, and changes from one to
    // the next in about half of the cases.
    let changes: Vec<u32> = keys.windows(2).map(|pair| pair[0] ^ pair[1]).collect();
    let steps = keys.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    assert!(steps.collect::<BTreeSet<_>>().len() >= count - 2);
    for words in [&keys, &changes] {
        for bit in 0..u32::BITS {
            let set = words.iter().filter(|word| **word >> bit & 1 == 1).count();
            assert!(
                (count / 4..=count * 3 / 4).contains(&set),
                "bit {bit} in {set} of {count}"
            );
        }
    }
    stage.stands().await;
}

/// Frames pass through (docs/architecture.md): what a client has masked goes on with the client's
/// own key, whatever that is worth, because it is the client that §5.3 asks for a fresh one, and
/// the gate does not touch the bytes.
#[tokio::test]
async fn f19_a_clients_frame_keeps_the_clients_key() {
    let mut stage = Stage::set("").await;
    let mut client = stage.client().await;
    let request: Request = Stage::handshake();
    client.send(request.text()).await;
    let (mut server, asked) = stage.upstream.request().await;
    server.send(switching(&asked, "")).await;
    assert_eq!(client.head().await.status(), 101);
    stage.was_accepted();
    let keys = [0, u32::MAX, 1, 0x37FA_213D, 0x0102_0304, 0];
    let payload = CANARY.as_bytes();
    let send = async {
        for key in keys {
            let key = key.to_be_bytes();
            let masked = payload.iter().zip(key.iter().cycle());
            let masked: Vec<u8> = masked.map(|(byte, key)| byte ^ key).collect();
            let head = [FIN | TEXT, 0x80 | payload.len() as u8];
            client.send([&head[..], &key, &masked].concat()).await;
        }
    };
    let receive = async {
        for key in keys {
            let (found, frame) = masked(&mut server).await;
            assert_eq!((found, frame), (key, Frame::text(CANARY)));
        }
    };
    join(send, receive).await;
    stage.parts(client, server).await;
    stage.stands().await;
}
