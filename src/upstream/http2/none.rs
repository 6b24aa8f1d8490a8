//! What stands for HTTP/2 to servers in a build without the feature `http2`.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
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
