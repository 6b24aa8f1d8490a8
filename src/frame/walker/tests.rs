use proptest::prelude::*;

use super::*;
use crate::close::CloseCode;

const KEY: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

fn walker(from: Side) -> Walker {
    Walker::new(FrameRules {
        from,
        deflate: false,
        message_size: 1 << 20,
    })
}

/// A frame with any first byte; lengths in their minimal form.
fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let bit = if masked { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        length @ 0..=125 => out.push(bit | length as u8),
        length @ 126..=65535 => {
            out.push(bit | 126);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(bit | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    if masked {
        out.extend(KEY);
    }
    out.extend(
        payload
            .iter()
            .enumerate()
            .map(|(i, b)| if masked { b ^ KEY[i % 4] } else { *b }),
    );
    out
}

fn from_client(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, true)
}

/// Walks the whole input; payload steps that touch are one.
fn walk(walker: &mut Walker, pieces: &[&[u8]]) -> Result<Vec<(Step, usize)>, Violation> {
    let (mut held, mut steps) = (Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        let mut at = 0;
        while at < held.len() {
            let (step, length) = walker.step(&held[at..])?;
            if step == Step::Incomplete {
                break;
            }
            at += length;
            match (steps.last_mut(), step) {
                (Some((Step::Payload, sum)), Step::Payload) => *sum += length,
                _ => steps.push((step, length)),
            }
        }
        held.drain(..at);
    }
    Ok(steps)
}

#[test]
fn a_masked_text_is_a_header_and_a_payload() {
    let mut walker = walker(Side::Client);
    let steps = walk(&mut walker, &[&from_client(0x81, b"hello")]).unwrap();
    let data = DataFrame {
        first: true,
        last: true,
        kind: DataKind::Text,
        compressed: false,
        payload: 5,
    };
    assert_eq!(steps, [(Step::Data(data), 6), (Step::Payload, 5)]);
    assert!(!walker.in_frame() && !walker.in_message());
}

#[test]
fn a_control_frame_may_stand_between_fragments() {
    let input = [
        from_client(0x01, b"he"),
        from_client(0x8A, b"pong"),
        from_client(0x80, b"llo"),
    ]
    .concat();
    let mut walker = walker(Side::Client);
    let steps = walk(&mut walker, &[&input]).unwrap();
    assert_eq!(steps.len(), 5);
    let Step::Control(Control::Pong(payload)) = steps[2].0 else {
        panic!("{:?}", steps[2]);
    };
    assert_eq!(payload.as_slice(), b"pong");
    assert!(!walker.in_message());
}

#[test]
fn a_close_frame_tells_its_code() {
    let close = |payload: &[u8]| {
        let steps = walk(&mut walker(Side::Client), &[&from_client(0x88, payload)])?;
        let (Step::Control(Control::Close(code)), _) = steps[0] else {
            panic!("{steps:?}");
        };
        Ok(code.map(CloseCode::get))
    };
    assert_eq!(close(b""), Ok(None));
    assert_eq!(close(b"\x03\xE8bye"), Ok(Some(1000)));
    assert_eq!(close(b"\x0F\xA1"), Ok(Some(4001)));
    assert_eq!(close(b"\x03"), Err(Violation::Close));
    assert_eq!(close(b"\x03\xE8\xFF"), Err(Violation::CloseText));
    for illegal in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        assert_eq!(
            close(&illegal.to_be_bytes()),
            Err(Violation::Close),
            "{illegal}"
        );
    }
}

#[test]
fn each_broken_rule_is_named() {
    use Violation::*;
    let minimal16 = [0x82, 0x80 | 126, 0, 125, 1, 2, 3, 4];
    let minimal64 = [0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 1, 2, 3, 4];
    let top_bit = [0x82, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    let big = [0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0x10, 0, 1, 1, 2, 3, 4];
    let cases: Vec<(Vec<u8>, Violation)> = vec![
        (frame(0x81, b"x", false), Mask),
        (from_client(0xC1, b"x"), ReservedBitOrOpcode),
        (from_client(0xA1, b"x"), ReservedBitOrOpcode),
        (from_client(0x91, b"x"), ReservedBitOrOpcode),
        (from_client(0xC9, b"x"), ReservedBitOrOpcode),
        (from_client(0x83, b"x"), ReservedBitOrOpcode),
        (from_client(0x8B, b""), ReservedBitOrOpcode),
        (from_client(0x8F, b""), ReservedBitOrOpcode),
        (minimal16.to_vec(), Length),
        (minimal64.to_vec(), Length),
        (top_bit.to_vec(), Length),
        (from_client(0x89, &[0; 126]), Control),
        (from_client(0x09, b"x"), Control),
        (from_client(0x80, b"x"), Continuation),
        (
            [from_client(0x01, b"a"), from_client(0x81, b"b")].concat(),
            Continuation,
        ),
        (big.to_vec(), TooBig),
    ];
    for (input, violation) in cases {
        let mut walker = walker(Side::Client);
        assert_eq!(walk(&mut walker, &[&input]), Err(violation), "{input:x?}");
    }
    let masked = from_client(0x81, b"x");
    assert_eq!(walk(&mut walker(Side::Upstream), &[&masked]), Err(Mask));
}

#[test]
fn a_bad_header_is_refused_before_it_is_whole() {
    assert_eq!(
        walker(Side::Client).step(&[0x83, 0xFF]),
        Err(Violation::ReservedBitOrOpcode)
    );
    assert_eq!(
        walker(Side::Client).step(&[0x81, 0x7F]),
        Err(Violation::Mask)
    );
}

#[test]
fn fragments_are_summed_before_the_size_is_judged() {
    let mut walker = Walker::new(FrameRules {
        from: Side::Client,
        deflate: false,
        message_size: 10,
    });
    let exact = [from_client(0x02, &[0; 6]), from_client(0x80, &[0; 4])].concat();
    assert!(walk(&mut walker, &[&exact]).is_ok());
    let over = [from_client(0x02, &[0; 6]), from_client(0x80, &[0; 5])].concat();
    assert_eq!(walk(&mut walker, &[&over]), Err(Violation::TooBig));
}

#[test]
fn rsv1_is_legal_on_the_first_frame_of_a_message_where_deflate_was_agreed() {
    let rules = FrameRules {
        from: Side::Client,
        deflate: true,
        message_size: 100,
    };
    let input = [from_client(0x41, b"a"), from_client(0x80, b"b")].concat();
    let steps = walk(&mut Walker::new(rules), &[&input]).unwrap();
    assert!(matches!(
        steps[0].0,
        Step::Data(DataFrame {
            compressed: true,
            ..
        })
    ));
    let late = [from_client(0x01, b"a"), from_client(0xC0, b"b")].concat();
    let violation = walk(&mut Walker::new(rules), &[&late]);
    assert_eq!(violation, Err(Violation::ReservedBitOrOpcode));
}

/// Any legal stream of frames.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let payload = proptest::collection::vec(any::<u8>(), 0..200);
    let control = (prop_oneof![Just(0x89u8), Just(0x8A)], payload.clone())
        .prop_map(|(first, payload)| from_client(first, &payload[..payload.len().min(125)]));
    let message = proptest::collection::vec((payload, proptest::option::of(control)), 1..4)
        .prop_map(|fragments| {
            let last = fragments.len() - 1;
            let mut out = Vec::new();
            for (index, (payload, control)) in fragments.into_iter().enumerate() {
                let fin = if index == last { 0x80 } else { 0 };
                let opcode = if index == 0 { 0x2 } else { 0x0 };
                out.extend(from_client(fin | opcode, &payload));
                out.extend(control.unwrap_or_default());
            }
            out
        });
    proptest::collection::vec(message, 1..4).prop_map(|messages| messages.concat())
}

proptest! {
    #[test]
    fn a_stream_fed_in_any_two_pieces_means_the_same_as_whole(input in stream()) {
        let whole = walk(&mut walker(Side::Client), &[&input]).unwrap();
        let taken: usize = whole.iter().map(|(_, length)| length).sum();
        prop_assert_eq!(taken, input.len());
        for cut in 0..=input.len() {
            let pieces = [&input[..cut], &input[cut..]];
            prop_assert_eq!(&walk(&mut walker(Side::Client), &pieces).unwrap(), &whole);
        }
    }

    #[test]
    fn a_stream_fed_byte_by_byte_means_the_same_as_whole(input in stream()) {
        let whole = walk(&mut walker(Side::Client), &[&input]);
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        prop_assert_eq!(walk(&mut walker(Side::Client), &bytes), whole);
    }

    #[test]
    fn any_bytes_at_all_are_walked_without_a_panic(
        input in proptest::collection::vec(any::<u8>(), 0..300)
    ) {
        let mut walker = walker(Side::Client);
        let mut at = 0;
        while let Ok((step, length)) = walker.step(&input[at..]) {
            if step == Step::Incomplete || length == 0 {
                break;
            }
            at += length;
        }
    }
}
