//! Lingering close: the last answer, and the time to read it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::StatusCode;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::Transport;
use crate::server::http::idle_timeout::IdleTimeout;
use crate::server::http::last_answer::{last_answer, refuse_at_once};
use crate::server::http::limiter::{ConnectionState, RefusalSlot};

/// How much of a client's time and bytes is taken after the last answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linger {
    /// The time for the answer to be sent and for the client to close.
    longest: Duration,
    /// A client that is silent for so long has read the answer, or is gone.
    silence: Duration,
    /// The most that is read meanwhile.
    most: usize,
}

impl Linger {
    /// For a client that has sent its whole request.
    pub(super) const SHORT: Self = Self {
        longest: Duration::from_secs(1),
        silence: Duration::from_secs(1),
        most: 256 * 1024,
    };

    /// For a client in the middle of a body. Many clients read no answer before they have sent all of it, and
    /// would see nothing but a reset; nginx waits for as long.
    pub(super) const UPLOAD: Self = Self {
        longest: Duration::from_secs(30),
        silence: Duration::from_secs(5),
        // A fast sender would have a worker read for all of that time.
        most: 64 * 1024 * 1024,
    };
}

/// What is read at once.
const CHUNK: usize = 16 * 1024;

/// A connection over the limit, before its answer.
pub(crate) struct RefusedConnection {
    socket: Transport,
}

impl RefusedConnection {
    pub(super) fn new(socket: Transport) -> Self {
        Self { socket }
    }

    /// Answers and closes the connection; the slot is free after that.
    pub(crate) async fn carry_out(mut self, slot: RefusalSlot) {
        let status = Some(StatusCode::SERVICE_UNAVAILABLE);
        tokio::select! {
            // First, so that a connection that has to go at once is answered and emptied too.
            biased;
            () = lingering_close(&mut self.socket, status, Linger::SHORT) => {}
            () = slot.needed() => {}
        }
        drop(self);
        drop(slot);
    }

    /// The same without a wait.
    pub(crate) fn carry_out_at_once(self) {
        match &self.socket {
            Transport::Tcp(socket) => refuse_at_once(&SockRef::from(socket)),
            Transport::Unix(socket) => refuse_at_once(&SockRef::from(socket)),
            // An answer would need more than one step.
            Transport::Tls(_) | Transport::Custom(_) => {}
        }
    }
}

/// Closes a connection, which is the first to be evicted meanwhile.
pub(super) async fn linger_until_evicted(
    socket: &mut Transport,
    status: Option<StatusCode>,
    linger: Linger,
    state: &Arc<ConnectionState>,
    closing: &CancellationToken,
) {
    state.begin_lingering();
    tokio::select! {
        biased;
        () = lingering_close(socket, status, linger) => {}
        () = state.evicted() => {}
        () = leave_in_time(closing) => {}
    }
}

/// Resolves when a process that stops has waited for long enough.
async fn leave_in_time(closing: &CancellationToken) {
    closing.cancelled().await;
    sleep(Linger::SHORT.longest).await;
}

/// Closes a connection so that its client sees an error (RFC 9112 §8): a unix socket has no other end
/// than the usual one.
pub(super) fn reset(socket: Transport) {
    if let Some(socket) = socket.tcp()
        && let Err(error) = socket.set_zero_linger()
    {
        tracing::debug!(%error, "a connection cannot be reset");
    }
}

/// Sends an answer if there is one, ends our half, and waits for the client to end its own; what it
/// still sends is thrown away.
///
/// A socket that is closed with unread bytes in it, or that gets some afterwards, resets the
/// connection, and the reset can reach the client before it has read the answer (RFC 9112 §9.6).
async fn lingering_close(socket: &mut Transport, status: Option<StatusCode>, linger: Linger) {
    let _late = timeout(linger.longest, async {
        if let Some(status) = status {
            socket.write_all(last_answer(status).as_bytes()).await?;
            socket.flush().await?;
        }
        socket.shutdown().await?;
        discard(socket, linger).await;
        io::Result::Ok(())
    })
    .await;
}

/// Reads until the peer ends its half, has sent too much, or says nothing for too long.
async fn discard(socket: &mut Transport, linger: Linger) {
    let mut left = linger.most;
    let mut silence = IdleTimeout::default();
    poll_fn(|cx| {
        let mut scratch = [0; CHUNK];
        loop {
            let mut read = ReadBuf::new(&mut scratch);
            let Poll::Ready(outcome) = Pin::new(&mut *socket).poll_read(cx, &mut read) else {
                return silence.poll_elapsed(cx, linger.silence);
            };
            silence.restart();
            left = left.saturating_sub(read.filled().len());
            if outcome.is_err() || read.filled().is_empty() || left == 0 {
                return Poll::Ready(());
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::Instant;

    use super::*;

    /// A socket of ours, and the client at its other end.
    async fn pair() -> (Transport, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        (Transport::Tcp(accepted.unwrap().0), client.unwrap())
    }

    #[tokio::test]
    async fn a_client_that_goes_on_sending_reads_its_answer_to_the_end() {
        let (mut socket, mut client) = pair().await;
        let chunk = [b'x'; 8 * 1024];
        client.write_all(&chunk).await.unwrap();
        let leave = async move {
            lingering_close(&mut socket, Some(StatusCode::FORBIDDEN), Linger::SHORT).await;
            drop(socket);
        };
        let read = async move {
            // Sent when the answer is there already.
            client.readable().await.unwrap();
            for _ in 0..8 {
                client.write_all(&chunk).await.unwrap();
            }
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let ((), answer) = tokio::join!(leave, read);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    }

    #[tokio::test]
    async fn a_connection_that_was_only_just_accepted_gets_its_answer() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (accepted, _) = listener.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        // The runtime has not looked at it yet.
        let mut socket = Transport::Tcp(TcpStream::from_std(accepted).unwrap());
        let leave = async move {
            lingering_close(
                &mut socket,
                Some(StatusCode::SERVICE_UNAVAILABLE),
                Linger::SHORT,
            )
            .await;
            drop(socket);
        };
        let read = async move {
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let ((), answer) = tokio::join!(leave, read);
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_close_is_waited_for_no_longer_than_its_time() {
        for linger in [Linger::SHORT, Linger::UPLOAD] {
            let (mut socket, _client) = pair().await;
            let began = Instant::now();
            lingering_close(&mut socket, None, linger).await;
            assert_eq!(began.elapsed(), linger.silence);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_stops_waits_for_no_upload() {
        let state = ConnectionState::idle_alone();
        let (mut socket, _client) = pair().await;
        let closing = CancellationToken::new();
        closing.cancel();
        let began = Instant::now();
        linger_until_evicted(&mut socket, None, Linger::UPLOAD, &state, &closing).await;
        assert_eq!(began.elapsed(), Linger::SHORT.longest);
    }

    #[tokio::test]
    async fn a_client_that_sends_without_end_is_read_up_to_a_bound() {
        let (mut socket, mut client) = pair().await;
        let endless = async {
            let chunk = [b'x'; CHUNK];
            while client.write_all(&chunk).await.is_ok() {}
        };
        tokio::select! {
            () = endless => panic!("it is not closed yet"),
            () = discard(&mut socket, Linger::SHORT) => {}
        }
    }
}
