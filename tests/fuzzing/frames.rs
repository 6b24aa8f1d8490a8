//! Frames read by RFC 6455 §5 in the plainest way: all of a stream at once, nothing remembered
//! but what has been read.

use crate::frame::{FrameRules, Violation};
use crate::types::Side;

/// A frame, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) start: usize,
    /// Where its payload begins, and where what has come of it ends.
    pub(super) payload: usize,
    pub(super) end: usize,
    /// All of it has come.
    pub(super) whole: bool,
    pub(super) meaning: Meaning,
    /// What has come of the payload, without its mask.
    pub(super) plain: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Data {
        first: bool,
        last: bool,
        text: bool,
        compressed: bool,
        announced: u64,
    },
    Ping,
    Pong,
    Close(Option<u16>),
}

/// What a stream says up to its end, or to where it breaks a rule.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) frames: Vec<Frame>,
    pub(super) violation: Option<Violation>,
}

/// A message that has begun and not ended.
#[derive(Clone, Copy)]
struct Message {
    text: bool,
    compressed: bool,
    size: u64,
}

pub(super) fn read(stream: &[u8], rules: &FrameRules) -> Reading {
    let mut frames: Vec<Frame> = Vec::new();
    let mut message = None;
    let mut violation = None;
    loop {
        let start = frames.last().map_or(0, |frame| frame.end);
        if frames.last().is_some_and(|frame| !frame.whole) {
            break;
        }
        match read_frame(stream, start, rules, &mut message) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => break,
            Err(found) => {
                violation = Some(found);
                break;
            }
        }
    }
    Reading { frames, violation }
}

fn read_frame(
    stream: &[u8],
    start: usize,
    rules: &FrameRules,
    message: &mut Option<Message>,
) -> Result<Option<Frame>, Violation> {
    let at = |index: usize| stream.get(start + index).copied();
    let (Some(first), Some(second)) = (at(0), at(1)) else {
        return Ok(None);
    };
    let opcode = first & 0x0F;
    let fin = first & 0x80 != 0;
    let rsv1 = first & 0x40 != 0;
    let is_control = opcode >= 8;
    if !matches!(opcode, 0 | 1 | 2 | 8 | 9 | 10) || first & 0x30 != 0 || rsv1 && is_control {
        return Err(Violation::ReservedBitOrOpcode);
    }
    let masked = second & 0x80 != 0;
    if masked != matches!(rules.from, Side::Client) {
        return Err(Violation::Mask);
    }
    let short = second & 0x7F;
    if is_control && (!fin || short > 125) {
        return Err(Violation::Control);
    }
    let extended = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some(bytes) = stream.get(start + 2..start + 2 + extended) else {
        return Ok(None);
    };
    let long = bytes
        .iter()
        .fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
    let announced = if extended == 0 { short.into() } else { long };
    let needed = match announced {
        0..=125 => 0,
        126..=65535 => 2,
        _ => 8,
    };
    if extended != needed || announced > i64::MAX as u64 {
        return Err(Violation::Length);
    }
    let payload = start + 2 + extended + if masked { 4 } else { 0 };
    if payload > stream.len() {
        return Ok(None);
    }
    let key = if masked {
        &stream[payload - 4..payload]
    } else {
        &[0; 4]
    };
    let come = u64::try_from(stream.len() - payload)
        .unwrap()
        .min(announced);
    let end = payload + usize::try_from(come).unwrap();
    let whole = come == announced;
    let plain: Vec<u8> = stream[payload..end]
        .iter()
        .enumerate()
        .map(|(index, byte)| byte ^ key[index % 4])
        .collect();
    if is_control && !whole {
        return Ok(None);
    }
    let meaning = match opcode {
        8 => Meaning::Close(read_close(&plain)?),
        9 => Meaning::Ping,
        10 => Meaning::Pong,
        _ => read_data(opcode, fin, rsv1, announced, rules, message)?,
    };
    Ok(Some(Frame {
        start,
        payload,
        end,
        whole,
        meaning,
        plain,
    }))
}

fn read_data(
    opcode: u8,
    last: bool,
    rsv1: bool,
    announced: u64,
    rules: &FrameRules,
    message: &mut Option<Message>,
) -> Result<Meaning, Violation> {
    let first = opcode != 0;
    if rsv1 && !(rules.deflate && first) {
        return Err(Violation::ReservedBitOrOpcode);
    }
    let before = message.take();
    if first != before.is_none() {
        return Err(Violation::Continuation);
    }
    let mut now = before.unwrap_or(Message {
        text: opcode == 1,
        compressed: rsv1,
        size: 0,
    });
    now.size += announced;
    if now.size > rules.message_size {
        return Err(Violation::TooBig);
    }
    if !last {
        *message = Some(now);
    }
    Ok(Meaning::Data {
        first,
        last,
        text: now.text,
        compressed: now.compressed,
        announced,
    })
}

fn read_close(plain: &[u8]) -> Result<Option<u16>, Violation> {
    let Some((code, reason)) = plain.split_first_chunk() else {
        return match plain {
            [] => Ok(None),
            _ => Err(Violation::Close),
        };
    };
    let code = u16::from_be_bytes(*code);
    let legal = match code {
        1000..=2999 => [
            1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
        ]
        .contains(&code),
        3000..=4999 => true,
        _ => false,
    };
    if !legal {
        return Err(Violation::Close);
    }
    if String::from_utf8(reason.to_vec()).is_err() {
        return Err(Violation::CloseText);
    }
    Ok(Some(code))
}

/// The rules that an input chooses, and how its stream is cut; what follows is the stream.
pub(super) struct Chosen<'a> {
    pub(super) ways: super::Ways,
    pub(super) rules: FrameRules,
    pub(super) cuts: u8,
    /// What the size leaves of its byte.
    pub(super) spare: u8,
    pub(super) stream: &'a [u8],
}

impl<'a> Chosen<'a> {
    /// Ways: 0 from the upstream, 1 permessage-deflate was agreed. Then a byte for the size of a
    /// message, and one for the cuts.
    pub(super) fn split(data: &'a [u8]) -> Option<Self> {
        let (ways, rest) = super::Ways::split(data)?;
        let (&[size, cuts], stream) = rest.split_first_chunk()?;
        let sizes = [0, 1, 16, 125, 126, 300, 65_535, 1 << 40];
        let from = if ways.has(0) {
            Side::Upstream
        } else {
            Side::Client
        };
        Some(Self {
            ways,
            rules: FrameRules {
                from,
                deflate: ways.has(1),
                message_size: sizes[usize::from(size & 7)],
            },
            cuts,
            spare: size >> 3,
            stream,
        })
    }

    /// The stream in pieces of sizes that the input chose.
    pub(super) fn pieces(&self) -> Vec<&'a [u8]> {
        let sizes = [1, 2, 3, 5, 7, 14, 31, 64, 127, 300];
        let (mut rest, mut turn) = (self.stream, usize::from(self.cuts));
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let size = sizes[turn % sizes.len()].min(rest.len());
            let (piece, behind) = rest.split_at(size);
            pieces.push(piece);
            rest = behind;
            turn = turn * 5 + 3 + usize::from(self.cuts >> 4);
            turn %= 1 << 16;
        }
        pieces
    }
}
