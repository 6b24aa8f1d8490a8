//! A stream of frames in any pieces: the walker against a plain reading of the RFC.

use super::frames::{Chosen, Meaning, read};
use crate::frame::{Control, DataKind, Step, Violation, Walker, unmask};

/// What a peer sends after the handshake; the way is read by [`Chosen::split`].
pub fn frame_walker(data: &[u8]) {
    let Some(chosen) = Chosen::split(data) else {
        return;
    };
    let expected = expected(&chosen);
    let walk = |pieces: &[&[u8]]| walk(Walker::new(chosen.rules), pieces);
    assert_eq!(walk(&[chosen.stream]), expected, "whole");
    assert_eq!(walk(&chosen.pieces()), expected, "in pieces");
    let bytes: Vec<&[u8]> = chosen.stream.chunks(1).collect();
    assert_eq!(walk(&bytes), expected, "byte by byte");
    if chosen.stream.len() <= SHORT {
        for cut in 1..chosen.stream.len() {
            let (before, behind) = chosen.stream.split_at(cut);
            assert_eq!(walk(&[before, behind]), expected, "cut at {cut}");
        }
    }
}

/// A stream that is cut at every place.
const SHORT: usize = 48;

/// What a stream was found to say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    /// Where each begins in the stream, and how long it is; payload that touches is one.
    spans: Vec<(usize, usize, Kind)>,
    /// The payloads of data frames, without their masks.
    plain: Vec<u8>,
    violation: Option<Violation>,
    /// The stream ends inside a data frame, and inside a message.
    inside: Option<(bool, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Header {
        first: bool,
        last: bool,
        text: bool,
        compressed: bool,
        announced: u64,
    },
    Payload,
    Ping,
    Pong(Vec<u8>),
    Close(Option<u16>),
}

fn walk(mut walker: Walker, pieces: &[&[u8]]) -> Said {
    let mut said = Said::default();
    let (mut held, mut taken) = (Vec::new(), 0);
    for piece in pieces {
        held.extend_from_slice(piece);
        let mut at = 0;
        while at < held.len() {
            let mut mask = walker.mask();
            let (step, length) = match walker.step(&held[at..]) {
                Ok((Step::Incomplete, length)) => {
                    assert_eq!(length, 0);
                    break;
                }
                Ok(step) => step,
                Err(violation) => {
                    said.violation = Some(violation);
                    return said;
                }
            };
            assert!(length > 0 && at + length <= held.len());
            if step == Step::Payload {
                unmask(&held[at..at + length], mask.as_mut(), &mut said.plain);
            }
            said.push(taken, length, kind(step));
            at += length;
            taken += length;
        }
        held.drain(..at);
        // What the session may have to hold back: a control frame with its mask, less a byte.
        assert!(held.len() < 2 + 4 + 125, "{} bytes are held", held.len());
    }
    said.inside = Some((walker.in_frame(), walker.in_message()));
    assert_eq!(walker.in_frame(), walker.remaining() > 0);
    said
}

impl Said {
    fn push(&mut self, start: usize, length: usize, kind: Kind) {
        match (self.spans.last_mut(), &kind) {
            (Some((_, sum, Kind::Payload)), Kind::Payload) => *sum += length,
            _ => self.spans.push((start, length, kind)),
        }
    }
}

fn kind(step: Step) -> Kind {
    match step {
        Step::Incomplete => panic!("it has no length"),
        Step::Data(frame) => Kind::Header {
            first: frame.first,
            last: frame.last,
            text: frame.kind == DataKind::Text,
            compressed: frame.compressed,
            announced: frame.payload,
        },
        Step::Payload => Kind::Payload,
        Step::Control(Control::Ping) => Kind::Ping,
        Step::Control(Control::Pong(payload)) => Kind::Pong(payload.as_slice().to_vec()),
        Step::Control(Control::Close(code)) => Kind::Close(code.map(|code| code.get())),
    }
}

fn expected(chosen: &Chosen<'_>) -> Said {
    let reading = read(chosen.stream, &chosen.rules);
    let mut said = Said {
        violation: reading.violation,
        ..Said::default()
    };
    let (mut in_frame, mut in_message) = (false, false);
    for frame in reading.frames {
        let size = frame.end - frame.start;
        let header = frame.payload - frame.start;
        match frame.meaning {
            Meaning::Data {
                first,
                last,
                text,
                compressed,
                announced,
            } => {
                let kind = Kind::Header {
                    first,
                    last,
                    text,
                    compressed,
                    announced,
                };
                said.push(frame.start, header, kind);
                if size > header {
                    said.push(frame.payload, size - header, Kind::Payload);
                }
                said.plain.extend_from_slice(&frame.plain);
                in_frame = !frame.whole;
                in_message = !last || in_frame;
            }
            Meaning::Ping => said.push(frame.start, size, Kind::Ping),
            Meaning::Pong => said.push(frame.start, size, Kind::Pong(frame.plain)),
            Meaning::Close(code) => said.push(frame.start, size, Kind::Close(code)),
        }
    }
    if said.violation.is_none() {
        said.inside = Some((in_frame, in_message));
    }
    said
}
