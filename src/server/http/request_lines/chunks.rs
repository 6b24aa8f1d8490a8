//! Where a body in chunks ends (RFC 9112 §7.1).

/// Follows a body in chunks as hyper reads it. Input that hyper refuses may lead anywhere: it ends the
/// connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chunks {
    /// In the digits of a size, or behind them.
    Size { size: u64, has_ended: bool },
    /// So much of a chunk is to come.
    Data(u64),
    /// Behind a chunk, where its line ends.
    DataEnd,
    /// In a trailer, or in the empty line behind the last of them. Only CRLF ends it: a bare LF is part
    /// of a line.
    Trailer { is_empty: bool, is_ending: bool },
    /// Behind the body.
    Over,
}

const FIRST: Chunks = Chunks::Size {
    size: 0,
    has_ended: false,
};

impl Default for Chunks {
    fn default() -> Self {
        FIRST
    }
}

impl Chunks {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// Follows the bytes up to the end of the body, and returns the rest.
    pub(super) fn follow<'b>(&mut self, mut bytes: &'b [u8]) -> &'b [u8] {
        while let (false, Some((&byte, rest))) = (self.is_over(), bytes.split_first()) {
            bytes = match self {
                Self::Data(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX);
                    let (of_chunk, rest) = bytes.split_at(taken.min(bytes.len()));
                    *left -= of_chunk.len() as u64;
                    if *left == 0 {
                        *self = Self::DataEnd;
                    }
                    rest
                }
                _ => {
                    *self = self.behind(byte);
                    rest
                }
            };
        }
        bytes
    }

    /// Where this byte leads to, which is none of a chunk's data.
    fn behind(self, byte: u8) -> Self {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        match (self, byte) {
            (Self::Size { size: 0, .. }, b'\n') => Self::Trailer {
                is_empty: true,
                is_ending: false,
            },
            (Self::Size { size, .. }, b'\n') => Self::Data(size),
            (Self::Size { size, has_ended }, _) => match digit.filter(|_| !has_ended) {
                Some(digit) => Self::Size {
                    size: size.wrapping_mul(16).wrapping_add(digit),
                    has_ended,
                },
                None => Self::Size {
                    size,
                    has_ended: true,
                },
            },
            (Self::DataEnd, b'\n') => FIRST,
            (
                Self::Trailer {
                    is_empty,
                    is_ending: true,
                },
                b'\n',
            ) => match is_empty {
                true => Self::Over,
                false => Self::Trailer {
                    is_empty: true,
                    is_ending: false,
                },
            },
            (Self::Trailer { is_empty, .. }, b'\r') => Self::Trailer {
                is_empty,
                is_ending: true,
            },
            (Self::Trailer { .. }, _) => Self::Trailer {
                is_empty: false,
                is_ending: false,
            },
            (Self::Data(_) | Self::DataEnd | Self::Over, _) => self,
        }
    }
}
