//! One request to a server that is no upstream, such as one that issues certificates or keys.
//!
//! Each request has a connection of its own. No redirect is followed, and every wait and body has a bound.

mod connect;
mod destination;
mod error;

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use self::connect::connect;
use self::destination::Destination;
use crate::framing;
use crate::tls::ClientTls;

pub(crate) use destination::PlainHttp;
pub(crate) use error::ClientError;

/// Asks servers, within these bounds.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Without it, only servers without TLS are asked.
    pub(crate) tls: Option<ClientTls>,
    pub(crate) plain: PlainHttp,
    /// From the look-up of the name to the end of the answer's body.
    pub(crate) timeout: Duration,
    /// The longest body that is read of an answer with this status. With 0 only the head is read.
    pub(crate) body: fn(StatusCode) -> usize,
}

/// The longest head of an answer. Directories and authentication servers send a few KiB.
const HEAD: usize = 64 * 1024;

impl Client {
    /// Sends a request to the server of its URL, and returns the answer, whatever its status is. `Host` is that of the
    /// URL.
    ///
    /// The body is `None` where it is longer than its bound.
    ///
    /// # Errors
    /// [`ClientError`] if there is no whole answer.
    pub(crate) async fn send<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<Option<Bytes>>, ClientError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let answer = timeout(self.timeout, self.exchange(request)).await;
        answer.unwrap_or(Err(ClientError::Late {
            limit: self.timeout,
        }))
    }

    /// Sends a request as [`send`](Self::send) does, to a server whose answer is of use only as a whole.
    ///
    /// # Errors
    /// [`ClientError`] if there is no whole answer, and [`ClientError::TooLong`] if its body is longer than its bound.
    pub(crate) async fn send_for_whole<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<Bytes>, ClientError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = self.send(request).await?.into_parts();
        match body {
            Some(body) => Ok(Response::from_parts(parts, body)),
            None => Err(ClientError::TooLong {
                limit: (self.body)(parts.status),
            }),
        }
    }

    async fn exchange<B>(
        &self,
        mut request: Request<B>,
    ) -> Result<Response<Option<Bytes>>, ClientError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let destination = Destination::of(request.uri(), self.plain)?;
        let headers = request.headers_mut();
        headers.insert(HOST, destination.authority.clone());
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        *request.uri_mut() = destination.target.clone();
        let stream = connect(&destination, self.tls.as_ref()).await?;
        let mut builder = http1::Builder::new();
        let handshake = builder
            .max_buf_size(HEAD)
            .handshake(TokioIo::new(stream))
            .await;
        let (mut sender, connection) = handshake.map_err(ClientError::Http)?;
        let mut connection = pin!(connection);
        let mut answer = pin!(async {
            let answer = sender.send_request(request).await;
            let (mut parts, body) = answer.map_err(ClientError::Http)?.into_parts();
            framing::check(&mut parts)?;
            let body = read(body, (self.body)(parts.status)).await?;
            Ok(Response::from_parts(parts, body))
        });
        tokio::select! {
            answer = &mut answer => answer,
            // What it has read is there.
            _ended = &mut connection => answer.await,
        }
    }
}

/// Reads a body whole, if it is not longer than `limit`.
async fn read(body: Incoming, limit: usize) -> Result<Option<Bytes>, ClientError> {
    if limit == 0 || body.size_hint().lower() > limit as u64 {
        return Ok(body.is_end_stream().then(Bytes::new));
    }
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(Some(body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
        Err(error) => Err(ClientError::Body(error)),
    }
}

#[cfg(test)]
mod tests;
