//! Serving the connections of an interface.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use futures_util::FutureExt;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, StatusCode, header};
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

use super::answer::Answer;
use super::definition::{Api, Endpoint};
use super::guard::Guard;
use super::library::{ErrorReport, ListenAddress, ServerTls, Tickets, TlsAcceptor};
use super::places::{Place, Places};
use super::response::Refusal;
use super::router::tidy_allow;
use super::secured::secured;
use crate::server::http::request_lines::RequestLines;
use crate::server::lifecycle::workers::Worker;
use crate::server::listener::accept::{Accepted, Dispatch, Vacancy};

/// Answers the requests of an interface; a clone is the same interface.
pub(crate) struct ApiService<A> {
    own: Arc<A>,
    router: Router,
    places: Arc<Places>,
    /// Responses are made one after the other: some take long, and a worker has sessions to serve.
    turn: Arc<Mutex<()>>,
    /// What new connections begin with.
    tls: Arc<RwLock<Option<TlsAcceptor>>>,
    endpoint: Endpoint,
}

/// From accept, or the last answer, to the end of a request's head.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

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
            turn: Arc::default(),
            tls: Arc::default(),
            endpoint: Endpoint {
                scheme: Scheme::HTTP,
                browsable: true,
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

    /// Serves accepted connections on a worker.
    pub(crate) fn dispatch(self, worker: Worker) -> Dispatch {
        let connections = TaskTracker::new();
        Arc::new(move |accepted| {
            let place = self.place();
            worker.spawn(&connections, self.clone().serve(accepted, place));
        })
    }

    async fn serve(mut self, accepted: Accepted, place: Place) {
        let (socket, _) = accepted.into_transport();
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
        let mut connection = pin!(http().serve_connection(TokioIo::new(guard), service));
        let served = async {
            tokio::select! {
                served = &mut connection => served,
                _closing_or_old = timeout(A::LIFETIME, closing.cancelled()) => {
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
        // Behind a body hyper would read the next request though this response is still to be
        // written, and a client that reads none would pile them up.
        let is_last = !request.body().is_end_stream();
        let path = request.uri().path();
        let takes_body = A::takes_body(request.method(), path);
        // Anybody may send its body as slowly as they like: until it is verified, a newcomer may have the place.
        let is_strangers = takes_body && A::is_open(path);
        let (api, mut request) = (
            self.clone(),
            request.map(|body| match takes_body {
                true => Body::new(body),
                false => Body::empty(),
            }),
        );
        if !is_strangers {
            place.begin_answer();
        }
        request.extensions_mut().insert(Arc::clone(&place));
        async move {
            let mut response = match has_fragment {
                true => Refusal::new(StatusCode::BAD_REQUEST, FRAGMENT).into_response(),
                false => api.respond(request).await,
            };
            if is_strangers {
                place.begin_answer();
            }
            if is_last {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(response.map(|body| Answer::new(body, place)))
        }
    }

    /// Answers a request when it is its turn.
    pub(crate) async fn respond(&self, mut request: Request<Body>) -> Response<Body> {
        let turn = self.turn.lock().await;
        // What else there is to do on this worker is done between two responses.
        yield_now().await;
        if let Err(refusal) = self.admit(&mut request) {
            return refusal.into_response();
        }
        if let Some(place) = request.extensions().get::<Arc<Place>>()
            && !A::is_open(request.uri().path())
            && !place.authenticate()
        {
            return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, BUSY).into_response();
        }
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

    fn admit(&self, request: &mut Request<Body>) -> Result<(), Refusal> {
        // It would count in the place of `Host` (RFC 9112 §3.2.2), and only a client of a proxy
        // sends one.
        if request.uri().authority().is_some() {
            let problem = "the request target must be a path";
            return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, problem));
        }
        if self.endpoint.closing.is_cancelled() {
            let problem = format!("the {} interface is no longer here", A::NAME);
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, problem));
        }
        self.own.admit(request, &self.endpoint)
    }
}

impl<A> Clone for ApiService<A> {
    fn clone(&self) -> Self {
        Self {
            own: Arc::clone(&self.own),
            router: self.router.clone(),
            places: Arc::clone(&self.places),
            turn: Arc::clone(&self.turn),
            tls: Arc::clone(&self.tls),
            endpoint: self.endpoint.clone(),
        }
    }
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_SIZE);
    http
}
