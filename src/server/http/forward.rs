//! Plain HTTP to the servers of a route, for routes with `http = "forward"`: HTTP/1.1, or HTTP/2 where the upstream
//! speaks that.
//!
//! ```text
//! route ─► lease of a server ─► idle or new connection ─► request ─► response head ─► stream
//! ```
//!
//! Bodies stream both ways. Connections are kept alive per worker, and apart from those of
//! sessions: one that carried an upgrade never comes here. Connections of HTTP/2 are those of sessions.

mod delivery;
mod download;
mod exchange;
mod http2;
mod interim;
mod old_servers;
mod pace;
mod pool;
mod server_body;
mod socket;
mod upload;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::{Either, Full};
use hyper::service::Service;
use tokio::sync::Notify;

use crate::server::http::client_body::ClientBody;
use crate::{ErrorReport, Gate, PlainRequest, PlainResponseBody, Rejection};
use delivery::{report_failure, undelivered};
use exchange::{Answered, Failure, Streamed, client_of, exchange};
use http2::AnsweredHttp2;
pub(crate) use old_servers::OldServers;
use pace::Paced;
use pool::Connection;
pub(crate) use pool::KeepAlivePool;
use upload::Source;

/// The body of an answer: streamed from a server, or our own.
pub(crate) type ForwardBody = Either<PlainResponseBody<Streamed>, Full<Bytes>>;

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

/// So many connections from the pool may end under one request before a new one is opened: its server has been
/// restarted, or closes idle connections at once.
const MOST_UNANSWERED: usize = 2;

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

    async fn answer(self, request: Request<ClientBody>) -> Response<ForwardBody> {
        let (parts, body) = request.into_parts();
        // A page is no answer to somebody who asks for a tunnel.
        let page = self
            .page
            .as_ref()
            .filter(|_| parts.method != Method::CONNECT);
        if let Some(page) = page.and_then(|page| page.answer(&parts)) {
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

    async fn forward(
        &self,
        parts: Parts,
        body: ClientBody,
    ) -> Result<Response<PlainResponseBody<Streamed>>, Rejection> {
        let mut request = self.gate.admit(parts).await?;
        if let Some(state) = client_of(&request).cloned() {
            state.set_write_limit(request.write_timeout());
            request = request.with_cause(move || undelivered(Some(&state)));
        }
        let body = request.count(body);
        let source = Source::new(Paced::new(body, Some(UPLOAD_PAUSE)));
        if request.is_http2() {
            // Behind a pointer, so that an exchange over HTTP/1.1 does not hold the room for it.
            let exchange = Box::pin(http2::exchange(self.pool.tasks(), request, &source));
            return Ok(self.deliver_http2(exchange.await?));
        }
        let mut unanswered = 0;
        while unanswered < MOST_UNANSWERED
            && let Some(mut connection) = self.pool.take(&request)
        {
            match exchange(&self.pool, &request, &mut connection, &source).await {
                Ok(answered) => return Ok(self.deliver(answered, connection, request)),
                Err(Failure::Refused(rejection)) => return Err(rejection),
                // The server closed the idle connection before any of this went out.
                Err(Failure::Unsent) => {}
                Err(Failure::Unanswered(error)) => {
                    tracing::debug!(
                        error = %ErrorReport(&error),
                        "a server closed a connection that had been idle: the request is tried again"
                    );
                    unanswered += 1;
                }
            }
        }
        let (request, stream) = request.connect().await?;
        let opened = self.pool.open(stream).await;
        let mut connection =
            opened.map_err(|error| request.fail(Rejection::UpstreamReset, Some(&error)))?;
        match exchange(&self.pool, &request, &mut connection, &source).await {
            Ok(answered) => Ok(self.deliver(answered, connection, request)),
            Err(Failure::Refused(rejection)) => Err(rejection),
            Err(Failure::Unsent) => Err(request.fail(Rejection::UpstreamReset, None)),
            Err(Failure::Unanswered(error)) => {
                Err(request.fail(Rejection::UpstreamReset, Some(&error)))
            }
        }
    }

    /// Passes a response on; the connection goes back to the pool at the end of it.
    fn deliver(
        &self,
        Answered { response, progress }: Answered,
        connection: Connection,
        request: PlainRequest,
    ) -> Response<PlainResponseBody<Streamed>> {
        let request = Arc::new(request);
        let over = Arc::<Notify>::default();
        self.pool.keep(
            connection,
            Arc::clone(&request),
            progress,
            Arc::clone(&over),
        );
        pass_on(response, request, over)
    }

    /// The same for a response on a stream, beside which the rest of its request goes out.
    fn deliver_http2(&self, answered: AnsweredHttp2) -> Response<PlainResponseBody<Streamed>> {
        let AnsweredHttp2 {
            request,
            answered: Answered { response, progress },
            upload,
        } = answered;
        let request = Arc::new(request);
        let over = Arc::<Notify>::default();
        if let Some(upload) = upload {
            let (request, over) = (Arc::clone(&request), Arc::clone(&over));
            http2::finish_upload(self.pool.tasks(), upload, request, progress, over);
        }
        pass_on(response, request, over)
    }
}

/// The response as it goes to the client; notifies `over` when nothing more is taken of it.
fn pass_on(
    response: Response<Streamed>,
    request: Arc<PlainRequest>,
    over: Arc<Notify>,
) -> Response<PlainResponseBody<Streamed>> {
    let client = client_of(&request).cloned();
    let failing = Arc::clone(&request);
    response.map(|body| {
        let body = body.notify_at_end(over);
        let body = body.on_failure(move |error| report_failure(&failing, error));
        let cause = move || undelivered(client.as_deref());
        request.deliver(body).with_cause(cause)
    })
}

impl Service<Request<ClientBody>> for Forward {
    type Response = Response<ForwardBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<ClientBody>) -> Self::Future {
        let forward = self.clone();
        Box::pin(async move { Ok(forward.answer(request).await) })
    }
}

#[cfg(test)]
mod tests;
