//! Which version of HTTP a connection speaks, by its first bytes.

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use super::end::Limits;
use crate::Transport;
use crate::config::{HttpVersion, HttpVersions};
use crate::server::http::limiter::ConnectionState;

/// The version of a connection, and what was read of it to know.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) version: HttpVersion,
    pub(super) early: Vec<u8>,
}

/// What every connection of HTTP/2 begins with (RFC 9113 §3.4). No request of HTTP/1 does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Finds out which of these versions the client speaks. A connection that is late, evicted or shut down meanwhile
/// counts as one of HTTP/1, which knows what to do with it.
pub(super) async fn choose(
    socket: &mut Transport,
    versions: HttpVersions,
    state: &ConnectionState,
    limits: &Limits,
    closing: &CancellationToken,
) -> Chosen {
    if let Some(version) = versions.only() {
        let early = Vec::new();
        return Chosen { version, early };
    }
    let mut early = Vec::new();
    let deadline = state.idle_since() + limits.head.handshake_timeout;
    tokio::select! {
        biased;
        () = closing.cancelled() => {}
        () = state.evicted() => {}
        _ = timeout_at(deadline, read_preface(socket, &mut early)) => {}
    }
    let version = match early.starts_with(PREFACE) {
        true => HttpVersion::H2,
        false => HttpVersion::H1,
    };
    Chosen { version, early }
}

/// The most that is read before it is known: the whole first head of nearly all clients, so that no other read is
/// needed for it.
const FIRST_READ: usize = 1024;

/// Reads as long as it may be the preface.
async fn read_preface(socket: &mut (impl AsyncRead + Unpin), early: &mut Vec<u8>) {
    early.reserve_exact(FIRST_READ);
    while early.len() < PREFACE.len() && PREFACE.starts_with(early) {
        // The next read has the end, or the error, again.
        if let Ok(0) | Err(_) = socket.read_buf(early).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// What is read of a connection that begins with this and stays open; none while more is awaited.
    async fn read_of(beginning: &[u8]) -> Option<Vec<u8>> {
        let (mut client, mut server) = tokio::io::duplex(64);
        client.write_all(beginning).await.unwrap();
        let mut early = Vec::new();
        let over = read_preface(&mut server, &mut early).now_or_never();
        over.map(|()| early)
    }

    #[tokio::test]
    async fn one_read_decides_that_has_enough() {
        let behind = [PREFACE, b"\0\0\0\x04\0"].concat();
        assert_eq!(read_of(PREFACE).await.unwrap(), PREFACE);
        assert_eq!(read_of(&behind).await.unwrap(), behind);
        for http1 in ["G", "POST / HTTP/1.1", "PRI * HTTP/1.1\r\n", "\r\n", "PRX"] {
            assert_eq!(read_of(http1.as_bytes()).await.unwrap(), http1.as_bytes());
        }
    }

    #[tokio::test]
    async fn no_more_is_read_than_a_head() {
        let mut stream: &[u8] = &[b'x'; 2 * FIRST_READ];
        let mut early = Vec::new();
        read_preface(&mut stream, &mut early).await;
        assert_eq!(early.len(), FIRST_READ);
    }

    #[tokio::test]
    async fn a_beginning_of_both_decides_nothing() {
        for length in 0..PREFACE.len() {
            assert_eq!(read_of(&PREFACE[..length]).await, None, "{length} bytes");
        }
    }
}
