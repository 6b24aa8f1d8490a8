//! One client connection: HTTP/1.1 until it ends or is upgraded.

use std::io;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::sync::CancellationToken;

use super::accept::Accepted;
use super::forward::Forward;
use crate::chain::Chain;
use crate::config;
use crate::proxy::{Gate, GateService};
use crate::types::ClientAddr;

/// What every connection of the process has in common.
#[derive(Clone)]
pub(super) struct Connections {
    gate: Gate,
    http: http1::Builder,
}

/// What a worker's connections answer with.
pub(super) type Answerer = GateService<Forward>;

/// The request headers that one request may have.
const MAX_HEADERS: usize = 100;

/// The smallest buffer that hyper takes.
const SMALLEST_BUFFER: usize = 8 * 1024;

impl Connections {
    pub(super) fn new(gate: Gate, settings: &config::Server) -> Self {
        let mut http = http1::Builder::new();
        // Without the timer the time-out would be off. It counts from the accept, or the end of
        // the request before, to the end of the head.
        http.timer(TokioTimer::new())
            .header_read_timeout(settings.handshake_timeout)
            .max_header_size(settings.head_size)
            .max_buf_size(settings.head_size.max(SMALLEST_BUFFER))
            .max_headers(MAX_HEADERS);
        Self { gate, http }
    }

    /// Serves one connection to its end, or until it becomes a session. When `closing` is
    /// cancelled it finishes the request that it is in, and takes no other.
    pub(super) async fn serve(
        self,
        accepted: Accepted,
        answerer: Answerer,
        closing: CancellationToken,
    ) {
        let answer = |client| Answer { answerer, client };
        match accepted {
            Accepted::Tcp(stream, client) => {
                self.serve_on(stream, answer(client.into()), closing).await;
            }
            Accepted::Unix(stream) => {
                self.serve_on(stream, answer(ClientAddr::Unix), closing)
                    .await;
            }
        }
    }

    async fn serve_on<S: Socket>(self, socket: S, service: Answer, closing: CancellationToken) {
        let client = service.client;
        let mut connection = self
            .http
            .serve_connection(TokioIo::new(socket), service)
            .with_upgrades();
        let ended = tokio::select! {
            // First, so that a response that goes out from now on says that it is the last.
            biased;
            () = closing.cancelled() => {
                Pin::new(&mut connection).graceful_shutdown();
                (&mut connection).await
            }
            ended = &mut connection => ended,
        };
        // Nothing is left of one that was upgraded.
        let Some(parts) = connection.into_parts() else {
            return;
        };
        let socket = parts.io.into_inner();
        if let Err(error) = ended {
            self.log_end(client, &error);
            if error.is_timeout() && !parts.read_buf.is_empty() {
                refuse_late(&socket);
            }
        }
        discard_unread(&socket);
    }

    /// Logs the end of a connection that did not end well. What a client did to HTTP is a rejected
    /// request; that it left, or never said anything, is not worth a line.
    fn log_end(&self, client: ClientAddr, error: &hyper::Error) {
        if error.is_parse_too_large() {
            self.gate.refuse_malformed(client, "head_too_large");
        } else if error.is_parse() {
            self.gate.refuse_malformed(client, "bad_request");
        } else {
            tracing::debug!(%client, error = %Chain(error), "connection ended");
        }
    }
}

/// Answers the requests of one connection.
struct Answer {
    answerer: Answerer,
    client: ClientAddr,
}

impl Service<Request<Incoming>> for Answer {
    type Response = <Answerer as Service<Request<Incoming>>>::Response;
    type Error = <Answerer as Service<Request<Incoming>>>::Error;
    type Future = <Answerer as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.client);
        self.answerer.call(request)
    }
}

/// What both kinds of socket can do without waiting.
trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
}

impl Socket for TcpStream {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write(bytes)
    }
}

impl Socket for UnixStream {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write(bytes)
    }
}

/// Tells a client that began a request and did not end it in time (RFC 9110 §15.5.9).
fn refuse_late(socket: &impl Socket) {
    let answer = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    // So few bytes fit, or the client takes none anyway.
    let _written = socket.try_write(answer);
}

/// Empties the socket before it is closed: one that is closed with unread bytes in it resets the
/// connection, and the reset can reach the client before the answer is read.
fn discard_unread(socket: &impl Socket) {
    let mut scratch = [0; 4096];
    for _ in 0..16 {
        match socket.try_read(&mut scratch) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
