//! The way of a plain request over HTTP/2.

use super::PlainRequest;
use crate::config::UpstreamHttp;
use crate::rejection::Rejection;
use crate::upstream::{Http2Error, Http2Sender, ServerConnection};

impl PlainRequest {
    /// Whether its server speaks HTTP/2 (`http = "h2"` in the upstream): it goes out on what
    /// [`PlainRequest::connect_http2`] brings, and not on a connection of its own.
    pub fn is_http2(&self) -> bool {
        self.lease.upstream().http == UpstreamHttp::H2
    }

    /// Takes a place on a connection to its server that others share, and connects first if there is none with room;
    /// or to another server where that fails.
    ///
    /// ```
    /// # use http::{Response, request::Parts};
    /// # use http_body_util::Full;
    /// # use bytes::Bytes;
    /// # use wsgate::{Gate, Http2Body, PlainResponseBody, Rejection};
    /// async fn forward(
    ///     gate: &Gate,
    ///     head: Parts,
    ///     body: Full<Bytes>,
    /// ) -> Result<Response<PlainResponseBody<Http2Body>>, Rejection> {
    ///     let (admitted, sender) = gate.admit(head).await?.connect_http2().await?;
    ///     let request = admitted.request(body)?;
    ///     match sender.send(request).await {
    ///         Ok(response) => admitted.respond(response),
    ///         Err(error) if error.is_malformed() => {
    ///             Err(admitted.fail(Rejection::UpstreamBadResponse, Some(&error)))
    ///         }
    ///         Err(error) => Err(admitted.fail(Rejection::UpstreamReset, Some(&error))),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// The [`Rejection`] to answer with where there is no place, which is [`Rejection::UpstreamNoHttp2`] where its
    /// upstream speaks HTTP/1.1; it is counted and logged.
    pub async fn connect_http2(self) -> Result<(Self, Http2Sender), Rejection> {
        if !self.is_http2() {
            return Err(self.refuse(Rejection::UpstreamNoHttp2));
        }
        let (request, connection) = self.reach(None::<Http2Error>).await?;
        request.sender(connection)
    }

    /// The same for a request that its server has not processed ([`Http2Error::is_unprocessed`]): on another
    /// connection to it, and then with another server.
    ///
    /// # Errors
    /// As [`PlainRequest::connect_http2`] has them.
    pub async fn connect_http2_again(
        self,
        error: Http2Error,
    ) -> Result<(Self, Http2Sender), Rejection> {
        let (request, connection) = self.reach(Some(error)).await?;
        request.sender(connection)
    }

    fn sender(self, connection: ServerConnection) -> Result<(Self, Http2Sender), Rejection> {
        match connection {
            ServerConnection::Http2(place) => {
                let is_tls = self.lease.tls().is_some();
                Ok((self, Http2Sender::new(place, is_tls)))
            }
            ServerConnection::Http1(_) => Err(self.refuse(Rejection::UpstreamNoHttp2)),
        }
    }
}
