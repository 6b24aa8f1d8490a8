//! What stands for HTTP/2 to servers in a build without the feature `http2`.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Empty;

use crate::rejection::Rejection;
use crate::tls::ClientTls;
use crate::transport::Transport;
use crate::upstream::connect_error::ConnectError;
use crate::upstream::response::UpstreamResponse;

/// There are none.
#[derive(Debug, Default)]
pub(crate) struct Connections;

/// A place on a connection: there is none.
#[derive(Debug)]
pub(crate) struct Place(Infallible);

/// How a connection would be made.
#[expect(dead_code, reason = "no settings ask for HTTP/2 in this build")]
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) tls: Option<ClientTls>,
    pub(crate) head_size: usize,
    pub(crate) is_websocket: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("this build does not speak HTTP/2")]
pub(crate) struct AskError(Infallible);

impl Connections {
    pub(crate) async fn place<F>(
        &self,
        _way: &Way,
        _limit: Duration,
        _connect: F,
    ) -> Result<Place, ConnectError>
    where
        F: Future<Output = Result<Transport, ConnectError>>,
    {
        Err(ConnectError::NoHttp2(
            std::io::ErrorKind::Unsupported.into(),
        ))
    }

    pub(crate) fn count(&self) -> usize {
        0
    }
}

pub(crate) async fn ask(
    place: Place,
    _request: Request<Empty<Bytes>>,
    _is_tls: bool,
    _head_size: usize,
) -> Result<UpstreamResponse, AskError> {
    match place.0 {}
}

impl AskError {
    pub(crate) fn rejection(&self) -> Rejection {
        match self.0 {}
    }

    pub(crate) fn is_unprocessed(&self) -> bool {
        match self.0 {}
    }
}

/// A place for a plain request: there is none.
#[derive(Debug)]
pub struct Http2Sender(Infallible);

/// The body of a response: there is none.
#[derive(Debug)]
pub struct Http2Body(Infallible);

/// What HTTP/2 fails with: nothing does.
#[derive(Debug, thiserror::Error)]
#[error("this build does not speak HTTP/2")]
pub struct Http2Error(Infallible);

impl Http2Sender {
    pub(crate) fn new(place: Place, _is_tls: bool) -> Self {
        match place.0 {}
    }

    /// Sends a request.
    ///
    /// # Errors
    /// None: there is nothing to send it on.
    pub async fn send<B>(self, _request: Request<B>) -> Result<Response<Http2Body>, Http2Error> {
        match self.0 {}
    }
}

impl Body for Http2Body {
    type Data = Bytes;
    type Error = Http2Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Http2Error>>> {
        match self.0 {}
    }
}

impl Http2Error {
    /// Whether the server has not processed the request.
    pub fn is_unprocessed(&self) -> bool {
        match self.0 {}
    }

    /// Whether the server answered with something that is wrong in HTTP/2.
    pub fn is_malformed(&self) -> bool {
        match self.0 {}
    }
}
