//! Frames as bytes (RFC 6455 §5.2), written by hand so that they can be wrong.

/// The first byte of frames.
pub(crate) mod bits {
    pub(crate) const FIN: u8 = 0x80;
    pub(crate) const RSV1: u8 = 0x40;
    pub(crate) const CONTINUATION: u8 = 0x0;
    pub(crate) const TEXT: u8 = 0x1;
    pub(crate) const BINARY: u8 = 0x2;
    pub(crate) const CLOSE: u8 = 0x8;
    pub(crate) const PING: u8 = 0x9;
    pub(crate) const PONG: u8 = 0xA;
}

/// One frame, without its mask.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

/// The key that all clients here mask with.
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

impl Frame {
    /// Any first byte, and any payload.
    pub(crate) fn new(first: u8, payload: impl Into<Vec<u8>>) -> Self {
        let payload = payload.into();
        Self { first, payload }
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::new(bits::FIN | bits::TEXT, text)
    }

    pub(crate) fn binary(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(bits::FIN | bits::BINARY, payload)
    }

    pub(crate) fn ping(payload: &str) -> Self {
        Self::new(bits::FIN | bits::PING, payload)
    }

    pub(crate) fn pong(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(bits::FIN | bits::PONG, payload)
    }

    pub(crate) fn close(code: u16, reason: &str) -> Self {
        let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
        Self::new(bits::FIN | bits::CLOSE, payload)
    }

    /// A close frame that says nothing.
    pub(crate) fn bare_close() -> Self {
        Self::new(bits::FIN | bits::CLOSE, "")
    }

    /// As a client sends it.
    pub(crate) fn masked(&self) -> Vec<u8> {
        let mut bytes = self.head(0x80);
        bytes.extend_from_slice(&KEY);
        let key = KEY.iter().cycle();
        bytes.extend(self.payload.iter().zip(key).map(|(byte, key)| byte ^ key));
        bytes
    }

    /// As a server sends it.
    pub(crate) fn plain(&self) -> Vec<u8> {
        let mut bytes = self.head(0);
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    fn head(&self, mask: u8) -> Vec<u8> {
        let length = self.payload.len();
        let mut head = vec![self.first];
        match length {
            0..126 => head.push(mask | length as u8),
            126..0x1_0000 => {
                head.push(mask | 126);
                head.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                head.push(mask | 127);
                head.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        head
    }

    /// Reads the frame at the front of `bytes`: whether it is masked, and how many bytes it takes;
    /// `None` wants more.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, bool, usize)> {
        let [first, second, rest @ ..] = bytes else {
            return None;
        };
        let (length, rest) = match second & 0x7F {
            126 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::try_from(u64::from_be_bytes(*length)).unwrap(), rest)
            }
            short => (usize::from(short), rest),
        };
        let masked = second & 0x80 != 0;
        let (key, rest) = match masked {
            true => rest.split_first_chunk().map(|(key, rest)| (*key, rest))?,
            false => ([0; 4], rest),
        };
        let payload = rest.get(..length)?;
        let key = key.iter().cycle();
        let payload = payload.iter().zip(key).map(|(byte, key)| byte ^ key);
        let taken = bytes.len() - rest.len() + length;
        Some((
            Self::new(*first, payload.collect::<Vec<_>>()),
            masked,
            taken,
        ))
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.payload[..self.payload.len().min(64)];
        let length = self.payload.len();
        write!(f, "{:#04x} {length} {}", self.first, shown.escape_ascii())
    }
}
