//! What neither side may send: who is told what, and that nothing of it arrives.

use crate::kit::{Bench, Frame, Logs, Upstream, Wire, bits, setup, until};

/// What either side may not send: the word for it, its bytes as a client sends them, and as an
/// upstream does.
fn violations() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let both = |frames: &[Frame]| {
        let masked = frames.iter().map(Frame::masked).collect::<Vec<_>>();
        let plain = frames.iter().map(Frame::plain).collect::<Vec<_>>();
        (masked.concat(), plain.concat())
    };
    let frame = |first, payload: &str| both(&[Frame::new(first, payload)]);
    let text = Frame::text("hello");
    let mut cases = vec![("unmasked", text.plain(), text.masked())];
    let mut add = |word, (masked, plain): (Vec<u8>, Vec<u8>)| cases.push((word, masked, plain));
    for first in [0xC1, 0xA1, 0x91, 0xC9, 0x83, 0x87, 0x8B, 0x8F] {
        add("rsv_or_opcode", frame(first, "x"));
    }
    add("bad_control", frame(bits::PING, "x"));
    add("bad_control", frame(bits::CLOSE, ""));
    add(
        "bad_control",
        frame(bits::FIN | bits::PING, &"x".repeat(126)),
    );
    add(
        "bad_control",
        frame(bits::FIN | bits::CLOSE, &"x".repeat(126)),
    );
    add(
        "bad_continuation",
        frame(bits::FIN | bits::CONTINUATION, "x"),
    );
    let unfinished = Frame::new(bits::TEXT, "x");
    add(
        "bad_continuation",
        both(&[unfinished.clone(), unfinished.clone()]),
    );
    add("bad_continuation", both(&[unfinished, Frame::binary("x")]));
    add("bad_close", frame(bits::FIN | bits::CLOSE, "x"));
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        add("bad_close", both(&[Frame::close(code, "")]));
    }
    let (mut masked, mut plain) = both(&[Frame::binary("12345")]);
    masked.splice(1..2, [0x80 | 126, 0, 5]);
    plain.splice(1..2, [126, 0, 5]);
    add("len_not_minimal", (masked, plain));
    let top_bit = [127, 0x80, 0, 0, 0, 0, 0, 0, 1];
    let length = |mask: u8| [&[0x82, mask | top_bit[0]], &top_bit[1..], &[1; 5]].concat();
    add("len_not_minimal", (length(0x80), length(0)));
    // The length of a frame that would fit two bytes, in eight of them.
    let eight = |mask: u8| [&[0x82, mask | 127, 0, 0, 0, 0, 0, 0, 0xFF][..], &[0xFF; 5]].concat();
    add("len_not_minimal", (eight(0x80), eight(0)));
    cases
}

/// Wrong bytes from one side: what each side is told, and what the log says.
struct Fault {
    from_client: bool,
    bytes: Vec<u8>,
    client_code: u16,
    upstream_code: u16,
    closed_by: &'static str,
    word: &'static str,
}

async fn ends(bench: &Bench, upstream: &Upstream, logs: &Logs, fault: Fault) {
    let shown = fault.bytes[..fault.bytes.len().min(16)]
        .escape_ascii()
        .to_string();
    let (mut client, mut server) = bench.session(upstream).await;
    // The message before it arrives, and the one behind it does not.
    let (sender, receiver) = match fault.from_client {
        true => (&mut client, &mut server),
        false => (&mut server, &mut client),
    };
    let good = sender.encode(&Frame::text("good"));
    sender.send([&good[..], &fault.bytes, &good].concat()).await;
    receiver.expect(Frame::text("good")).await;
    let begun = matches!(fault.bytes[0] & 0x8F, bits::TEXT | bits::BINARY);
    if begun {
        receiver.expect(Frame::new(fault.bytes[0], "x")).await;
    }
    let (code, reason) = client.close_frame().await;
    assert_eq!(
        code,
        Some(fault.client_code),
        "{} {shown}: {reason}",
        fault.word
    );
    let (code, reason) = server.close_frame().await;
    assert_eq!(
        code,
        Some(fault.upstream_code),
        "{} {shown}: {reason}",
        fault.word
    );
    close_both(client, server).await;
    until("the session to end", || bench.handle.sessions().is_empty()).await;
    let line = logs.of("wsgate::access").pop().unwrap();
    assert_eq!(line.field("reason"), fault.word, "{shown}");
    assert_eq!(line.field("closed_by"), fault.closed_by, "{shown}");
    assert_eq!(line.number("code"), u64::from(fault.client_code), "{shown}");
}

/// What peers do that were told to close: they answer and hang up, and hear nothing more.
async fn close_both(mut client: Wire, mut server: Wire) {
    client.send_frames(&[Frame::bare_close()]).await;
    server.send_frames(&[Frame::bare_close()]).await;
    server.shut().await;
    client.expect_end().await;
    client.shut().await;
    server.expect_end().await;
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_told_1002_and_its_upstream_1001() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    for (word, bytes, _) in violations() {
        let fault = Fault {
            from_client: true,
            bytes,
            client_code: 1002,
            upstream_code: 1001,
            closed_by: "client",
            word,
        };
        ends(&bench, &upstream, &logs, fault).await;
    }
}

#[tokio::test]
async fn an_upstream_that_breaks_the_protocol_is_told_1002_and_its_client_1011() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    for (word, _, bytes) in violations() {
        let fault = Fault {
            from_client: false,
            bytes,
            client_code: 1011,
            upstream_code: 1002,
            closed_by: "upstream",
            word,
        };
        ends(&bench, &upstream, &logs, fault).await;
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_told_1009_and_never_looks_whole() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()])
        .route("limits.message_size = \"1000B\"")
        .start()
        .await;
    for (from_client, upstream_code, closed_by) in
        [(true, 1001, "client"), (false, 1009, "upstream")]
    {
        for frames in [
            vec![Frame::binary(vec![0; 1001])],
            vec![Frame::binary(vec![0; 100_000])],
        ] {
            let encode = |frame: &Frame| match from_client {
                true => frame.masked(),
                false => frame.plain(),
            };
            let fault = Fault {
                from_client,
                bytes: frames.iter().map(encode).collect::<Vec<_>>().concat(),
                client_code: 1009,
                upstream_code,
                closed_by,
                word: "too_big",
            };
            // Not the beginning of a message, but the whole of it is what it must not see.
            ends(&bench, &upstream, &logs, fault).await;
        }
        let (mut client, mut server) = bench.session(&upstream).await;
        let (sender, receiver) = match from_client {
            true => (&mut client, &mut server),
            false => (&mut server, &mut client),
        };
        let (first, last) = (
            Frame::new(1, vec![b'x'; 600]),
            Frame::new(128, vec![b'x'; 401]),
        );
        sender.send_frames(&[first.clone(), last]).await;
        receiver.expect(first).await;
        client.expect_close(1009).await;
        server.expect_close(upstream_code).await;
        close_both(client, server).await;
        // What is as big as it may be goes through, message after message.
        let (mut client, mut server) = bench.session(&upstream).await;
        let fits = Frame::binary(vec![1; 1000]);
        for _ in 0..2 {
            client.send_frame(&fits).await;
            server.expect(fits.clone()).await;
            server.send_frame(&fits).await;
            client.expect(fits.clone()).await;
        }
    }
}

const BAD_TEXTS: [&[u8]; 7] = [
    b"\xFF",
    b"ab\xC0\xAF",
    b"\xED\xA0\x80",
    b"\xF4\x90\x80\x80",
    b"\xE2\x82",
    b"\x80",
    b"ok \xF8\x88\x80\x80\x80",
];

#[tokio::test]
async fn text_that_is_not_utf8_is_told_1007_before_it_arrives_where_the_route_validates() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let route = "compression = \"off\"\nvalidate_utf8 = true";
    let bench = setup([upstream.url()]).route(route).start().await;
    for text in BAD_TEXTS {
        let frame = Frame::new(bits::FIN | bits::TEXT, text);
        let from_client = Fault {
            from_client: true,
            bytes: frame.masked(),
            client_code: 1007,
            upstream_code: 1001,
            closed_by: "client",
            word: "bad_utf8",
        };
        ends(&bench, &upstream, &logs, from_client).await;
        let from_upstream = Fault {
            from_client: false,
            bytes: frame.plain(),
            client_code: 1011,
            upstream_code: 1007,
            closed_by: "upstream",
            word: "bad_utf8",
        };
        ends(&bench, &upstream, &logs, from_upstream).await;
    }
    // Characters may be split anywhere, and other bytes are not text.
    let (mut client, mut server) = bench.session(&upstream).await;
    let euro = "\u{20AC}".as_bytes();
    let frames = [
        Frame::new(bits::TEXT, &euro[..1]),
        Frame::ping("\u{20AC}"),
        Frame::new(bits::CONTINUATION, &euro[1..2]),
        Frame::new(bits::CONTINUATION, ""),
        Frame::new(bits::FIN | bits::CONTINUATION, &euro[2..]),
        Frame::binary(b"\xFF"),
    ];
    client.send_frames(&frames).await;
    // The ping need not wait for the text around it.
    server.expect(frames[1].clone()).await;
    for at in [0, 2, 3, 4, 5] {
        server.expect(frames[at].clone()).await;
    }
}

#[tokio::test]
async fn text_that_is_not_utf8_goes_through_where_the_route_does_not_validate() {
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let (mut client, mut server) = bench.session(&upstream).await;
    for text in BAD_TEXTS {
        let frame = Frame::new(bits::FIN | bits::TEXT, text);
        client.send_frame(&frame).await;
        server.expect(frame.clone()).await;
        server.send_frame(&frame).await;
        client.expect(frame).await;
    }
}

#[tokio::test]
async fn a_close_reason_that_is_not_utf8_is_told_1007() {
    let logs = Logs::capture();
    let upstream = Upstream::start().await;
    let bench = setup([upstream.url()]).start().await;
    let frame = Frame::new(bits::FIN | bits::CLOSE, b"\x03\xE8\xFF");
    for (from_client, client_code, upstream_code) in [(true, 1007, 1001), (false, 1011, 1007)] {
        let fault = Fault {
            from_client,
            bytes: match from_client {
                true => frame.masked(),
                false => frame.plain(),
            },
            client_code,
            upstream_code,
            closed_by: match from_client {
                true => "client",
                false => "upstream",
            },
            word: "bad_utf8",
        };
        ends(&bench, &upstream, &logs, fault).await;
    }
}
