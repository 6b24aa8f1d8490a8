//! Serving the connections of an interface.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::answer::Answer;
use super::body::{Arriving, whole};
use super::definition::{Api, BodyUse, Endpoint};
use super::guard::Guard;
use super::library::{ClientAddr, ErrorReport, ListenAddress, ServerTls, Tickets, TlsAcceptor};
use super::places::{Place, Places};
use super::response::Refusal;
use super::router::tidy_allow;
use super::secured::secured;
use super::turns::Turns;
use crate::server::http::request_lines::RequestLines;
use crate::server::lifecycle::workers::Worker;
use crate::server::listener::accept::{Accepted, Dispatch, Vacancy};

/// Answers the requests of an interface; a clone is the same interface.
pub(crate) struct ApiService<A> {
    own: Arc<A>,
    router: Router,
    places: Arc<Places>,
    /// Those of the worker that a connection is on.
    turns: Arc<Turns>,
    /// What new connections begin with.
    tls: Arc<RwLock<Option<TlsAcceptor>>>,
    endpoint: Endpoint,
}

const HEAD_SIZE: usize = 16 * 1024;

/// All places of clients that are known are taken, by requests that are being answered.
const BUSY: &str = "too many requests are being answered";

/// Hyper would cut it off (RFC 9112 §3.2).
const FRAGMENT: &str = "the request target must not have a fragment";

impl<A: Api> ApiService<A> {
    /// An interface with so many places for connections.
    pub(crate) fn new(own: A, router: Router, places: usize) -> Self {
        Self {
            own: Arc::new(own),
            router,
            places: Places::new(places),
            turns: Arc::new(Turns::new(A::SLICE)),
            tls: Arc::default(),
            endpoint: Endpoint {
                scheme: Scheme::HTTP,
                browsable: true,
                peer: ClientAddr::Unix,
                closing: CancellationToken::new(),
            },
        }
    }

    /// What it has of its own.
    pub(crate) fn own(&self) -> &A {
        &self.own
    }

    /// Speaks this TLS with new connections from now on; `None` is plain HTTP.
    pub(crate) fn set_tls(&self, tls: Option<&ServerTls>, tickets: &Arc<Tickets>) {
        let acceptor = tls.map(|tls| tls.acceptor(&[b"http/1.1"], tickets));
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }

    fn acceptor(&self) -> Option<TlsAcceptor> {
        let tls = self.tls.read().unwrap_or_else(PoisonError::into_inner);
        tls.clone()
    }

    /// The same interface at this address, for as long as it is there.
    pub(crate) fn at(&self, address: &ListenAddress, closing: CancellationToken) -> Self {
        let endpoint = Endpoint {
            browsable: matches!(address, ListenAddress::Tcp(_)),
            closing,
            ..self.endpoint.clone()
        };
        Self {
            endpoint,
            ..self.clone()
        }
    }

    /// When another connection may be accepted.
    pub(crate) fn vacancy(&self) -> Vacancy {
        let places = Arc::clone(&self.places);
        Vacancy::when(move || {
            let places = Arc::clone(&places);
            async move { places.vacant().await }
        })
    }

    /// Takes a place for a connection.
    pub(crate) fn place(&self) -> Place {
        self.places.take()
    }

    /// Serves accepted connections, each on the one of these workers with the fewest tasks. The first of them accepts.
    pub(crate) fn dispatch(self, workers: Vec<Worker>) -> Dispatch {
        let connections = TaskTracker::new();
        let on_worker = |worker| {
            let turns = Arc::new(Turns::new(A::SLICE));
            let service = Self {
                turns,
                ..self.clone()
            };
            (worker, service)
        };
        let slots: Vec<_> = workers.into_iter().map(on_worker).collect();
        Arc::new(move |accepted| {
            let place = self.place();
            let numbered = slots.iter().enumerate();
            let Some((index, (worker, service))) =
                numbered.min_by_key(|(_, (worker, _))| worker.load())
            else {
                return;
            };
            let service = service.clone();
            if index == 0 {
                worker.spawn(&connections, service.serve(accepted, place));
                return;
            }
            match accepted.detach() {
                Ok(detached) => worker.spawn(&connections, async move {
                    match detached.attach() {
                        Ok(accepted) => service.serve(accepted, place).await,
                        Err(error) => lost(&error),
                    }
                }),
                Err(error) => lost(&error),
            }
        })
    }

    async fn serve(mut self, accepted: Accepted, place: Place) {
        let (socket, peer) = accepted.into_transport();
        self.endpoint.peer = peer;
        let Some(acceptor) = self.acceptor() else {
            return self.serve_on(socket, place).await;
        };
        let closing = &self.endpoint.closing;
        if let Some(socket) = secured(&acceptor, socket, &place, closing, A::NAME).await {
            self.endpoint.scheme = Scheme::HTTPS;
            self.serve_on(socket, place).await;
        }
    }

    /// Serves a connection to its end.
    pub(crate) async fn serve_on(self, socket: impl AsyncRead + AsyncWrite + Unpin, place: Place) {
        let place = Arc::new(place);
        let closing = self.endpoint.closing.clone();
        let lines = Arc::<RequestLines>::default();
        let guard = Guard::new(socket, Arc::clone(&lines), Arc::clone(&place));
        let answered = Arc::clone(&place);
        let service =
            service_fn(move |request| self.answer(request, &lines, Arc::clone(&answered)));
        let mut connection =
            pin!(http(A::HEAD_TIMEOUT).serve_connection(TokioIo::new(guard), service));
        let served = async {
            tokio::select! {
                served = &mut connection => served,
                () = last_request(&closing, A::LIFETIME) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        };
        let ended = tokio::select! {
            // First, so that a request which has come is answered.
            biased;
            ended = served => ended,
            () = place.evicted() => {
                tracing::debug!("{} connection closed for another one", A::NAME);
                return;
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error = %ErrorReport(&error), "{} connection ended", A::NAME);
        }
    }

    /// Answers a request of a connection.
    fn answer(
        &self,
        request: Request<Incoming>,
        lines: &RequestLines,
        place: Arc<Place>,
    ) -> impl Future<Output = Result<Response<Answer>, Infallible>> + use<A> {
        let has_fragment = lines.begin_request(request.body());
        let path = request.uri().path();
        let body_use = self.own.body_use(request.method(), path);
        let is_handlers = body_use == BodyUse::Handler;
        // A client may send its body as slowly as it likes: until that has come, a newcomer may have the place.
        let waits = match body_use {
            BodyUse::Unread => false,
            BodyUse::Handler => A::is_open(path),
            BodyUse::Whole(_) => !request.body().is_end_stream(),
        };
        match waits {
            true => place.begin_request(),
            false => place.begin_answer(),
        }
        let has_body = !request.body().is_end_stream();
        let (head, body) = request.into_parts();
        let (body, has_ended) = Arriving::new(body);
        let body = match body_use {
            BodyUse::Unread => Body::empty(),
            BodyUse::Handler | BodyUse::Whole(_) => Body::new(body),
        };
        let mut request = Request::from_parts(head, body);
        request.extensions_mut().insert(Arc::clone(&place));
        let api = self.clone();
        async move {
            let mut response = match has_fragment {
                true => Refusal::new(StatusCode::BAD_REQUEST, FRAGMENT).into_response(),
                false => api.respond(request).await,
            };
            if is_handlers && waits {
                place.begin_answer();
            }
            // Behind a body that was not read hyper would read the next request though this response is still to be
            // written, and a client that reads none would pile them up.
            if has_body && !has_ended.load(Ordering::Relaxed) {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(response.map(|body| Answer::new(body, place)))
        }
    }

    /// Answers a request when it is its turn.
    pub(crate) async fn respond(&self, request: Request<Body>) -> Response<Body> {
        let (mut head, body) = request.into_parts();
        let client = match self.admit(&head) {
            Ok(client) => client,
            Err(refusal) => return self.refuse(refusal, None),
        };
        let body = match self.own.body_use(&head.method, head.uri.path()) {
            BodyUse::Unread | BodyUse::Handler => body,
            BodyUse::Whole(longest) => match self.read(&head, body, longest).await {
                Ok(body) => body,
                Err(refusal) => return self.refuse(refusal, Some(&client)),
            },
        };
        head.extensions.insert(client.clone());
        head.extensions.insert(Arc::clone(&self.turns));
        let response = self.router.clone().call(Request::from_parts(head, body));
        let response = self.turns.take(response).await;
        let mut response = response.unwrap_or_else(|never| match never {});
        if let Some(refused) = response.extensions().get() {
            self.own.refused(refused, Some(&client), &self.endpoint);
        }
        tidy_allow(&mut response);
        response
    }

    fn refuse(&self, refusal: Refusal, client: Option<&A::Client>) -> Response<Body> {
        let response = refusal.into_response();
        if let Some(refused) = response.extensions().get() {
            self.own.refused(refused, client, &self.endpoint);
        }
        response
    }

    /// Reads a whole body before its request is handled.
    async fn read(&self, head: &Parts, body: Body, longest: usize) -> Result<Body, Refusal> {
        let body = whole(body, longest).await;
        let body = body.map_err(|error| Refusal::new(error.status(), error.to_string()))?;
        if let Some(place) = head.extensions.get::<Arc<Place>>() {
            place.begin_answer();
        }
        Ok(Body::from(body))
    }

    fn admit(&self, head: &Parts) -> Result<A::Client, Refusal> {
        // It would count in the place of `Host` (RFC 9112 §3.2.2), and only a client of a proxy
        // sends one.
        if head.uri.authority().is_some() {
            let problem = "the request target must be a path";
            return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, problem));
        }
        if self.endpoint.closing.is_cancelled() {
            let problem = format!("the {} interface is no longer here", A::NAME);
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, problem));
        }
        let client = self.own.admit(head, &self.endpoint)?;
        match head.extensions.get::<Arc<Place>>() {
            Some(place) if !A::is_open(head.uri.path()) && !place.authenticate() => {
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, BUSY))
            }
            _ => Ok(client),
        }
    }
}

impl<A> Clone for ApiService<A> {
    fn clone(&self) -> Self {
        Self {
            own: Arc::clone(&self.own),
            router: self.router.clone(),
            places: Arc::clone(&self.places),
            turns: Arc::clone(&self.turns),
            tls: Arc::clone(&self.tls),
            endpoint: self.endpoint.clone(),
        }
    }
}

fn http(head_timeout: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(HEAD_SIZE);
    http
}

/// Resolves when the request that a connection is in is its last.
async fn last_request(closing: &CancellationToken, lifetime: Option<Duration>) {
    match lifetime {
        Some(lifetime) => {
            let _closing_or_old = timeout(lifetime, closing.cancelled()).await;
        }
        None => closing.cancelled().await,
    }
}

fn lost(error: &io::Error) {
    tracing::error!(%error, "a connection was lost between workers");
}
