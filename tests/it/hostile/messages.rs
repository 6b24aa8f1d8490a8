//! Cases F09 to F16: messages and farewells that a session cannot have, from either side.

use rstest::rstest;

use crate::kit::{CANARY, Fault, Frame, Host, Side, Stage, bits};

use bits::{BINARY, CLOSE, CONTINUATION, FIN, TEXT};

/// Bytes that are no text, each for a reason of its own.
const NO_TEXT: [&[u8]; 15] = [
    b"\xC0\xAF",             // overlong, in two bytes
    b"\xC1\xBF",             // likewise
    b"\xE0\x80\xAF",         // in three
    b"\xF0\x80\x80\xAF",     // in four
    b"\xED\xA0\x80",         // the first surrogate
    b"\xED\xBF\xBF",         // the last one
    b"\xF4\x90\x80\x80",     // one more than U+10FFFF
    b"\xF5\x80\x80\x80",     // far more
    b"\xF8\x88\x80\x80\x80", // of a length that there is no more
    b"\xFE",
    b"\xFF",
    b"\x80",         // the end of nothing
    b"\xC3",         // cut at the end
    b"\xE2\x82",     // likewise
    b"\xF0\x9F\x98", // likewise
];

/// Texts with characters of each length, the outermost ones of each among them.
const TEXTS: [&str; 4] = [
    "\0\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}",
    "\u{D7FF}\u{E000}\u{FEFF}\u{FFFD}",
    "\u{E9}\u{20AC}\u{1F600}",
    "",
];

/// A text in two fragments.
fn split(text: &[u8], at: usize) -> [Frame; 2] {
    [
        Frame::new(TEXT, &text[..at]),
        Frame::new(FIN | CONTINUATION, &text[at..]),
    ]
}

#[rstest]
#[tokio::test]
async fn f09_text_that_is_not_utf8_where_the_route_validates(
    #[values(Host::Program, Host::HyperService)] host: Host,
    #[values("", "compression = \"off\"\n")] compression: &str,
) {
    let mut stage = Stage::on(host, &format!("{compression}validate_utf8 = true")).await;
    let mut faults = Vec::new();
    let mut add = |fault: Fault| faults.push(fault);
    for text in NO_TEXT {
        let what = text.escape_ascii().to_string();
        let behind_some = [CANARY.as_bytes(), text].concat();
        let whole = Frame::new(FIN | TEXT, &behind_some[..]);
        let good = [Frame::text("good"), Frame::binary(text)];
        add(Fault::frame("bad_utf8", &what, &whole).behind(&good));
        for at in 0..=text.len() {
            add(Fault::frames("bad_utf8", &what, &split(text, at)));
        }
        let [begun, end] = split(&behind_some, CANARY.len());
        let ping = Frame::new(FIN | bits::PING, text);
        // What a ping says is nobody's business, and does not wait.
        let between = [begun, ping.clone(), end];
        add(Fault::frames("bad_utf8", &what, &between).but(&[ping]));
    }
    for text in &NO_TEXT[..12] {
        let what = format!("{} and no end", text.escape_ascii());
        let begun = Frame::new(TEXT, [text, &b"\0\0\0"[..]].concat());
        let length = begun.masked().len();
        add(Fault::frame("bad_utf8", &what, &begun).cut(length));
        let announced = Frame::new(FIN | TEXT, [&begun.payload[..], &[0; 90]].concat());
        add(Fault::frame("bad_utf8", &what, &announced).cut(length));
    }
    stage.breaks(&faults).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn f09_characters_that_are_split_pass_whether_the_route_validates_or_not(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    for route in [
        "validate_utf8 = true",
        "compression = \"off\"\nvalidate_utf8 = true",
        "validate_utf8 = false",
    ] {
        let mut stage = Stage::on(host, route).await;
        let (mut client, mut server) = stage.session().await;
        for text in TEXTS.map(str::as_bytes) {
            for at in 0..=text.len() {
                let frames = split(text, at);
                Stage::passes(&mut client, &mut server, &frames).await;
                Stage::passes(&mut server, &mut client, &frames).await;
            }
            let mut bytewise: Vec<_> = text
                .iter()
                .map(|byte| Frame::new(CONTINUATION, [*byte]))
                .collect();
            bytewise.insert(0, Frame::new(TEXT, ""));
            bytewise.push(Frame::new(FIN | CONTINUATION, ""));
            Stage::passes(&mut client, &mut server, &bytewise).await;
            Stage::passes(&mut server, &mut client, &bytewise).await;
            // And however the network cuts it.
            for byte in Frame::new(FIN | TEXT, text).masked() {
                client.send([byte]).await;
            }
            server.expect(Frame::new(FIN | TEXT, text)).await;
        }
        for bytes in NO_TEXT {
            let frames = [bits::PING, bits::PONG, BINARY].map(|kind| Frame::new(FIN | kind, bytes));
            Stage::passes(&mut client, &mut server, &frames).await;
            Stage::passes(&mut server, &mut client, &frames).await;
        }
        stage.parts(client, server).await;
        stage.stands().await;
    }
}

#[rstest]
#[tokio::test]
async fn f09_text_that_is_not_utf8_is_relayed_untouched_without_validation(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let (mut client, mut server) = stage.session().await;
    for text in NO_TEXT {
        let whole = [Frame::new(FIN | TEXT, text)];
        for frames in [&whole[..], &split(text, text.len() / 2)] {
            Stage::passes(&mut client, &mut server, frames).await;
            Stage::passes(&mut server, &mut client, frames).await;
        }
    }
    stage.parts(client, server).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn f11_close_frames_that_are_not_of_their_form(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let mut faults = Vec::new();
    let good = [Frame::text("good")];
    let begun = [Frame::new(BINARY, "begun")];
    let mut add = |word, what: &str, payload: &[u8]| {
        let fault = Fault::frame(word, what, &Frame::new(FIN | CLOSE, payload));
        faults.extend([fault.clone().behind(&good), fault.behind(&begun)]);
    };
    for half in [0x03, 0x00, 0xFF] {
        add("bad_close", "half a code", &[half]);
    }
    for code in [
        0_u16, 1, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2000, 2999, 5000, 32_767, 65_535,
    ] {
        for reason in ["", CANARY, &"x".repeat(123)] {
            let payload = Frame::close(code, reason).payload;
            add("bad_close", &code.to_string(), &payload);
        }
    }
    for text in NO_TEXT {
        let what = text.escape_ascii().to_string();
        let reason = [&1000_u16.to_be_bytes(), CANARY.as_bytes(), text].concat();
        add("bad_utf8", &what, &reason);
        // A code that must not travel is the first thing that is wrong with it.
        let reason = [&1005_u16.to_be_bytes(), text].concat();
        add("bad_close", &what, &reason);
    }
    for length in [124, 125, 200] {
        let payload = Frame::close(1000, &"x".repeat(length)).payload;
        add("bad_control", &length.to_string(), &payload);
    }
    stage.breaks(&faults).await;
    stage.stands().await;
}

/// Plays a close frame that one side sends, with more behind it, and another that answers it.
async fn part_with(stage: &mut Stage, from: Side, before: &[Frame], close: &Frame, answer: &Frame) {
    let (mut client, mut server) = stage.session().await;
    let (first, second) = match from {
        Side::Client => (&mut client, &mut server),
        Side::Upstream => (&mut server, &mut client),
    };
    Stage::passes(first, second, before).await;
    let behind = [
        close.clone(),
        Frame::text(CANARY),
        Frame::ping(CANARY),
        Frame::close(1001, CANARY),
        Frame::new(0xFF, CANARY),
    ];
    first.send_frames(&behind).await;
    second.expect(close.clone()).await;
    // The other side may still have something to say.
    let answer = [Frame::text("last words"), answer.clone()];
    second.send_frames(&answer).await;
    second.send_frames(&behind[1..]).await;
    for frame in answer {
        first.expect(frame).await;
    }
    client.expect_end().await;
    client.shut().await;
    server.shut().await;
    server.expect_end().await;
    let code = close.payload.first_chunk();
    stage.ends_by("closed", from, code.map(|code| u16::from_be_bytes(*code)));
}

#[rstest]
#[tokio::test]
async fn f11_close_frames_that_are_right_are_relayed_as_they_are_and_nothing_behind_them(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "").await;
    let special = [
        "\0\r\n\u{7f}\u{feff}",
        &format!("{}\u{20ac}", "r".repeat(120)),
    ];
    let mut farewells = vec![Frame::bare_close()];
    farewells.extend(special.map(|reason| Frame::close(4000, reason)));
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ] {
        for reason in ["", "\u{20AC}", &"x".repeat(123)] {
            farewells.push(Frame::close(code, reason));
        }
    }
    for (index, farewell) in farewells.iter().enumerate() {
        let answer = &farewells[(index * 7 + 3) % farewells.len()];
        for from in [Side::Client, Side::Upstream] {
            for before in [&[][..], &[Frame::new(TEXT, "begun")]] {
                part_with(&mut stage, from, before, farewell, answer).await;
            }
        }
    }
    stage.stands().await;
}

/// As many fragments as a message may have, whatever is in them.
const FRAGMENTS: usize = 65_536;

/// The beginning of a message in so many fragments of this size.
fn fragments(first: u8, count: usize, size: usize) -> Vec<Frame> {
    let mut frames = vec![Frame::new(CONTINUATION, vec![b'x'; size]); count];
    frames[0].first = first;
    frames
}

#[tokio::test]
async fn f13_a_message_in_endless_fragments() {
    let mut stage = Stage::set("").await;
    for (kind, size) in [(TEXT, 0), (BINARY, 0), (BINARY, 1), (BINARY, 14)] {
        let before = fragments(kind, FRAGMENTS, size);
        for first in [CONTINUATION, FIN | CONTINUATION] {
            let what = format!("fragments of {size}");
            let last = Frame::new(first, vec![b'x'; size]);
            let fault = Fault::frame("frag_limit", &what, &last).behind(&before);
            stage.breaks(&[fault]).await;
        }
    }
    stage.stands().await;
}

#[tokio::test]
async fn f13_the_same_where_text_is_held_until_it_is_whole() {
    let mut stage = Stage::set("validate_utf8 = true").await;
    for size in [0, 1] {
        let text = fragments(TEXT, FRAGMENTS + 1, size);
        let what = format!("fragments of {size}");
        stage
            .breaks(&[Fault::frames("frag_limit", &what, &text)])
            .await;
    }
    stage.stands().await;
}

#[tokio::test]
async fn f13_a_message_in_many_fragments_that_carry_something() {
    let mut stage = Stage::set("").await;
    let (mut client, mut server) = stage.session().await;
    for (count, size) in [(FRAGMENTS, 0), (FRAGMENTS, 1), (FRAGMENTS + 5000, 16)] {
        let mut message = fragments(BINARY, count, size);
        message[count - 1].first |= FIN;
        Stage::passes(&mut client, &mut server, &message).await;
        Stage::passes(&mut server, &mut client, &message).await;
    }
    stage.parts(client, server).await;
    stage.stands().await;
}

const LIMIT: usize = 1000;

/// A payload of nothing that was not sent before.
fn bytes(length: usize) -> Vec<u8> {
    CANARY.bytes().cycle().take(length).collect()
}

#[rstest]
#[tokio::test]
async fn f16_a_message_over_the_limit_in_one_frame_or_summed_over_fragments(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "limits.message_size = \"1000B\"").await;
    let mut faults = Vec::new();
    for length in [LIMIT + 1, LIMIT + 2, 65_536, 16 << 20] {
        for first in [FIN | TEXT, FIN | BINARY, BINARY] {
            let frame = Frame::new(first, bytes(length));
            let what = format!("{length} in one frame");
            // The header is enough: nothing of the payload has to come.
            let whole = frame.masked().len() - length;
            let header = Fault::bytes(
                "too_big",
                &what,
                &frame.masked()[..whole],
                &frame.plain()[..whole - 4],
            );
            faults.push(header.cut(whole));
            if length <= 65_536 {
                faults.push(Fault::frame("too_big", &what, &frame));
            }
        }
    }
    for sizes in [
        &[LIMIT, 1][..],
        &[1, LIMIT],
        &[0, LIMIT + 1],
        &[500, 501],
        &[400, 0, 600, 1],
        &[LIMIT, 0, 0, 65_536],
    ] {
        let (last, begun) = sizes.split_last().expect("sizes");
        let mut begun: Vec<_> = begun
            .iter()
            .map(|size| Frame::new(CONTINUATION, bytes(*size)))
            .collect();
        begun[0].first = TEXT;
        begun.insert(1, Frame::ping(&"x".repeat(125)));
        for first in [CONTINUATION, FIN | CONTINUATION] {
            let frame = Frame::new(first, bytes(*last));
            let header = frame.masked().len() - last;
            let what = format!("{sizes:?}");
            let whole = Fault::frame("too_big", &what, &frame);
            let head = Fault::bytes(
                "too_big",
                &what,
                &frame.masked()[..header],
                &frame.plain()[..header - 4],
            );
            faults.extend([whole.behind(&begun), head.cut(header).behind(&begun)]);
        }
    }
    stage.breaks(&faults).await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn f16_a_length_that_no_message_can_have(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    let mut stage = Stage::on(host, "limits.message_size = \"9223372036854775807B\"").await;
    // The most that a length can say, and then a byte more.
    let most = i64::MAX.to_be_bytes();
    let begun = [Frame::new(BINARY, "x")];
    let client = [&[CONTINUATION, 0xFF], &most[..], &[0; 4]].concat();
    let upstream = [&[CONTINUATION, 0x7F], &most[..]].concat();
    let fault = Fault::bytes("too_big", "a sum", client, upstream);
    stage
        .breaks(&[fault.clone().behind(&begun), fault.cut(14).behind(&begun)])
        .await;
    stage.stands().await;
}

#[rstest]
#[tokio::test]
async fn f16_messages_up_to_the_limit_pass_and_control_frames_do_not_count(
    #[values(Host::Program, Host::HyperService)] host: Host,
) {
    for route in ["", "validate_utf8 = true\n"] {
        let route = format!("{route}limits.message_size = \"1000B\"");
        let mut stage = Stage::on(host, &route).await;
        let (mut client, mut server) = stage.session().await;
        for sizes in [
            &[LIMIT - 1][..],
            &[LIMIT],
            &[LIMIT, 0],
            &[0, LIMIT],
            &[500, 500],
            &[1, 0, 998, 1],
        ] {
            let mut message: Vec<_> = sizes
                .iter()
                .map(|size| Frame::new(CONTINUATION, bytes(*size)))
                .collect();
            message[0].first = BINARY;
            message[sizes.len() - 1].first |= FIN;
            message.insert(1, Frame::ping(&"x".repeat(125)));
            Stage::passes(&mut client, &mut server, &message).await;
            Stage::passes(&mut server, &mut client, &message).await;
        }
        stage.parts(client, server).await;
        stage.stands().await;
    }
}
