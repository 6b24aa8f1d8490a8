//! Streams of frames made at random, most of them right, run through the same checks as the seeds:
//! bytes made at random hardly ever get as far as a second frame.

use proptest::prelude::*;

use super::{direction, frame_walker};

/// A frame, with a slip here and there.
fn frame(from_client: bool) -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        6 => prop::sample::select(vec![0x01, 0x02, 0x00, 0x80, 0x81, 0x82]),
        3 => prop::sample::select(vec![0x89, 0x8A, 0x41, 0xC2]),
        1 => any::<u8>(),
    ];
    let text = prop_oneof![Just("né"), Just("€"), Just("😀"), Just("plain")];
    let payload = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..8),
        4 => (text, 0usize..4).prop_map(|(text, cut)| {
            text.as_bytes()[cut.min(text.len())..].to_vec()
        }),
        1 => prop::collection::vec(any::<u8>(), 120..130),
        1 => prop::collection::vec(Just(b'a'), 250..350),
    ];
    let close = (900u16..5100, payload.clone()).prop_map(|(code, reason)| {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(&reason);
        (0x88, payload)
    });
    let frame = prop_oneof![12 => (first, payload), 1 => close];
    let masked = prop::bool::weighted(if from_client { 0.99 } else { 0.01 });
    (frame, any::<[u8; 4]>(), masked, 0u8..30).prop_map(|((first, payload), key, masked, form)| {
        let bit = if masked { 0x80 } else { 0 };
        let length = payload.len();
        let mut frame = vec![first];
        match (length, form) {
            // More bytes than the length needs.
            (_, 0) => {
                frame.push(bit | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
            (126.., _) | (_, 1) => {
                frame.push(bit | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            (0..=125, _) => frame.push(bit | length as u8),
        }
        let key = if masked { &key[..] } else { &[] };
        frame.extend_from_slice(key);
        let key = key
            .iter()
            .copied()
            .chain([0; 4].into_iter().skip(key.len()));
        let key = key.collect::<Vec<_>>();
        frame.extend(
            payload
                .iter()
                .zip(key.iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
        frame
    })
}

/// An input of the targets: the ways, the size, the cuts and a stream.
fn input() -> impl Strategy<Value = Vec<u8>> {
    (0u8..32, any::<u8>(), any::<u8>()).prop_flat_map(|(ways, size, cuts)| {
        let frames = prop::collection::vec(frame(ways & 1 == 0), 0..8);
        (frames, 0usize..20).prop_map(move |(frames, cut)| {
            let mut stream = frames.concat();
            // Some end in the middle of a frame.
            stream.truncate(stream.len().saturating_sub(cut.saturating_sub(10)));
            [&[ways, size, cuts][..], &stream].concat()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn streams_in_any_pieces_say_what_they_say_whole(input in input()) {
        frame_walker(&input);
    }

    #[test]
    fn what_is_passed_on_is_what_the_rules_leave_of_a_stream(input in input()) {
        direction(&input);
    }
}
