//! Cases F01 to F08: frames that break RFC 6455, from either side.

use rstest::rstest;

use crate::kit::{CANARY, Fault, Frame, Host, Side, Stage, Wire, bits};

/// The first byte of each kind of frame, and what has to come before it.
fn kinds() -> Vec<(u8, Vec<Frame>)> {
    use bits::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT};
    let begun = || vec![Frame::new(TEXT, "begun")];
    vec![
        (FIN | TEXT, Vec::new()),
        (FIN | BINARY, Vec::new()),
        (TEXT, Vec::new()),
        (BINARY, Vec::new()),
        (CONTINUATION, begun()),
        (FIN | CONTINUATION, begun()),
        (FIN | PING, Vec::new()),
        (FIN | PONG, Vec::new()),
        (FIN | CLOSE, Vec::new()),
        (FIN | PING, begun()),
        (FIN | CLOSE, begun()),
    ]
}

/// A payload that fits every kind of frame.
const PAYLOAD: &[u8] = b"\x03\xE8c4nary";

#[rstest]
#[tokio::test]
async fn f01_an_unmasked_client_frame_and_a_masked_one_of_the_upstream(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let mut faults = Vec::new();
    let mut add = |what: &str, frame: &Frame, before: &[Frame]| {
        let fault = Fault::bytes("unmasked", what, frame.plain(), frame.masked());
        faults.extend([fault.clone(), fault.cut(2)].map(|fault| fault.behind(before)));
    };
    for (first, before) in kinds() {
        add("any", &Frame::new(first, PAYLOAD), &before);
        add("empty", &Frame::new(first, ""), &before);
    }
    for length in [125, 126, 65_535, 65_536] {
        add(&length.to_string(), &Frame::binary(vec![1; length]), &[]);
    }
    // With a key of zeros a masked payload looks like any other.
    let zeros = [&[0x81, 0x86, 0, 0, 0, 0], CANARY.as_bytes()].concat();
    faults.push(Fault::bytes(
        "unmasked",
        "zeros",
        Frame::text(CANARY).plain(),
        zeros,
    ));
    stage.breaks(&faults).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn f03_reserved_bits_and_reserved_opcodes(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let mut faults = Vec::new();
    for (first, before) in kinds() {
        for reserved in [0x40, 0x20, 0x10, 0x60, 0x50, 0x30, 0x70] {
            let frame = Frame::new(first | reserved, PAYLOAD);
            let what = format!("{:#04x}", frame.first);
            faults.push(Fault::frame("rsv_or_opcode", &what, &frame).behind(&before));
        }
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for fin in [0, bits::FIN] {
            let frame = Frame::new(fin | opcode, PAYLOAD);
            let fault = Fault::frame("rsv_or_opcode", &format!("{:#04x}", frame.first), &frame);
            let begun = [Frame::new(bits::BINARY, "begun")];
            faults.extend([fault.clone().behind(&begun), fault.clone().cut(2), fault]);
        }
    }
    stage.breaks(&faults).await;
    stage.stands().await;
}

/// A header that says its length in this form, as a client sends it and as an upstream does,
/// with as much of a payload as fits a small frame.
fn long(first: u8, form: u8, length: u64) -> [Vec<u8>; 2] {
    let bytes = match form {
        126 => (length as u16).to_be_bytes().to_vec(),
        _ => length.to_be_bytes().to_vec(),
    };
    let payload = vec![b'x'; length.min(125) as usize];
    [
        [&[first, 0x80 | form], &bytes[..], &[0; 4], &payload].concat(),
        [&[first, form], &bytes[..], &payload].concat(),
    ]
}

#[rstest]
#[tokio::test]
async fn f04_a_length_in_more_bytes_than_it_needs(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let top = 1 << 63;
    let mut faults = Vec::new();
    let begun = [Frame::new(bits::BINARY, "begun")];
    for (form, lengths) in [
        (126, &[0, 1, 5, 124, 125][..]),
        (
            127,
            &[0, 1, 125, 126, 255, 65_534, 65_535, top, top | 5, u64::MAX],
        ),
    ] {
        for &length in lengths {
            for (first, before) in [
                (bits::FIN | bits::TEXT, &[][..]),
                (bits::BINARY, &[]),
                (bits::FIN | bits::CONTINUATION, &begun),
            ] {
                let what = format!("{length} as {form}");
                let [client, upstream] = long(first, form, length);
                let fault = Fault::bytes("len_not_minimal", &what, client, upstream);
                // The length alone tells.
                let cut = fault.clone().cut(if form == 126 { 4 } else { 10 });
                faults.extend([fault.behind(before), cut.behind(before)]);
            }
        }
    }
    stage.breaks(&faults).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn f04_lengths_on_either_side_of_a_longer_form_pass(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let (mut client, mut server) = stage.session().await;
    for length in [
        0,
        1,
        2,
        124,
        125,
        126,
        127,
        4096,
        65_534,
        65_535,
        65_536,
        65_537,
        262_144,
        1 << 20,
    ] {
        let pattern = (0..length as u64).map(|at| (at.wrapping_mul(0x9E37_79B9) >> 13) as u8);
        let frames = [
            Frame::binary(pattern.collect::<Vec<_>>()),
            Frame::text(&"\u{e9}".repeat(length / 2)),
            Frame::new(bits::TEXT, vec![b'a'; length]),
            Frame::new(bits::FIN | bits::CONTINUATION, vec![b'b'; length]),
        ];
        Stage::passes(&mut client, &mut server, &frames).await;
        Stage::passes(&mut server, &mut client, &frames).await;
    }
    stage.parts(client, server).await;
    stage.stands().await;
}

/// So many peers announce a big frame at once.
const CROWD: usize = 200;

/// What a session may take of memory while its peer is silent in the middle of a frame.
const SILENT: usize = 32 * 1024;

/// Opens sessions in which one side sends the header of a frame of 16 MiB, a few bytes of it, and
/// then nothing.
async fn announce(stage: &mut Stage, from: Side, first: u8) -> Vec<(Wire, Wire, Vec<u8>)> {
    let before = stage.vitals().memory;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let (mut client, mut server) = stage.session().await;
        let [masked, plain] = long(first, 127, 16 << 20);
        let (sender, bytes) = match from {
            Side::Client => (&mut client, &masked[..19]),
            Side::Upstream => (&mut server, &plain[..15]),
        };
        sender.send(bytes).await;
        let bytes = bytes.to_vec();
        crowd.push((client, server, bytes));
    }
    stage.serves_others().await;
    let took = stage.vitals().memory.saturating_sub(before);
    assert!(took < CROWD * SILENT, "{took}");
    crowd
}

#[tokio::test]
async fn f06_the_header_of_a_big_frame_and_then_silence() {
    let silence = "timeouts = { idle = \"1s\", close = \"100ms\" }";
    let mut stage = Stage::set(silence).await;
    for from in [Side::Client, Side::Upstream] {
        for (mut client, mut server, bytes) in announce(&mut stage, from, 0x82).await {
            let idle = Frame::close(1001, "idle timeout");
            // What was said of the frame has passed on; in the middle of it nothing of ours stands.
            match from {
                Side::Client => {
                    client.expect(idle).await;
                    assert_eq!(server.rest().await.unwrap(), bytes);
                }
                Side::Upstream => {
                    server.expect(Frame::close(1001, "")).await;
                    assert_eq!(client.rest().await.unwrap(), bytes);
                }
            }
            stage.ends("idle");
        }
    }
    stage.stands().await;
}

#[tokio::test]
async fn f06_the_same_where_text_is_held_until_it_is_whole() {
    let silence = "validate_utf8 = true\ntimeouts = { idle = \"1s\", close = \"100ms\" }";
    let mut stage = Stage::set(silence).await;
    for from in [Side::Client, Side::Upstream] {
        for (mut client, mut server, _) in announce(&mut stage, from, 0x81).await {
            client.expect(Frame::close(1001, "idle timeout")).await;
            server.expect(Frame::close(1001, "")).await;
            stage.ends("idle");
        }
    }
    stage.stands().await;
}

#[tokio::test]
async fn f06_a_peer_that_is_silent_in_a_frame_answers_no_ping() {
    let keepalive = "timeouts.close = \"100ms\"\n[route.keepalive]\n\
                     client = { interval = \"300ms\", timeout = \"300ms\" }\n\
                     upstream = { interval = \"300ms\", timeout = \"300ms\" }";
    for from in [Side::Client, Side::Upstream] {
        let mut stage = Stage::set(keepalive).await;
        let (mut client, mut server) = stage.session().await;
        let [masked, plain] = long(0x82, 127, 16 << 20);
        let (silent, honest, bytes) = match from {
            Side::Client => (&mut client, &mut server, masked),
            Side::Upstream => (&mut server, &mut client, plain),
        };
        silent.send(&bytes[..19]).await;
        assert_eq!(honest.take(19).await, bytes[..19]);
        assert_eq!(silent.frame().await.first, bits::FIN | bits::PING);
        // The honest side cannot be asked in the middle of a frame, and need not answer.
        silent.expect(Frame::close(1001, "frame timeout")).await;
        assert_eq!(honest.rest().await.unwrap(), b"");
        stage.ends("frame_timeout");
        drop((client, server));
        stage.stands().await;
    }
}

#[rstest]
#[tokio::test]
async fn f07_control_frames_that_are_too_long_or_fragmented(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let mut faults = Vec::new();
    let begun = [Frame::new(bits::TEXT, "begun")];
    for opcode in [bits::PING, bits::PONG, bits::CLOSE] {
        for length in [126, 127, 1000, 65_535, 65_536] {
            let payload = [&PAYLOAD[..2], &vec![b'x'; length - 2]].concat();
            let what = format!("{opcode:#04x} of {length}");
            let frame = Frame::new(bits::FIN | opcode, payload);
            let fault = Fault::frame("bad_control", &what, &frame);
            // The first byte of the length is enough.
            faults.extend([fault.clone().behind(&begun), fault.clone().cut(2), fault]);
        }
        for (form, length) in [(126, 5), (127, 5), (127, 1 << 63)] {
            let what = format!("{opcode:#04x} of {length} as {form}");
            let [client, upstream] = long(bits::FIN | opcode, form, length);
            faults.push(Fault::bytes("bad_control", &what, client, upstream));
        }
        for payload in [&[][..], PAYLOAD] {
            let frame = Frame::new(opcode, payload);
            let what = format!("{opcode:#04x} in fragments");
            let fault = Fault::frame("bad_control", &what, &frame);
            faults.extend([fault.clone().behind(&begun), fault.clone().cut(2), fault]);
        }
    }
    stage.breaks(&faults).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn f07_unsolicited_control_frames_of_125_bytes_pass(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let (mut client, mut server) = stage.session().await;
    for payload in [vec![], vec![0xFF], vec![0xFF; 124], vec![0xFF; 125]] {
        let frames = [bits::PING, bits::PONG, bits::PONG]
            .map(|opcode| Frame::new(bits::FIN | opcode, payload.clone()));
        Stage::passes(&mut client, &mut server, &frames).await;
        Stage::passes(&mut server, &mut client, &frames).await;
    }
    stage.parts(client, server).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn f08_a_message_inside_of_another_and_a_continuation_of_nothing(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let mut faults = Vec::new();
    let mut add = |what: &str, first: u8, before: &[Frame]| {
        for payload in ["", CANARY] {
            let frame = Frame::new(first, payload);
            faults.push(Fault::frame("bad_continuation", what, &frame).behind(before));
        }
    };
    use bits::{BINARY, CONTINUATION, FIN, TEXT};
    for (kind, other) in [(TEXT, BINARY), (BINARY, TEXT)] {
        let (begun, empty) = (Frame::new(kind, "begun"), Frame::new(kind, ""));
        let more = Frame::new(CONTINUATION, "more");
        let ping = Frame::ping("between");
        for before in [
            &[begun.clone()][..],
            &[empty],
            &[begun.clone(), more.clone()],
            &[begun.clone(), ping.clone()],
        ] {
            for first in [kind, other, FIN | kind, FIN | other] {
                add("a message inside of another", first, before);
            }
        }
        let end = Frame::new(FIN | CONTINUATION, "end");
        for before in [
            &[][..],
            std::slice::from_ref(&ping),
            &[Frame::new(FIN | kind, "whole")],
            &[begun, ping.clone(), more, end],
        ] {
            for first in [CONTINUATION, FIN | CONTINUATION] {
                add("a continuation of nothing", first, before);
            }
        }
    }
    stage.breaks(&faults).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn f08_control_frames_between_fragments_pass_at_once(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    for route in ["", "validate_utf8 = true"] {
        let mut stage = Stage::on(host, route).await;
        let (mut client, mut server) = stage.session().await;
        for from in [Side::Client, Side::Upstream] {
            let (sender, receiver) = match from {
                Side::Client => (&mut client, &mut server),
                Side::Upstream => (&mut server, &mut client),
            };
            let fragments = [
                Frame::new(bits::TEXT, "begun"),
                Frame::new(bits::CONTINUATION, "more"),
                Frame::new(bits::FIN | bits::CONTINUATION, "end"),
            ];
            for fragment in &fragments {
                sender.send_frame(fragment).await;
                if route.is_empty() {
                    receiver.expect(fragment.clone()).await;
                }
                if fragment.first & bits::FIN == 0 {
                    let controls = [Frame::ping("between"), Frame::pong("between")];
                    Stage::passes(sender, receiver, &controls).await;
                }
            }
            // Text that is looked at comes in one piece, in the fragments that it was sent in.
            for fragment in fragments.iter().filter(|_| !route.is_empty()) {
                receiver.expect(fragment.clone()).await;
            }
        }
        stage.parts(client, server).await;
        stage.stands().await;
    }
}
