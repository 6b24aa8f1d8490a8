//! Plain HTTP/1.1 to the servers of a route, for routes with `http = "forward"`.
//!
//! ```text
//! route ─► place on a server ─► idle or new connection ─► request ─► response head ─► stream
//! ```
//!
//! Bodies stream both ways. Connections are kept alive per worker, and apart from those of
//! sessions: one that carried an upgrade never comes here.

mod pace;
mod pool;
mod upload;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::service::Service;

use pace::Paced;
pub(super) use pool::Pool;
use pool::Sender;
use upload::{Progress, Upload};

use super::room::Watch;
use crate::proxy::{Gate, PlainRoute};
use crate::rejection::Rejection;
use crate::upstream::{Connected, Lease, ServerFailure, UpstreamError};

/// The body of an answer: streamed from a server, or our own.
pub(super) type ForwardBody = Either<Paced<Incoming>, Full<Bytes>>;

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

/// A server may be silent for so long in the middle of a response. What streams for longer says
/// something now and then.
const DOWNLOAD_PAUSE: Duration = Duration::from_secs(60);

/// A client may be silent for so long in the middle of a body that is answered already. Before
/// the answer, [`upload`] knows better what to say, and says it sooner.
const UPLOAD_PAUSE: Duration = Duration::from_secs(35);

/// Answers every request that is not a WebSocket's.
#[derive(Clone)]
pub(super) struct Forward {
    gate: Gate,
    pool: Pool,
    page: Option<Page>,
}

impl Forward {
    pub(super) fn new(gate: Gate, pool: Pool, page: Option<Page>) -> Self {
        Self { gate, pool, page }
    }

    async fn answer(self, request: Request<Incoming>) -> Response<ForwardBody> {
        let (parts, body) = request.into_parts();
        if let Some(page) = self.page.as_ref().and_then(|page| page.answer(&parts)) {
            return page.map(Either::Right);
        }
        match self.forward(&parts, body).await {
            Ok(response) => response.map(Either::Left),
            Err(rejection) => rejection.into_response().map(Either::Right),
        }
    }

    async fn forward(
        &self,
        parts: &Parts,
        body: Incoming,
    ) -> Result<Response<Paced<Incoming>>, Rejection> {
        if parts.method == Method::CONNECT {
            return Err(self.gate.refuse_plain(parts, Rejection::Method));
        }
        let route = self.gate.plain(parts)?;
        self.forward_on(&route, parts, body)
            .await
            .map_err(|unserved| self.gate.refuse_on(&route, parts, unserved))
    }

    async fn forward_on(
        &self,
        route: &PlainRoute,
        parts: &Parts,
        body: Incoming,
    ) -> Result<Response<Paced<Incoming>>, UpstreamError> {
        let lease = route.pool.place(route.client)?;
        if let Some(watch) = parts.extensions.get::<Arc<Watch>>() {
            watch.set_write_limit(route.write_timeout);
        }
        let (mut body, progress) = Upload::new(Paced::new(body, UPLOAD_PAUSE));
        let exchange = Exchange {
            route,
            parts,
            progress: &progress,
        };
        while let Some(mut sender) = self.pool.take(lease.address()) {
            match exchange.run(&mut sender, &lease, body).await {
                Ok(response) => return Ok(self.settle(response, sender, lease)),
                Err(Failure::Refused(unserved)) => return Err(unserved),
                // The server closed the idle connection before any of this went out.
                Err(Failure::Unsent(unsent)) => body = unsent,
            }
        }
        let connected = route.pool.connect_from(lease, route.client).await?;
        let Connected { lease, transport } = connected;
        let mut sender = self.pool.open(transport, &lease).await?;
        match exchange.run(&mut sender, &lease, body).await {
            Ok(response) => Ok(self.settle(response, sender, lease)),
            Err(Failure::Refused(unserved)) => Err(unserved),
            Err(Failure::Unsent(_)) => {
                Err(lease.at_fault(Rejection::UpstreamReset, ServerFailure::Plain, None))
            }
        }
    }

    /// Lets a response go on its way: the connection is kept once it is over.
    fn settle(
        &self,
        response: Response<Paced<Incoming>>,
        sender: Sender,
        lease: Lease,
    ) -> Response<Paced<Incoming>> {
        let lease = Arc::new(lease);
        self.pool.keep(sender, Arc::clone(&lease));
        response.map(|body| {
            body.when_over(move |error| {
                lease.log_failure(
                    ServerFailure::Plain,
                    "no more of a response to a plain request",
                    error,
                );
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

/// A request, and what it has to do with one connection.
struct Exchange<'a> {
    route: &'a PlainRoute,
    parts: &'a Parts,
    progress: &'a Progress,
}

enum Failure {
    /// Nothing was sent, so that another connection may be tried with the body.
    Unsent(Upload<Paced<Incoming>>),
    Refused(UpstreamError),
}

impl Exchange<'_> {
    /// Sends the request, and waits for the head of the response.
    async fn run(
        &self,
        sender: &mut Sender,
        lease: &Lease,
        body: Upload<Paced<Incoming>>,
    ) -> Result<Response<Paced<Incoming>>, Failure> {
        let mut head = self
            .route
            .request(self.parts, lease.base_path())
            .map_err(|rejection| Failure::Refused(rejection.into()))?;
        head.version = Version::HTTP_11;
        // The client is told to continue as soon as the body is asked for here.
        head.headers.remove(header::EXPECT);
        self.progress.restart();
        let answered = sender.try_send_request(Request::from_parts(head, body));
        let response = tokio::select! {
            answered = answered => answered.map_err(|error| self.failure(lease, error))?,
            late = self.progress.overdue(lease.upstream().handshake_timeout) => {
                return Err(Failure::Refused(lease.refused(late, None)));
            }
        };
        // Nobody asked for another protocol.
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let rejection = Rejection::UpstreamBadResponse;
            let unserved = lease.at_fault(rejection, ServerFailure::Plain, None);
            return Err(Failure::Refused(unserved));
        }
        let (mut head, body) = response.into_parts();
        let trailers = announced_trailers(&head.headers);
        self.route.response(&mut head);
        for names in trailers {
            head.headers.append(header::TRAILER, names);
        }
        let body = Paced::new(body, DOWNLOAD_PAUSE);
        Ok(Response::from_parts(head, body))
    }

    fn failure(
        &self,
        lease: &Lease,
        mut error: TrySendError<Request<Upload<Paced<Incoming>>>>,
    ) -> Failure {
        if let Some(unsent) = error.take_message() {
            return Failure::Unsent(unsent.into_body());
        }
        let error = error.into_error();
        if self.progress.is_broken() {
            return Failure::Refused(Rejection::Body.into());
        }
        let rejection = match error.is_parse() {
            true => Rejection::UpstreamBadResponse,
            false => Rejection::UpstreamReset,
        };
        Failure::Refused(lease.at_fault(rejection, ServerFailure::Plain, Some(&error)))
    }
}

/// What the server says will stand behind the body; it is passed on where the client takes it.
///
/// A client's trailers stay here: a backend that merges them into the headers would take them for
/// some that the gate let through.
fn announced_trailers(headers: &HeaderMap) -> Vec<HeaderValue> {
    headers
        .get_all(header::TRAILER)
        .into_iter()
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests;
