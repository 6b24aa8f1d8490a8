//! Plain HTTP/1.1 to the servers of a route, for routes with `http = "forward"`.
//!
//! ```text
//! route ─► lease of a server ─► idle or new connection ─► request ─► response head ─► stream
//! ```
//!
//! Bodies stream both ways. Connections are kept alive per worker, and apart from those of
//! sessions: one that carried an upgrade never comes here.

mod download;
mod interim;
mod pace;
mod pool;
mod upload;

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::service::Service;

use crate::Rejection;
use download::Download;
use interim::Interim;
use pace::{PaceError, Paced};
pub(crate) use pool::KeepAlivePool;
use pool::Sender;
use upload::{Progress, Upload};

use super::limiter::ConnectionState;
use crate::{Gate, PlainRequest};

/// The body of an answer: streamed from a server, or our own.
pub(crate) type ForwardBody = Either<Streamed, Full<Bytes>>;

type Streamed = Download<Paced<Incoming>>;

/// Answers requests for the process itself, ahead of every route. WebSockets do not come here.
#[derive(Clone)]
pub struct Page(Arc<AnswerPage>);

type AnswerPage = dyn Fn(&Parts) -> Option<Response<Full<Bytes>>> + Send + Sync;

impl Page {
    /// Leaves to the routes what `answer` returns `None` for.
    pub fn new(
        answer: impl Fn(&Parts) -> Option<Response<Full<Bytes>>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(answer))
    }

    /// The answer to a request with this head, if it is for the page.
    pub fn answer(&self, request: &Parts) -> Option<Response<Full<Bytes>>> {
        (self.0)(request)
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").finish_non_exhaustive()
    }
}

/// A client may be silent for so long in the middle of a body that is answered already. Before the
/// answer, [`upload`] has a shorter timeout, with a status of its own.
const UPLOAD_PAUSE: Duration = Duration::from_secs(65);

/// Answers every request that is no WebSocket handshake.
#[derive(Clone)]
pub(crate) struct Forward {
    gate: Gate,
    pool: KeepAlivePool,
    page: Option<Page>,
    /// For the person who sends a plain request where only WebSockets are served.
    plain_hint: Option<&'static str>,
}

impl Forward {
    pub(crate) fn new(
        gate: Gate,
        pool: KeepAlivePool,
        page: Option<Page>,
        plain_hint: Option<&'static str>,
    ) -> Self {
        Self {
            gate,
            pool,
            page,
            plain_hint,
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Response<ForwardBody> {
        let (parts, body) = request.into_parts();
        if let Some(page) = self.page.as_ref().and_then(|page| page.answer(&parts)) {
            return page.map(Either::Right);
        }
        match self.forward(parts, body).await {
            Ok(response) => response.map(Either::Left),
            Err(rejection) => self.refusal(rejection).map(Either::Right),
        }
    }

    fn refusal(&self, rejection: Rejection) -> Response<Full<Bytes>> {
        let hint = self
            .plain_hint
            .filter(|_| rejection == Rejection::NotUpgrade);
        let hint = hint.map(|hint| format!("{}\n{hint}\n", rejection.message()));
        let response = rejection.into_response();
        match hint {
            Some(text) => response.map(|_| Full::from(text)),
            None => response,
        }
    }

    async fn forward(&self, parts: Parts, body: Incoming) -> Result<Response<Streamed>, Rejection> {
        let request = self.gate.admit(parts).await?;
        if let Some(state) = request.received().extensions.get::<Arc<ConnectionState>>() {
            state.set_write_limit(request.write_timeout());
        }
        let (mut body, progress) = Upload::new(Paced::new(body, Some(UPLOAD_PAUSE)));
        while let Some(mut sender) = self.pool.take(request.address()) {
            match exchange(&request, &progress, &mut sender, body).await {
                Ok(response) => return Ok(self.deliver(response, sender, request)),
                Err(Failure::Refused(rejection)) => return Err(rejection),
                // The server closed the idle connection before any of this went out.
                Err(Failure::Unsent(unsent)) => body = unsent,
            }
        }
        let (request, stream) = request.connect().await?;
        let opened = self.pool.open(stream).await;
        let mut sender =
            opened.map_err(|error| request.fail(Rejection::UpstreamReset, Some(&error)))?;
        match exchange(&request, &progress, &mut sender, body).await {
            Ok(response) => Ok(self.deliver(response, sender, request)),
            Err(Failure::Refused(rejection)) => Err(rejection),
            Err(Failure::Unsent(_)) => Err(request.fail(Rejection::UpstreamReset, None)),
        }
    }

    /// Passes a response on; the connection goes back to the pool at the end of it.
    fn deliver(
        &self,
        response: Response<Streamed>,
        sender: Sender,
        request: PlainRequest,
    ) -> Response<Streamed> {
        let request = Arc::new(request);
        self.pool.keep(sender, Arc::clone(&request));
        response.map(|body| {
            body.on_failure(move |error| {
                request.log_failure("a response to a plain request stopped", error);
            })
        })
    }
}

impl Service<Request<Incoming>> for Forward {
    type Response = Response<ForwardBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let answer = self.clone().answer(request);
        Box::pin(async { Ok(answer.await) })
    }
}

enum Failure {
    /// Nothing was sent, so that another connection may be tried with the body.
    Unsent(Upload<Paced<Incoming>>),
    Refused(Rejection),
}

/// Sends the request on one connection, and waits for the head of the response.
async fn exchange(
    request: &PlainRequest,
    progress: &Progress,
    sender: &mut Sender,
    body: Upload<Paced<Incoming>>,
) -> Result<Response<Streamed>, Failure> {
    let head = request.head();
    let mut head = head.map_err(|rejection| Failure::Refused(request.refuse(rejection)))?;
    head.version = Version::HTTP_11;
    // The gate itself answers 100 as soon as it reads the body.
    head.headers.remove(header::EXPECT);
    let mut sent = Request::from_parts(head, body);
    let interim = Interim::default();
    interim.count_on(&mut sent);
    progress.restart();
    let response = tokio::select! {
        answered = sender.try_send_request(sent) => {
            answered.map_err(|error| failure(request, progress, error))?
        }
        error = interim.exceeded() => {
            return Err(bad_response(request, Some(&error)));
        }
        late = progress.overdue(request.response_timeout()) => {
            return Err(Failure::Refused(request.give_up(late)));
        }
    };
    // The request offered no other protocol.
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(bad_response(request, None));
    }
    let (mut head, body) = response.into_parts();
    // Whatever the server speaks, the gate answers in its own version (RFC 9110 §2.5); a body up to the end
    // of the connection gets a length or chunks with it.
    head.version = Version::HTTP_11;
    let trailers = announced_trailers(&head.headers);
    request.clean(&mut head).map_err(Failure::Refused)?;
    for names in trailers {
        head.headers.append(header::TRAILER, names);
    }
    let begun = Download::begin(Paced::new(body, request.idle_timeout())).await;
    let body = begun.map_err(|error| {
        let rejection = match is_malformed(&error) {
            true => Rejection::UpstreamBadResponse,
            false => Rejection::UpstreamReset,
        };
        Failure::Refused(request.fail(rejection, Some(&error)))
    })?;
    Ok(Response::from_parts(head, body))
}

/// The failure of a server that answers wrongly.
fn bad_response(request: &PlainRequest, error: Option<&(dyn Error + 'static)>) -> Failure {
    Failure::Refused(request.fail(Rejection::UpstreamBadResponse, error))
}

/// Whether a body is not what its framing says, rather than that it broke off. Hyper says so in these
/// two ways.
fn is_malformed(error: &PaceError<hyper::Error>) -> bool {
    let PaceError::Body(error) = error else {
        return false;
    };
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    cause.is_some_and(|cause: &io::Error| {
        let kinds = [io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput];
        kinds.contains(&cause.kind())
    })
}

fn failure(
    request: &PlainRequest,
    progress: &Progress,
    mut error: TrySendError<Request<Upload<Paced<Incoming>>>>,
) -> Failure {
    if let Some(unsent) = error.take_message() {
        return Failure::Unsent(unsent.into_body());
    }
    let error = error.into_error();
    if progress.is_broken() {
        return Failure::Refused(request.refuse(Rejection::Body));
    }
    let rejection = match error.is_parse() {
        true => Rejection::UpstreamBadResponse,
        false => Rejection::UpstreamReset,
    };
    Failure::Refused(request.fail(rejection, Some(&error)))
}

/// The trailers that the server announces; hyper passes them on if the client takes trailers.
///
/// A client's trailers are dropped: a backend that merges them into the headers would trust them as if
/// the gate had checked them.
fn announced_trailers(headers: &HeaderMap) -> Vec<HeaderValue> {
    headers
        .get_all(header::TRAILER)
        .into_iter()
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests;
