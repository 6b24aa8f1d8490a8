//! How a connection ends that did not become a session.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use hyper::StatusCode;
use tokio::io::AsyncReadExt;
use tokio::task::yield_now;

use crate::server::http::limiter::{Fault, Room, Watch};
use crate::transport::Transport;

/// How a connection ended, as far as somebody has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It was answered, or the peer left.
    Usual,
    /// What came is not HTTP/1.
    Malformed,
    /// The request line is longer than a head may be.
    TargetTooLong,
    HeadTooLarge,
    /// A head began and did not end in time.
    Late,
    /// Not even the beginning of a first request came in time.
    Silent,
    /// The peer took no byte of its answer.
    Slow,
    /// Somebody else needed the place; in the middle of a head, or before it.
    Reclaimed {
        began: bool,
    },
    /// The process stops; in the middle of a head, or before it.
    Stopped {
        began: bool,
    },
}

/// What a connection may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) head_size: usize,
    pub(super) handshake_timeout: Duration,
}

/// The request headers that one request may have.
pub(super) const MAX_HEADERS: usize = 100;

/// How much of a request shows that there is one: more than the empty lines that may stand before it.
const BEGINNING: usize = 64;

/// The longest target that a request line may have, whatever the size of the head: that of
/// [`hyper::Uri`].
const LONGEST_TARGET: usize = u16::MAX as usize - 1;

/// The longest name of a header that hyper takes, whatever the size of the head.
const LONGEST_HEADER_NAME: usize = (1 << 16) - 1;

impl End {
    /// What became of a connection with this watch; `unread` is what hyper has read and not used,
    /// without empty lines before a request.
    pub(super) fn of(
        ended: &hyper::Result<()>,
        watch: &Watch,
        unread: &[u8],
        limits: &Limits,
    ) -> Self {
        match watch.fault() {
            Fault::Slow => return Self::Slow,
            Fault::None | Fault::Gone if !watch.is_waiting() => return Self::Usual,
            Fault::None | Fault::Gone => {}
        }
        match ended {
            Err(error) if error.is_parse_too_large() => match unread {
                unread if is_target_too_long(unread, limits.head_size) => Self::TargetTooLong,
                unread if is_large(unread, limits.head_size) => Self::HeadTooLarge,
                // Nothing but empty lines; or a length of a body that hyper has no number for,
                // and then what is here stood behind the head.
                _ => Self::Malformed,
            },
            Err(error) if error.is_parse() => Self::Malformed,
            Err(error) if error.is_timeout() && !unread.is_empty() => Self::Late,
            // One that is kept alive is silent by right.
            _ if watch.fault() == Fault::None
                && !watch.has_asked()
                && watch.waited() >= limits.handshake_timeout =>
            {
                Self::Silent
            }
            Ok(()) | Err(_) => Self::Usual,
        }
    }

    /// Closed while it waited for a request, because somebody else needed the place.
    pub(super) fn reclaimed(began: bool) -> Self {
        Self::Reclaimed { began }
    }

    /// Closed while it waited for a request, because the process stops.
    pub(super) fn stopped(began: bool) -> Self {
        Self::Stopped { began }
    }

    /// What the client is answered, if anything.
    pub(super) fn status(self) -> Option<StatusCode> {
        match self {
            Self::Malformed => Some(StatusCode::BAD_REQUEST),
            Self::TargetTooLong => Some(StatusCode::URI_TOO_LONG),
            Self::HeadTooLarge => Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Self::Late => Some(StatusCode::REQUEST_TIMEOUT),
            Self::Reclaimed { began } | Self::Stopped { began } => {
                began.then_some(StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::Usual | Self::Silent | Self::Slow => None,
        }
    }

    /// Whether the client may have an answer to read yet.
    pub(super) fn lingers(self) -> bool {
        match self {
            Self::Usual
            | Self::Malformed
            | Self::TargetTooLong
            | Self::HeadTooLarge
            | Self::Late
            | Self::Reclaimed { .. } => true,
            Self::Stopped { began } => began,
            Self::Silent | Self::Slow => false,
        }
    }

    /// The word for its line in the log, if it has one.
    pub(super) fn reason(self) -> Option<&'static str> {
        match self {
            Self::Malformed => Some("bad_request"),
            Self::TargetTooLong | Self::HeadTooLarge => Some("head_too_large"),
            Self::Late => Some("handshake_timeout"),
            Self::Slow => Some("slow_client"),
            // Of these there may be one a socket: they are counted.
            Self::Usual | Self::Silent | Self::Reclaimed { .. } | Self::Stopped { .. } => None,
        }
    }

    pub(super) fn count(self, room: &Room) {
        let counts = room.counts();
        let add = |count: &AtomicU64| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        match self {
            Self::Late => add(&counts.late),
            Self::Silent => add(&counts.silent),
            Self::Slow => add(&counts.slow),
            Self::Reclaimed { .. } => room.count_reclaimed(),
            Self::Usual
            | Self::Malformed
            | Self::TargetTooLong
            | Self::HeadTooLarge
            | Self::Stopped { .. } => {}
        }
    }
}

/// Whether more has come than the empty lines that may stand before a request. What hyper has not
/// read yet may have come as well: the runtime gets one turn to see it.
pub(super) async fn has_begun(unread: &[u8], socket: &mut Transport) -> bool {
    let is_of_request = |read: &[u8]| read.iter().any(|byte| !b"\r\n".contains(byte));
    if !unread.is_empty() {
        return is_of_request(unread);
    }
    yield_now().await;
    let mut beginning = [0; BEGINNING];
    let read = socket.read(&mut beginning).now_or_never();
    matches!(read, Some(Ok(length)) if is_of_request(&beginning[..length]))
}

/// Whether it is the request line that makes a head too large (RFC 9110 §15.5.15).
fn is_target_too_long(head: &[u8], head_size: usize) -> bool {
    let line = head.iter().position(|byte| *byte == b'\n');
    let line = &head[..line.unwrap_or(head.len())];
    let target = line.split(|byte| *byte == b' ').nth(1);
    line.len() >= head_size || target.is_some_and(|target| target.len() > LONGEST_TARGET)
}

/// Whether it is more than a head may be: hyper says the same of lengths of bodies.
fn is_large(head: &[u8], head_size: usize) -> bool {
    let lines = head.iter().filter(|byte| **byte == b'\n').count();
    let mut longest = head.split(|byte| *byte == b'\n').map(<[u8]>::len);
    head.len() >= head_size
        || lines > MAX_HEADERS
        || longest.any(|length| length > LONGEST_HEADER_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_head_is_told_from_what_stands_behind_a_small_one() {
        let lines = |count: usize| format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(count));
        let name = format!("GET / HTTP/1.1\r\n{}", "a".repeat(1 << 16));
        for (unread, head_size, expected) in [
            (String::new(), 8192, false),
            ("behind the head".to_owned(), 8192, false),
            (lines(99), 8192, false),
            (lines(101), 8192, true),
            ("x".repeat(8191), 8192, false),
            ("x".repeat(8192), 8192, true),
            (name, 1 << 20, true),
        ] {
            let length = unread.len();
            let found = is_large(unread.as_bytes(), head_size);
            assert_eq!(found, expected, "{length} of {head_size}");
        }
    }

    #[test]
    fn a_long_line_is_told_from_a_large_head() {
        let long = "x".repeat(9000);
        let longest = "x".repeat(LONGEST_TARGET + 1);
        for (head, head_size, expected) in [
            (format!("GET /{long}"), 8192, true),
            (
                format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
                8192,
                true,
            ),
            (format!("GET / HTTP/1.1\r\nHost: {long}"), 8192, false),
            (
                format!("GET /{long} HTTP/1.1\r\nHost: {long}"),
                16384,
                false,
            ),
            (format!("GET {longest} HTTP/1.1\r\n"), 1 << 20, true),
            (format!("GET / HTTP/1.1\r\nHost: {longest}"), 1 << 20, false),
        ] {
            let start = &head[..20];
            assert_eq!(
                is_target_too_long(head.as_bytes(), head_size),
                expected,
                "{start} of {head_size}"
            );
        }
    }
}
