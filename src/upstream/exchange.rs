//! The handshake with the server: our request, its answer.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http::{Request, StatusCode, Version, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::dial::ServerConnection;
use super::failures::{ServerFailure, UpstreamError};
use super::http2::{self, AskError};
use super::pool::Lease;
use super::read_limit::ReadLimit;
use super::response::{BODY_SIZE, UpstreamResponse};
use crate::framing::{self, FramingError};
use crate::rejection::{Rejection, is_passed_on};
use crate::tls::TlsFailure;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum ExchangeError {
    #[error("no answer in time")]
    Timeout,
    #[error("the answer cannot be read")]
    Http(#[from] hyper::Error),
    #[error("the body of the answer has no certain end")]
    Framing(#[from] FramingError),
    #[error("the connection ended before the answer")]
    Ended,
    #[error("a 101 in HTTP/1.0, which has no upgrades")]
    Version,
    #[error("the server answered {0} instead of 101")]
    Not101(StatusCode),
    #[error("the stream brought no answer")]
    Http2(#[from] AskError),
}

/// Why a handshake opens no session with a server.
#[derive(Debug)]
pub(crate) enum ExchangeFailure {
    /// The server has not processed the request: it may be sent again, to this server or another one.
    Unprocessed(AskError),
    Failed(UpstreamError),
}

impl From<UpstreamError> for ExchangeFailure {
    fn from(error: UpstreamError) -> Self {
        Self::Failed(error)
    }
}

/// The largest head of an answer over a socket of a test.
#[cfg(any(test, fuzzing))]
const HEAD_SIZE: usize = 16 * 1024;

/// A head may have a header for so many bytes of its bound. The default of 16 KiB stays below hyper's own
/// bound on headers, which needs no allocation.
const HEADER_SIZE: usize = 164;

/// Hyper's own bound on headers.
const DEFAULT_HEADERS: usize = 100;

/// Sends the handshake request and reads the answer to it, within the upstream's
/// `handshake_timeout`.
///
/// The request has its `Host` and its target in origin form. Over HTTP/1.1 it goes out as it stands, nothing
/// else is written, and a connection whose server did not answer 101 is closed. Over HTTP/2 it becomes an
/// extended CONNECT, and only its stream is closed.
pub(crate) async fn exchange(
    lease: &Lease,
    connection: ServerConnection,
    request: Request<Empty<Bytes>>,
) -> Result<UpstreamResponse, ExchangeFailure> {
    let settings = lease.upstream();
    let exchange = async {
        match connection {
            ServerConnection::Http1(transport) => ask(transport, request, settings.head_size).await,
            ServerConnection::Http2(place) => {
                let is_tls = lease.tls().is_some();
                // Behind a pointer, so that an exchange over HTTP/1.1 does not hold the room for it.
                let exchange = http2::ask(place, request, is_tls, settings.head_size);
                Ok(Box::pin(exchange).await?)
            }
        }
    };
    let error = match timeout(settings.handshake_timeout, exchange).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(ExchangeError::Http2(error))) if error.is_unprocessed() => {
            return Err(ExchangeFailure::Unprocessed(error));
        }
        Ok(Err(error)) => error,
        Err(_elapsed) => ExchangeError::Timeout,
    };
    let failed = lease.at_fault(error.rejection(), ServerFailure::Handshake, Some(&error));
    Err(failed.into())
}

/// The same over anything that carries bytes, with no lease and no clock.
#[cfg(any(test, fuzzing))]
pub(crate) async fn exchange_over<T>(
    socket: T,
    request: Request<Empty<Bytes>>,
) -> Result<UpstreamResponse<T>, Rejection>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    ask(socket, request, HEAD_SIZE)
        .await
        .map_err(|error| error.rejection())
}

async fn ask<T>(
    socket: T,
    mut request: Request<Empty<Bytes>>,
    head_size: usize,
) -> Result<UpstreamResponse<T>, ExchangeError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    // The client's own version may be another.
    *request.version_mut() = Version::HTTP_11;
    let (socket, read_limit) = ReadLimit::new(socket, 2 * head_size);
    let mut http = http1::Builder::new();
    // It is also the size of hyper's buffers, which begin with half of it and are gone with the answer.
    http.max_header_size(head_size).max_buf_size(head_size);
    if head_size / HEADER_SIZE > DEFAULT_HEADERS {
        http.max_headers(head_size / HEADER_SIZE);
    }
    let (mut sender, connection) = http.handshake(TokioIo::new(socket)).await?;
    let mut connection = Connection {
        http: connection,
        ended: false,
    };
    let response = connection.beside(sender.send_request(request)).await??;
    read_limit.remove();
    let (mut parts, body) = response.into_parts();
    match parts.status {
        StatusCode::SWITCHING_PROTOCOLS if parts.version != Version::HTTP_11 => {
            Err(ExchangeError::Version)
        }
        StatusCode::SWITCHING_PROTOCOLS => {
            let (transport, early) = connection.into_socket().await?;
            Ok(UpstreamResponse::Accepted {
                parts,
                transport,
                early,
            })
        }
        status if is_passed_on(status) => {
            framing::check(&mut parts)?;
            let body = connection.read(body).await?;
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.remove(header::TRANSFER_ENCODING);
            parts.headers.remove(header::TRAILER);
            Ok(UpstreamResponse::Refused { parts, body })
        }
        // What a 2xx means to the client is not ours to guess.
        status => Err(ExchangeError::Not101(status)),
    }
}

/// Hyper's side of the connection. It moves only while something of it is awaited, so that no
/// task is needed for it and nothing of it is left when the handshake is given up.
struct Connection<T: AsyncRead + AsyncWrite + Unpin> {
    http: http1::Connection<TokioIo<ReadLimit<T>>, Empty<Bytes>>,
    ended: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// Waits for something that the connection brings.
    async fn beside<F: Future>(&mut self, brought: F) -> Result<F::Output, ExchangeError> {
        let mut brought = pin!(brought);
        poll_fn(|cx| {
            let mut failed = None;
            if !self.ended
                && let Poll::Ready(end) = self.http.poll_without_shutdown(cx)
            {
                self.ended = true;
                failed = end.err();
            }
            match brought.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Ok(output)),
                Poll::Pending => match failed {
                    Some(error) => Poll::Ready(Err(error.into())),
                    None if self.ended => Poll::Ready(Err(ExchangeError::Ended)),
                    None => Poll::Pending,
                },
            }
        })
        .await
    }

    /// Takes the socket back after a 101, with what was read behind the head.
    async fn into_socket(mut self) -> Result<(T, Bytes), ExchangeError> {
        if !self.ended {
            poll_fn(|cx| self.http.poll_without_shutdown(cx)).await?;
        }
        let parts = self.http.into_parts();
        // A copy, as the slice would keep the whole buffer for as long as it lives.
        let early = Bytes::copy_from_slice(&parts.read_buf);
        Ok((parts.io.into_inner().socket, early))
    }

    /// Reads a body, unless it is longer than [`BODY_SIZE`]: the beginning of one would be taken for
    /// the whole.
    async fn read(&mut self, mut body: Incoming) -> Result<Option<Bytes>, ExchangeError> {
        let mut bytes = Vec::new();
        if body.size_hint().lower() > BODY_SIZE as u64 {
            return Ok(None);
        }
        while let Some(frame) = self.beside(body.frame()).await? {
            if let Ok(data) = frame?.into_data() {
                if data.len() > BODY_SIZE - bytes.len() {
                    return Ok(None);
                }
                bytes.extend_from_slice(&data);
            }
        }
        Ok(Some(Bytes::from(bytes)))
    }
}

impl ExchangeError {
    fn rejection(&self) -> Rejection {
        match self {
            Self::Timeout => Rejection::UpstreamTimeout,
            Self::Http(error) if let Some(failure) = tls_failure(error) => failure.rejection(),
            Self::Http(error) if hung_up(error) => Rejection::UpstreamReset,
            Self::Http(_) | Self::Version | Self::Framing(_) => Rejection::UpstreamBadResponse,
            Self::Ended => Rejection::UpstreamReset,
            Self::Not101(_) => Rejection::UpstreamNot101,
            Self::Http2(error) => error.rejection(),
        }
    }
}

/// Why TLS ended behind its handshake: a server says only then that it does not take our certificate.
fn tls_failure(error: &hyper::Error) -> Option<TlsFailure> {
    let cause = error.source()?.downcast_ref::<io::Error>()?;
    TlsFailure::of(cause)
}

/// Whether the connection broke, rather than that something wrong came over it.
fn hung_up(error: &hyper::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && error.is_incomplete_message()
        {
            return true;
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            // These two are what hyper and the allowance say about wrong bytes.
            let wrong = [io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput];
            return !wrong.contains(&error.kind());
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests;
