//! The request lines of a connection as they came: hyper hands them out without a part.

mod chunks;

use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::body::Body;

use chunks::Chunks;

/// Follows what a client sends, and knows of each request whether its target holds a `#`.
///
/// A request target has no fragment (RFC 9112 §3.2), but [`hyper::Uri`] cuts one off without a word:
/// `/ws/a#/../b` would be served as `/ws/a`. So the bytes are looked at on their way to hyper
/// ([`RequestLines::read`]). Where a request begins depends on the framing of the one before it,
/// about which hyper decides ([`RequestLines::begin_request`]).
#[derive(Debug, Default)]
pub(crate) struct RequestLines {
    // Socket and service are parts of one task, and neither waits for this.
    follower: Mutex<Follower>,
}

impl RequestLines {
    /// Takes note of what hyper has read.
    pub(crate) fn read(&self, bytes: &[u8]) {
        self.follower().follow(bytes);
    }

    /// Takes note of the request that hyper hands out, and returns whether its target holds a `#`,
    /// or there is no saying.
    pub(crate) fn begin_request(&self, body: &impl Body) -> bool {
        let mut follower = self.follower();
        let is_known = matches!(follower.part, Part::Head);
        let has_fragment = std::mem::take(&mut follower.has_fragment);
        follower.part = match body.size_hint().exact() {
            Some(length) => Part::Body(length),
            None => Part::Chunks(Chunks::default()),
        };
        let behind = std::mem::take(&mut follower.behind);
        follower.follow(&behind);
        has_fragment || !is_known
    }

    /// Whether a head has begun and not ended.
    pub(crate) fn is_in_head(&self) -> bool {
        match self.follower().part {
            Part::Method | Part::Target | Part::HeaderLine { .. } => true,
            Part::Start | Part::Head | Part::Body(_) | Part::Chunks(_) => false,
        }
    }

    /// Whether the last request has a body that has not come to its end.
    pub(crate) fn is_in_body(&self) -> bool {
        match self.follower().part {
            Part::Body(left) => left > 0,
            Part::Chunks(chunks) => !chunks.is_over(),
            Part::Start | Part::Method | Part::Target | Part::HeaderLine { .. } | Part::Head => {
                false
            }
        }
    }

    fn follower(&self) -> MutexGuard<'_, Follower> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far the bytes have come. What hyper refuses ends the connection, so that only the input that
/// it takes has to be followed.
#[derive(Debug, Default)]
struct Follower {
    part: Part,
    /// Whether the target of the request that comes next holds a `#`.
    has_fragment: bool,
    /// What was read behind a head that hyper has not handed out yet: at most one read, because
    /// hyper uses up what it has before it reads on.
    behind: Vec<u8>,
}

#[derive(Debug, Default)]
enum Part {
    /// In front of a request, where empty lines may stand (RFC 9112 §2.2).
    #[default]
    Start,
    /// The method, which may have a `#` of its own.
    Method,
    /// The target, and the rest of the request line.
    Target,
    HeaderLine {
        is_empty: bool,
    },
    /// A head is complete.
    Head,
    /// So much of a body is to come.
    Body(u64),
    Chunks(Chunks),
}

impl Follower {
    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = self.step(bytes);
        }
    }

    /// Follows the bytes as far as they belong to one part, and returns the rest.
    fn step<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        match &mut self.part {
            Part::Start => {
                let begin = bytes.iter().position(|byte| !b"\r\n".contains(byte));
                if begin.is_some() {
                    self.part = Part::Method;
                }
                &bytes[begin.unwrap_or(bytes.len())..]
            }
            Part::Method => {
                let end = bytes.iter().position(|byte| b" \n".contains(byte));
                if end.is_some() {
                    self.part = Part::Target;
                }
                &bytes[end.unwrap_or(bytes.len())..]
            }
            Part::Target => {
                let (line, rest) = split_line(bytes);
                self.has_fragment |= line.contains(&b'#');
                if line.ends_with(b"\n") {
                    self.part = Part::HeaderLine { is_empty: true };
                }
                rest
            }
            Part::HeaderLine { is_empty } => {
                let (line, rest) = split_line(bytes);
                *is_empty &= line.iter().all(|byte| b"\r\n".contains(byte));
                if line.ends_with(b"\n") {
                    self.part = match is_empty {
                        true => Part::Head,
                        false => Part::HeaderLine { is_empty: true },
                    };
                }
                rest
            }
            Part::Head => {
                self.behind.extend_from_slice(bytes);
                &[]
            }
            Part::Body(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX);
                let (of_body, rest) = bytes.split_at(taken.min(bytes.len()));
                *left -= of_body.len() as u64;
                if *left == 0 {
                    self.part = Part::Start;
                }
                rest
            }
            Part::Chunks(chunks) => {
                let rest = chunks.follow(bytes);
                if chunks.is_over() {
                    self.part = Part::Start;
                }
                rest
            }
        }
    }
}

/// The bytes up to the end of the line, with it, and the rest.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    bytes.split_at(end.map_or(bytes.len(), |end| end + 1))
}

#[cfg(test)]
mod tests;
