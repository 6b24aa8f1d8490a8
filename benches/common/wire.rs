//! As much of RFC 6455 as a well-behaved end of a session needs.

/// The header of a frame (§5.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) opcode: u8,
    pub(crate) mask: Option<[u8; 4]>,
    /// The header's own length.
    pub(crate) length: usize,
    pub(crate) payload: usize,
}

pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A client's mask. That it is always the same makes no difference to anybody on the way.
pub(crate) const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

impl Header {
    /// The header at the front of these bytes, once it is whole.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else {
            return None;
        };
        let (payload, extended) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
            127 => (u64::from_be_bytes(*rest.first_chunk()?) as usize, 8),
            length => (usize::from(length), 0),
        };
        let mask = match second & 0x80 {
            0 => None,
            _ => Some(*rest[extended..].first_chunk()?),
        };
        Some(Self {
            opcode: first & 0x0f,
            mask,
            length: 2 + extended + mask.map_or(0, |mask| mask.len()),
            payload,
        })
    }

    /// Header and payload.
    pub(crate) fn frame(&self) -> usize {
        self.length + self.payload
    }
}

/// A final frame.
pub(crate) fn frame(opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    let bit = if mask.is_some() { 0x80 } else { 0 };
    match payload.len() {
        length @ 0..=125 => frame.push(bit | length as u8),
        length @ 126..=0xffff => {
            frame.push(bit | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(bit | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask.iter().flatten());
    let begin = frame.len();
    frame.extend_from_slice(payload);
    if let Some(key) = mask {
        apply(key, &mut frame[begin..]);
    }
    frame
}

/// A client's message of so many bytes.
pub(crate) fn message(size: usize) -> Vec<u8> {
    frame(BINARY, &vec![7; size], Some(MASK))
}

/// Masks or unmasks a whole payload (§5.3).
pub(crate) fn apply(key: [u8; 4], payload: &mut [u8]) {
    let [a, b, c, d] = key;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// What stands behind the head's empty line, once that has come.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    let end = b"\r\n\r\n";
    let at = bytes.windows(end.len()).position(|window| window == end)?;
    Some(at + end.len())
}
