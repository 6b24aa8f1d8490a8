//! The bytes of HTTP/2 around one head (RFC 9113, RFC 7541), with nothing compressed.

/// A line of a head, as it is put on the wire: pseudo-headers are lines like the others.
pub(super) type Field = (Vec<u8>, Vec<u8>);

/// The lines of a text, one a field: `:path: /ws/` and the like. A line that begins with a space belongs to the value
/// before it, break included.
pub(super) fn fields(text: &[u8]) -> Vec<Field> {
    let mut fields = Vec::<Field>::new();
    for line in text.split(|&byte| byte == b'\n') {
        match (line, fields.last_mut()) {
            ([b' ', ..], Some((_, value))) => {
                value.push(b'\n');
                value.extend_from_slice(line);
            }
            ([], _) => {}
            (line, _) => {
                let behind = line[1..].iter().position(|&byte| byte == b':');
                let (name, value) = line.split_at(behind.map_or(line.len(), |at| at + 1));
                let value = value.strip_prefix(b":").unwrap_or(value);
                let value = value.strip_prefix(b" ").unwrap_or(value);
                fields.push((name.to_vec(), value.to_vec()));
            }
        }
    }
    fields
}

/// All that a client sends on a connection for one request.
///
/// `is_split` puts the second half of the head into a frame of its own, `ends` ends the stream with it.
pub(super) fn connection(fields: &[Field], is_split: bool, ends: bool) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        // A literal that is not to be indexed, with a new name (RFC 7541 §6.2.2).
        block.push(0);
        text(&mut block, name);
        text(&mut block, value);
    }
    let mut said = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut said, SETTINGS, 0, 0, &[]);
    let length = match is_split {
        true => block.len() / 2,
        false => block.len(),
    };
    let (first, second) = block.split_at(length.min(LARGEST));
    let mut pieces = second.chunks(LARGEST).peekable();
    let last = |is_last: bool| if is_last { END_HEADERS } else { 0 };
    let stream_ends = if ends { END_STREAM } else { 0 };
    let flags = stream_ends | last(pieces.peek().is_none());
    frame(&mut said, HEADERS, flags, 1, first);
    while let Some(piece) = pieces.next() {
        let flags = last(pieces.peek().is_none());
        frame(&mut said, CONTINUATION, flags, 1, piece);
    }
    said
}

/// The types of the frames in these bytes, which are whole.
pub(super) fn frames(mut bytes: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [high, middle, low, kind, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        types.push(*kind);
        bytes = rest.get(5 + length..).expect("whole frames");
    }
    assert!(bytes.is_empty(), "half a frame");
    types
}

pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const GOAWAY: u8 = 7;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The largest payload that every receiver takes (RFC 9113 §4.2).
const LARGEST: usize = 16 * 1024;

fn frame(said: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("a small frame");
    said.extend_from_slice(&length.to_be_bytes()[1..]);
    said.extend_from_slice(&[kind, flags]);
    said.extend_from_slice(&stream.to_be_bytes());
    said.extend_from_slice(payload);
}

/// A string without Huffman's code (RFC 7541 §5.1, §5.2).
fn text(block: &mut Vec<u8>, text: &[u8]) {
    match u8::try_from(text.len()) {
        Ok(length @ ..127) => block.push(length),
        _ => {
            block.push(127);
            let mut rest = text.len() - 127;
            while rest >= 128 {
                block.push(u8::try_from(rest % 128).expect("seven bits") | 128);
                rest /= 128;
            }
            block.push(u8::try_from(rest).expect("seven bits"));
        }
    }
    block.extend_from_slice(text);
}
