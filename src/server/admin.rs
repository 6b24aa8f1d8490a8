//! The admin interface: is the process alive, is it ready, who is connected.
//!
//! `router.rs` is the table of what it answers to; who answers stands in a file for each topic.

mod access;
mod answer;
mod drain;
mod events;
mod exposition;
mod guard;
mod metrics;
mod openapi;
mod probes;
mod query;
mod reload;
mod router;
mod sessions;
mod settings;
mod timestamp;
mod upstreams;

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::access::{bears, is_cross_site, names_this_machine};
use self::answer::{Answer, error};
use self::guard::Guard;
use self::router::Work;
use super::accept::{Accepted, Dispatch};
use super::descriptors::ADMIN_CONNECTIONS;
use super::reload::counts::ReloadCounts;
use super::reload::requests::Reloads;
use super::room::Room;
use super::workers::Worker;
use crate::config::{ListenAddress, Secret};
use crate::error_report::ErrorReport;
use crate::proxy::Handle;

/// Answers admin requests; a clone is the same interface.
#[derive(Clone)]
pub(super) struct AdminService {
    inner: Arc<Inner>,
    /// Whether a browser could be tricked into reaching this address.
    browsable: bool,
    /// Cancelled when the address is no longer the interface's: a connection then finishes the
    /// request that it is in.
    closing: CancellationToken,
}

struct Inner {
    entry: RwLock<Entry>,
    handle: Handle,
    drain_asked: AtomicBool,
    /// Answers are made one after the other: some take long, and a worker has sessions to serve.
    turn: Mutex<()>,
    reloads: Option<Reloads>,
    reload_counts: Arc<ReloadCounts>,
    tasks: TaskTracker,
    /// The connections of clients.
    connections: TaskTracker,
    room: Arc<Room>,
    /// Answers that go on.
    streams: TaskTracker,
    started: SystemTime,
}

/// Who is let in by the settings of the moment.
#[derive(Default)]
struct Entry {
    token: Option<Secret>,
    /// Cancelled when another token is asked for.
    over: CancellationToken,
}

/// From accept, or the last answer, to the end of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

const HEAD_SIZE: usize = 16 * 1024;

/// From accept on; the request that a connection is in then is its last. An [`events`] stream goes
/// on: that is what it is for.
const LIFETIME: Duration = Duration::from_secs(60);

/// For so long the process waits for the end of an events stream to be taken.
const END_TIMEOUT: Duration = Duration::from_secs(1);

impl AdminService {
    /// `tasks` owns what the interface starts; `connections` and `room` are looked at only.
    pub(super) fn new(
        handle: Handle,
        reloads: Option<Reloads>,
        reload_counts: Arc<ReloadCounts>,
        tasks: TaskTracker,
        connections: TaskTracker,
        room: Arc<Room>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                entry: RwLock::default(),
                handle,
                drain_asked: AtomicBool::new(false),
                turn: Mutex::default(),
                reloads,
                reload_counts,
                tasks,
                connections,
                room,
                streams: TaskTracker::new(),
                started: SystemTime::now(),
            }),
            browsable: true,
            closing: CancellationToken::new(),
        }
    }

    /// The same interface at this address, for as long as it is there.
    pub(super) fn at(&self, address: &ListenAddress, closing: CancellationToken) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            browsable: matches!(address, ListenAddress::Tcp(_)),
            closing,
        }
    }

    /// Asks for this token from now on, on connections that are open already as well; answers that
    /// go on for who had another end.
    pub(super) fn ask_for(&self, token: Option<Secret>) {
        let entry = self.inner.entry.write();
        let mut entry = entry.unwrap_or_else(PoisonError::into_inner);
        if entry.token != token {
            entry.over.cancel();
            *entry = Entry {
                token,
                over: CancellationToken::new(),
            };
        }
    }

    /// Waits for answers that go on, which end when a drain does.
    pub(super) async fn streams_ended(&self) {
        self.inner.streams.close();
        if timeout(END_TIMEOUT, self.inner.streams.wait())
            .await
            .is_err()
        {
            tracing::debug!("an events stream was cut off");
        }
    }

    /// Serves accepted connections on a worker.
    pub(super) fn dispatch(self, worker: Worker) -> Dispatch {
        let connections = TaskTracker::new();
        Arc::new(move |accepted| {
            if connections.len() < ADMIN_CONNECTIONS {
                worker.spawn(&connections, self.clone().serve(accepted));
            }
        })
    }

    async fn serve(self, accepted: Accepted) {
        match accepted {
            Accepted::Tcp(stream, _) => self.serve_on(stream).await,
            Accepted::Unix(stream) => self.serve_on(stream).await,
        }
    }

    async fn serve_on(self, socket: impl AsyncRead + AsyncWrite + Unpin) {
        let closing = self.closing.clone();
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_SIZE);
        let socket = TokioIo::new(Guard::new(socket));
        let mut connection = pin!(http.serve_connection(socket, self));
        let served = tokio::select! {
            served = &mut connection => served,
            _closing_or_old = timeout(LIFETIME, closing.cancelled()) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(error = %ErrorReport(&error), "admin connection ended");
        }
    }

    /// Answers a request when it is its turn.
    async fn respond(&self, request: &Parts) -> Answer {
        let turn = self.inner.turn.lock().await;
        // Whoever else has something to do on this worker does it between two answers.
        yield_now().await;
        // It would count in the place of `Host` (RFC 9112 §3.2.2), and only a client of a proxy
        // sends one.
        if request.uri.authority().is_some() {
            return error(
                StatusCode::MISDIRECTED_REQUEST,
                "the request target must be a path",
            );
        }
        let (path, headers) = (request.uri.path(), &request.headers);
        let let_in = self.entry().over.clone();
        if let Some(refusal) = self.refuse(path, headers) {
            return refusal;
        }
        let (endpoint, asked) = match router::find(&request.method, &request.uri, let_in) {
            Ok(found) => found,
            Err(refused) => return refused.answer(),
        };
        match endpoint.work {
            Work::Now(make) => {
                make(self, &asked).unwrap_or_else(|bad| router::Refused::Query(bad).answer())
            }
            Work::Later(make) => {
                drop(turn);
                make(self.clone()).await
            }
        }
    }

    fn entry(&self) -> RwLockReadGuard<'_, Entry> {
        let entry = self.inner.entry.read();
        entry.unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets nobody in on the strength of a browser that somebody else's page drives, and nobody
    /// without the token where there is one. A probe needs no token: it learns one bit.
    fn refuse(&self, path: &str, headers: &HeaderMap) -> Option<Answer> {
        if self.closing.is_cancelled() {
            let gone = "the admin interface is no longer here";
            return Some(error(StatusCode::SERVICE_UNAVAILABLE, gone));
        }
        if is_cross_site(headers) {
            return Some(error(
                StatusCode::FORBIDDEN,
                "requests of web pages are not answered",
            ));
        }
        match &self.entry().token {
            _ if matches!(path, "/healthz" | "/readyz") => None,
            Some(token) if bears(headers, token) => None,
            Some(_) => {
                let mut refusal = error(StatusCode::UNAUTHORIZED, "a bearer token is needed");
                let scheme = HeaderValue::from_static("Bearer");
                refusal
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, scheme);
                Some(refusal)
            }
            // A name that somebody else's DNS points here makes their page same-origin with us.
            None if self.browsable && !names_this_machine(headers) => Some(error(
                StatusCode::MISDIRECTED_REQUEST,
                "Host must be an address or localhost",
            )),
            None => None,
        }
    }
}

impl Service<Request<Incoming>> for AdminService {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (request, body) = request.into_parts();
        // Nothing here takes a body. Behind one hyper would read the next request though this
        // answer is still to be written, and whoever reads none would make them pile up.
        let is_last = !body.is_end_stream();
        let admin = self.clone();
        Box::pin(async move {
            let mut answer = admin.respond(&request).await;
            if is_last {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests;
