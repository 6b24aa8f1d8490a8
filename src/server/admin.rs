//! The admin interface: is the process alive, is it ready, who is connected.
//!
//! `router.rs` is the table of what it answers to; the handlers stand in a file for each topic.

mod access;
mod answer;
mod body;
mod drain;
mod event;
mod events;
mod expiry;
mod exposition;
mod guard;
mod interface;
mod library;
mod logout;
mod metadata;
mod metrics;
mod openapi;
mod places;
mod probes;
mod query;
mod reload;
mod response;
mod router;
mod schema;
mod secured;
mod sessions;
mod settings;
mod stream;
mod tickets;
mod timestamp;
mod upstreams;
mod value;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::uri::Scheme;
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use self::access::{Access, Admission, needs_no_token};
use self::answer::Answer;
use self::guard::Guard;
use self::interface::Interface;
use self::library::{ErrorReport, Handle, ListenAddress, Secret, ServerTls, Tickets, TlsAcceptor};
use self::places::{Place, Places};
use self::response::Refusal;
use self::router::router;
use self::secured::secured;
use crate::server::http::limiter::ConnectionLimiter;
use crate::server::http::request_lines::RequestLines;
use crate::server::lifecycle::reload::counts::ReloadCounts;
use crate::server::lifecycle::reload::requests::ReloadRequests;
use crate::server::lifecycle::workers::Worker;
use crate::server::listener::accept::{Accepted, Dispatch, Vacancy};
use crate::server::logging::queue::LogQueue;

/// Answers admin requests; a clone is the same interface.
#[derive(Clone)]
pub(super) struct AdminService {
    router: Router,
    access: Arc<Access>,
    places: Arc<Places>,
    /// Responses are made one after the other: some take long, and a worker has sessions to serve.
    turn: Arc<Mutex<()>>,
    streams: TaskTracker,
    /// What new connections begin with.
    tls: Arc<RwLock<Option<TlsAcceptor>>>,
    /// The scheme of a connection's requests.
    scheme: Scheme,
    /// Whether a browser could be tricked into reaching this address.
    browsable: bool,
    /// Cancelled when the address is no longer the interface's: a connection then finishes the
    /// request that it is in.
    closing: CancellationToken,
}

/// From accept, or the last answer, to the end of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

const HEAD_SIZE: usize = 16 * 1024;

/// From accept on; the request that a connection is in then is its last. An [`events`] stream goes
/// on: that is what it is for.
const LIFETIME: Duration = Duration::from_secs(60);

/// For so long the process waits for the end of an events stream to be taken.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// All places that are no probe's are taken, by requests that are being answered.
const BUSY: &str = "too many requests are being answered";

/// Hyper would cut it off (RFC 9112 §3.2).
const FRAGMENT: &str = "the request target must not have a fragment";

impl AdminService {
    /// `tasks` owns what the interface starts; `connections` and `room` are looked at only.
    pub(super) fn new(
        handle: Handle,
        reloads: Option<ReloadRequests>,
        reload_counts: Arc<ReloadCounts>,
        log: Option<LogQueue>,
        tasks: TaskTracker,
        connections: TaskTracker,
        limiter: Arc<ConnectionLimiter>,
    ) -> Self {
        let places = Places::new(limiter.budget().admin_connections());
        let streams = TaskTracker::new();
        let interface = Interface {
            handle,
            drain_requested: AtomicBool::new(false),
            reloads,
            reload_counts,
            log,
            tasks,
            connections,
            limiter,
            streams: streams.clone(),
            started: SystemTime::now(),
        };
        Self {
            router: router(Arc::new(interface)),
            access: Arc::default(),
            places,
            turn: Arc::default(),
            streams,
            tls: Arc::default(),
            scheme: Scheme::HTTP,
            browsable: true,
            closing: CancellationToken::new(),
        }
    }

    /// Speaks this TLS with new connections from now on; `None` is plain HTTP.
    pub(super) fn set_tls(&self, tls: Option<&ServerTls>, tickets: &Arc<Tickets>) {
        let acceptor = tls.map(|tls| tls.acceptor(&[b"http/1.1"], tickets));
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }

    fn acceptor(&self) -> Option<TlsAcceptor> {
        let tls = self.tls.read().unwrap_or_else(PoisonError::into_inner);
        tls.clone()
    }

    /// The same interface at this address, for as long as it is there.
    pub(super) fn at(&self, address: &ListenAddress, closing: CancellationToken) -> Self {
        Self {
            browsable: matches!(address, ListenAddress::Tcp(_)),
            closing,
            ..self.clone()
        }
    }

    /// Requires this token from now on; `None` is none.
    pub(super) fn require_token(&self, token: Option<Secret>) {
        self.access.require(token);
    }

    /// Waits for the event streams, which end when a drain does.
    pub(super) async fn streams_ended(&self) {
        self.streams.close();
        if timeout(END_TIMEOUT, self.streams.wait()).await.is_err() {
            tracing::debug!("an events stream was cut off");
        }
    }

    /// When another connection may be accepted.
    pub(super) fn vacancy(&self) -> Vacancy {
        let places = Arc::clone(&self.places);
        Vacancy::when(move || {
            let places = Arc::clone(&places);
            async move { places.vacant().await }
        })
    }

    /// Serves accepted connections on a worker.
    pub(super) fn dispatch(self, worker: Worker) -> Dispatch {
        let connections = TaskTracker::new();
        Arc::new(move |accepted| {
            let place = self.places.take();
            worker.spawn(&connections, self.clone().serve(accepted, place));
        })
    }

    async fn serve(self, accepted: Accepted, place: Place) {
        let place = Arc::new(place);
        let (socket, _) = accepted.into_transport();
        let Some(acceptor) = self.acceptor() else {
            return self.serve_on(socket, place).await;
        };
        if let Some(socket) = secured(&acceptor, socket, &place, &self.closing).await {
            let scheme = Scheme::HTTPS;
            Self { scheme, ..self }.serve_on(socket, place).await;
        }
    }

    async fn serve_on(self, socket: impl AsyncRead + AsyncWrite + Unpin, place: Arc<Place>) {
        let closing = self.closing.clone();
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_SIZE);
        let lines = Arc::<RequestLines>::default();
        let guard = Guard::new(socket, Arc::clone(&lines), Arc::clone(&place));
        let answered = Arc::clone(&place);
        let service = service_fn(move |request: Request<Incoming>| {
            let has_fragment = lines.begin_request(request.body());
            // Behind a body hyper would read the next request though this response is still to be
            // written, and a client that reads none would pile them up.
            let is_last = !request.body().is_end_stream();
            let takes_body = takes_body(request.method(), request.uri().path());
            // Anybody may send its body as slowly as they like: until it is verified, a newcomer may have the place.
            let is_strangers = takes_body && needs_no_token(request.uri().path());
            let (admin, mut request) = (
                self.clone(),
                request.map(|body| match takes_body {
                    true => Body::new(body),
                    false => Body::empty(),
                }),
            );
            let place = Arc::clone(&answered);
            if !is_strangers {
                place.begin_answer();
            }
            request.extensions_mut().insert(Arc::clone(&place));
            async move {
                let mut response = match has_fragment {
                    true => Refusal::new(StatusCode::BAD_REQUEST, FRAGMENT).into_response(),
                    false => admin.respond(request).await,
                };
                if is_strangers {
                    place.begin_answer();
                }
                if is_last {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(response.map(|body| Answer::new(body, place)))
            }
        });
        let mut connection = pin!(http.serve_connection(TokioIo::new(guard), service));
        let served = async {
            tokio::select! {
                served = &mut connection => served,
                _closing_or_old = timeout(LIFETIME, closing.cancelled()) => {
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
                tracing::debug!("an admin connection was closed for another one");
                return;
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error = %ErrorReport(&error), "admin connection ended");
        }
    }

    /// Answers a request when it is its turn.
    async fn respond(&self, mut request: Request<Body>) -> Response {
        let turn = self.turn.lock().await;
        // What else there is to do on this worker is done between two responses.
        yield_now().await;
        let admission = match self.admit(&request) {
            Ok(admission) => admission,
            Err(refusal) => return refusal.into_response(),
        };
        if let Some(place) = request.extensions().get::<Arc<Place>>()
            && !needs_no_token(request.uri().path())
            && !place.authenticate()
        {
            return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, BUSY).into_response();
        }
        request.extensions_mut().insert(admission);
        let mut response = pin!(self.router.clone().call(request));
        let response = match (&mut response).now_or_never() {
            Some(response) => response,
            // A reload takes a while, in which others have their turn.
            None => {
                drop(turn);
                response.await
            }
        };
        let mut response = response.unwrap_or_else(|never| match never {});
        tidy_allow(&mut response);
        response
    }

    fn admit(&self, request: &Request<Body>) -> Result<Admission, Refusal> {
        // It would count in the place of `Host` (RFC 9112 §3.2.2), and only a client of a proxy
        // sends one.
        if request.uri().authority().is_some() {
            let problem = "the request target must be a path";
            return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, problem));
        }
        if self.closing.is_cancelled() {
            let problem = "the admin interface is no longer here";
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, problem));
        }
        let (path, headers) = (request.uri().path(), request.headers());
        Ok(Admission {
            revoked: self
                .access
                .admit(path, headers, &self.scheme, self.browsable)?,
            closing: self.closing.clone(),
        })
    }
}

/// Whether the body of a request is read.
fn takes_body(method: &Method, path: &str) -> bool {
    match *method {
        Method::PATCH => true,
        Method::POST => path == "/tickets" || path.starts_with("/logout/"),
        _ => false,
    }
}

/// Names the methods of a path as its documentation does: a HEAD goes with each GET.
fn tidy_allow(response: &mut Response) {
    let Some(allow) = response.headers_mut().get_mut(header::ALLOW) else {
        return;
    };
    let methods = allow.to_str().unwrap_or_default().split(',');
    let methods: Vec<_> = methods.filter(|method| *method != "HEAD").collect();
    if let Ok(methods) = HeaderValue::from_str(&methods.join(", ")) {
        *allow = methods;
    }
}

#[cfg(test)]
mod tests;
