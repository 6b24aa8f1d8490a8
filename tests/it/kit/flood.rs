//! Floods of numbered frames, and how much of one is on its way while a peer takes nothing.

use std::cell::Cell;
use std::fs;

use super::{Frame, Wire};

/// The payload of each frame of a flood.
pub(crate) const SIZE: usize = 64 * 1024;

/// The frame of a flood that has this number.
pub(crate) fn numbered(number: usize) -> Frame {
    Frame::binary(vec![number as u8; SIZE])
}

/// Sends numbered frames until the gate hangs up or `enough` says so, and counts them.
pub(crate) async fn flood(wire: &mut Wire, sent: &Cell<usize>, enough: &Cell<bool>) {
    while !enough.get() {
        let frame = wire.encode(&numbered(sent.get()));
        if !wire.try_send(&frame).await {
            return;
        }
        sent.set(sent.get() + 1);
    }
}

/// The same without an end, but that the gate hangs up.
pub(crate) async fn flood_on(wire: &mut Wire, sent: &Cell<usize>) {
    flood(wire, sent, &Cell::new(false)).await;
}

/// Checks that so many bytes are no more than what may be on its way between two peers of whom
/// one takes nothing: what the kernel keeps for two connections, and a read of the gate's.
#[track_caller]
pub(crate) fn is_held_back(sent: usize) {
    /// A read of the gate's, and what the kernel reckons beside the bytes themselves.
    const BESIDE: usize = 2 << 20;
    let most = 2 * kernel_keeps() + BESIDE;
    assert!(sent < most, "{sent} of {most}");
}

/// The most bytes that the kernel keeps between the two ends of one connection.
fn kernel_keeps() -> usize {
    let most = |path: &str| {
        let sizes = fs::read_to_string(path).ok();
        let last = sizes.and_then(|sizes| sizes.split_whitespace().next_back()?.parse().ok());
        // Where it is not to be read, what is usual.
        last.unwrap_or(8 << 20)
    };
    most("/proc/sys/net/ipv4/tcp_wmem") + most("/proc/sys/net/ipv4/tcp_rmem")
}

/// How a stream of numbered frames ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// In the middle of a frame.
    InsideFrame,
    /// Between two frames.
    AtBoundary,
    /// Between two frames, and behind them came the close frame, or its beginning.
    Closed { whole: bool },
}

/// Checks that these bytes are the beginning of a flood and nothing else, but for this close frame
/// where the flood ended between two frames: how many frames were whole, and the end.
#[track_caller]
pub(crate) fn arrived(
    bytes: &[u8],
    encode: fn(&Frame) -> Vec<u8>,
    farewell: &Frame,
) -> (usize, Ended) {
    let mut rest = bytes;
    for number in 0.. {
        let next = encode(&numbered(number));
        if let Some(behind) = rest.strip_prefix(&*next) {
            rest = behind;
            continue;
        }
        let ended = match rest {
            [] => Ended::AtBoundary,
            rest if next.starts_with(rest) => Ended::InsideFrame,
            rest => match Frame::read(rest) {
                Some((frame, _, taken)) if taken == rest.len() && frame == *farewell => {
                    Ended::Closed { whole: true }
                }
                // Of a mask that was chosen at random only the header can be told beforehand.
                None if is_begun(farewell, encode, rest) => Ended::Closed { whole: false },
                unknown => panic!("behind {number} frames: {unknown:?}"),
            },
        };
        return (number, ended);
    }
    unreachable!("a flood without end")
}

fn is_begun(frame: &Frame, encode: fn(&Frame) -> Vec<u8>, bytes: &[u8]) -> bool {
    let header = &encode(frame)[..2];
    header.starts_with(&bytes[..bytes.len().min(header.len())])
}
