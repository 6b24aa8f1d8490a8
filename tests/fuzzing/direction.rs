//! One direction of a session: what it passes on of a stream, however the stream is cut.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::frames::{Chosen, Frame, Meaning, read};
use crate::close::CloseReason;
use crate::config::{OnExceed, Rate};
use crate::frame::Violation;
use crate::limit::Limit;
use crate::session::{Meter, OneWay, OneWayEnd};
use crate::types::Side;

/// What a peer sends after the handshake.
///
/// Ways, beside those of [`Chosen::split`]: 2 text is validated, 3 messages are limited to
/// [`BURST`], and dropped beyond or the session ended, 4 a ping of our own is answered.
pub fn direction(data: &[u8]) {
    let Some(mut chosen) = Chosen::split(data) else {
        return;
    };
    // The settings do not let both of them.
    chosen.rules.deflate &= !chosen.ways.has(2);
    for pieces in [vec![chosen.stream], chosen.pieces()] {
        run(&chosen, &pieces);
    }
}

/// How many messages pass on a route that limits them, as its next one takes an hour.
const BURST: u64 = 3;

fn run(chosen: &Chosen<'_>, pieces: &[&[u8]]) {
    let ways = chosen.ways;
    let meter = ways.has(3).then(|| meter(on_exceed(chosen)));
    let mut way = OneWay::new(chosen.rules, ways.has(2), meter.flatten());
    let asked = if ways.has(4) { way.ping() } else { None };
    // Only the first of two equal pongs is the answer.
    let pong = asked.map_or_else(Vec::new, |payload| {
        pong(&payload, chosen.rules.from).repeat(2)
    });
    let stream = [&pong[..], chosen.stream].concat();
    let expected = expected(chosen, &stream, pong.len() / 2);

    let (mut passed, mut end) = (Vec::new(), None);
    for piece in std::iter::once(&&pong[..]).chain(pieces) {
        let mut buffer = piece.to_vec();
        let fed = way.feed(&mut buffer);
        if let Some(boundary) = fed.boundary {
            let boundary = passed.len() + boundary;
            assert!(
                expected.boundaries.contains(&boundary),
                "a frame of ours would go into another, at {boundary} of {:?}",
                expected.boundaries
            );
        }
        passed.extend_from_slice(&fed.passed);
        end = fed.end;
        if end.is_some() {
            break;
        }
    }
    assert_eq!(passed, expected.passed);
    assert_eq!(end, expected.end);
}

fn on_exceed(chosen: &Chosen<'_>) -> OnExceed {
    match chosen.spare & 1 {
        0 => OnExceed::Drop,
        _ => OnExceed::Close,
    }
}

fn meter(on_exceed: OnExceed) -> Option<Meter> {
    let limit = Limit::new(Rate {
        count: 1,
        per: Duration::from_secs(3600),
        burst: BURST,
    });
    Meter::new(
        [Some(Arc::new(limit)), None],
        None,
        [None, None],
        on_exceed,
        &Arc::default(),
    )
}

fn pong(payload: &[u8; 8], from: Side) -> Vec<u8> {
    let head: &[u8] = match from {
        Side::Client => &[0x8A, 0x88, 0, 0, 0, 0],
        Side::Upstream => &[0x8A, 0x08],
    };
    [head, payload].concat()
}

/// What is to be passed on.
#[derive(Default)]
struct Expected {
    passed: Vec<u8>,
    /// Where in that no frame is open.
    boundaries: BTreeSet<usize>,
    end: Option<OneWayEnd>,
}

fn expected(chosen: &Chosen<'_>, stream: &[u8], answer: usize) -> Expected {
    let reading = read(stream, &chosen.rules);
    let mut expected = Expected::default();
    expected.boundaries.insert(0);
    let mut messages = Messages {
        left: if chosen.ways.has(3) { BURST } else { u64::MAX },
        ..Messages::default()
    };
    for frame in &reading.frames {
        let wire = &stream[frame.start..frame.end];
        match &frame.meaning {
            Meaning::Pong if frame.start < answer => {}
            Meaning::Ping | Meaning::Pong => expected.pass(wire),
            Meaning::Close(code) => {
                expected.pass(wire);
                expected.end = Some(OneWayEnd::Closed(*code));
            }
            Meaning::Data { .. } => messages.take(frame, wire, chosen, &mut expected),
        }
        if expected.end.is_some() {
            return expected;
        }
    }
    let refused = |violation| OneWayEnd::Refused(reason(violation, chosen.rules.from));
    expected.end = reading.violation.map(refused);
    expected
}

impl Expected {
    fn pass(&mut self, wire: &[u8]) {
        self.passed.extend_from_slice(wire);
        self.boundaries.insert(self.passed.len());
    }
}

/// The messages of a stream, one after the other.
#[derive(Default)]
struct Messages {
    left: u64,
    dropping: bool,
    /// The frames of a text that is not whole, and what they say.
    collected: Vec<u8>,
    text: Vec<u8>,
}

impl Messages {
    fn take(&mut self, frame: &Frame, wire: &[u8], chosen: &Chosen<'_>, expected: &mut Expected) {
        let Meaning::Data {
            first,
            last,
            text,
            compressed,
            announced,
        } = frame.meaning
        else {
            return;
        };
        // A small fragment inside a message costs what a message does.
        let costs = first || !last && announced < 126;
        if costs && !self.dropping {
            if let Some(left) = self.left.checked_sub(1) {
                self.left = left;
            } else if first && !compressed && on_exceed(chosen) == OnExceed::Drop {
                self.dropping = true;
            } else {
                expected.end = Some(OneWayEnd::Refused(CloseReason::MessageRate));
                return;
            }
        }
        if self.dropping {
            self.dropping = !(last && frame.whole);
        } else if text && chosen.ways.has(2) {
            self.collect(frame, wire, last, chosen, expected);
        } else {
            expected.passed.extend_from_slice(wire);
            if frame.whole {
                expected.boundaries.insert(expected.passed.len());
            }
        }
    }

    fn collect(
        &mut self,
        frame: &Frame,
        wire: &[u8],
        last: bool,
        chosen: &Chosen<'_>,
        expected: &mut Expected,
    ) {
        self.collected.extend_from_slice(wire);
        self.text.extend_from_slice(&frame.plain);
        let ends = last && frame.whole;
        let valid = match std::str::from_utf8(&self.text) {
            Ok(_) => true,
            Err(error) => error.error_len().is_none() && !ends,
        };
        if !valid {
            let reason = reason(Violation::CloseText, chosen.rules.from);
            expected.end = Some(OneWayEnd::Refused(reason));
        } else if ends {
            expected.pass(&std::mem::take(&mut self.collected));
            self.text.clear();
        }
    }
}

fn reason(violation: Violation, from: Side) -> CloseReason {
    match (violation, from) {
        (Violation::TooBig, Side::Client) => CloseReason::ClientMessageTooBig,
        (Violation::TooBig, Side::Upstream) => CloseReason::UpstreamMessageTooBig,
        (Violation::Fragments, Side::Client) => CloseReason::ClientFragments,
        (Violation::Fragments, Side::Upstream) => CloseReason::UpstreamFragments,
        (Violation::CloseText, Side::Client) => CloseReason::ClientInvalidText,
        (Violation::CloseText, Side::Upstream) => CloseReason::UpstreamInvalidText,
        (other, Side::Client) => CloseReason::ClientProtocol(other.as_str()),
        (other, Side::Upstream) => CloseReason::UpstreamProtocol(other.as_str()),
    }
}
