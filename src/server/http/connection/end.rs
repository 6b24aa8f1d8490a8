//! How a connection ends that never became a session.

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use hyper::StatusCode;
use tokio::io::AsyncReadExt;
use tokio::task::yield_now;

use super::head_deadline::HeadLimits;
use crate::Transport;
use crate::server::http::limiter::{ConnectionLimiter, ConnectionState, PeerState};

/// How a connection ended, as far as answer, log and counts depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It had its responses, or the peer left.
    Normal,
    /// What came is not HTTP/1.
    Malformed,
    /// The request line is longer than a head may be.
    TargetTooLong,
    HeadTooLarge,
    /// A head began and did not end in time.
    HeadTimeout,
    /// Not even the beginning of a first request came in time.
    Silent,
    /// The peer read nothing of its response.
    SlowReader,
    /// It was evicted to make room; its client has begun a request, or is about to send its first.
    Evicted {
        expects_answer: bool,
    },
    /// The process stops; in the middle of a head, or before it.
    ShutDown {
        began: bool,
    },
}

/// The limits of the settings that an end depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) head_size: usize,
    pub(super) head: HeadLimits,
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
    /// How a connection ended that ended by itself; `unread` is what hyper has read and not used,
    /// without empty lines before a request.
    pub(super) fn of(
        ended: &hyper::Result<()>,
        state: &ConnectionState,
        unread: &[u8],
        limits: &Limits,
    ) -> Self {
        match state.client().peer() {
            PeerState::Slow => return Self::SlowReader,
            PeerState::Present | PeerState::Gone if !state.is_idle() => return Self::Normal,
            PeerState::Present | PeerState::Gone => {}
        }
        match ended {
            Err(error) if error.is_parse_too_large() => match unread {
                unread if is_target_too_long(unread, limits.head_size) => Self::TargetTooLong,
                unread if is_large(unread, limits.head_size) => Self::HeadTooLarge,
                // Nothing but empty lines; or the length of a body is too large for hyper, and what
                // is here stood behind the head.
                _ => Self::Malformed,
            },
            Err(error) if error.is_parse() => Self::Malformed,
            Err(error) if is_timeout(error) && !unread.is_empty() => Self::HeadTimeout,
            // A connection that is kept alive may be silent.
            _ if state.client().peer() == PeerState::Present
                && !state.had_request()
                && state.idle_time() >= limits.head.handshake_timeout =>
            {
                Self::Silent
            }
            Ok(()) | Err(_) => Self::Normal,
        }
    }

    /// It was evicted while it was idle.
    pub(super) fn evicted(began: bool) -> Self {
        Self::Evicted {
            expects_answer: began,
        }
    }

    /// The same before its first request, which is on its way, as far as anybody knows.
    pub(super) fn evicted_at_first(_began: bool) -> Self {
        Self::Evicted {
            expects_answer: true,
        }
    }

    /// The process stopped while it was idle.
    pub(super) fn shut_down(began: bool) -> Self {
        Self::ShutDown { began }
    }

    /// The status of our answer, if there is one.
    pub(super) fn status(self) -> Option<StatusCode> {
        match self {
            Self::Malformed => Some(StatusCode::BAD_REQUEST),
            Self::TargetTooLong => Some(StatusCode::URI_TOO_LONG),
            Self::HeadTooLarge => Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Self::HeadTimeout => Some(StatusCode::REQUEST_TIMEOUT),
            Self::Evicted {
                expects_answer: answers,
            }
            | Self::ShutDown { began: answers } => {
                answers.then_some(StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::Normal | Self::Silent | Self::SlowReader => None,
        }
    }

    /// Whether the client may still have an answer to read.
    pub(super) fn lingers(self) -> bool {
        match self {
            Self::Normal
            | Self::Malformed
            | Self::TargetTooLong
            | Self::HeadTooLarge
            | Self::HeadTimeout
            | Self::Evicted { .. } => true,
            Self::ShutDown { began } => began,
            Self::Silent | Self::SlowReader => false,
        }
    }

    /// The `reason` of its log line, if it has one.
    pub(super) fn reason(self) -> Option<&'static str> {
        match self {
            Self::Malformed => Some("bad_request"),
            Self::TargetTooLong | Self::HeadTooLarge => Some("head_too_large"),
            Self::HeadTimeout => Some("handshake_timeout"),
            Self::SlowReader => Some("slow_client"),
            // There may be as many of these as sockets: they are only counted.
            Self::Normal | Self::Silent | Self::Evicted { .. } | Self::ShutDown { .. } => None,
        }
    }

    pub(super) fn count(self, limiter: &ConnectionLimiter) {
        let counts = limiter.counts();
        let add = |count: &AtomicU64| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        match self {
            Self::HeadTimeout => add(&counts.late),
            Self::Silent => add(&counts.silent),
            Self::SlowReader => add(&counts.slow),
            Self::Evicted { .. } => limiter.count_reclaimed(),
            Self::Normal
            | Self::Malformed
            | Self::TargetTooLong
            | Self::HeadTooLarge
            | Self::ShutDown { .. } => {}
        }
    }
}

/// Whether a request has begun: more has come than the empty lines that may stand before one. The
/// runtime gets one turn to notice what hyper has not read yet.
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

/// Whether the client was late: the error is that of our own deadline.
fn is_timeout(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    cause.is_some_and(|cause: &io::Error| cause.kind() == io::ErrorKind::TimedOut)
}

/// Whether it is the request line that makes a head too large (RFC 9110 §15.5.15).
fn is_target_too_long(head: &[u8], head_size: usize) -> bool {
    let line = head.iter().position(|byte| *byte == b'\n');
    let line = &head[..line.unwrap_or(head.len())];
    let target = line.split(|byte| *byte == b' ').nth(1);
    line.len() >= head_size || target.is_some_and(|target| target.len() > LONGEST_TARGET)
}

/// Whether a head is too large: hyper has the same error for the length of a body.
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
    fn a_large_head_is_not_mistaken_for_what_stands_behind_a_small_one() {
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
    fn a_long_line_is_not_mistaken_for_a_large_head() {
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
