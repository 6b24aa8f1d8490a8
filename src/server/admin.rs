//! The admin interface: is the process alive, is it ready, who is connected.
//!
//! | request | answer |
//! |---|---|
//! | `GET /healthz` | 200 while the process lives |
//! | `GET /readyz` | 200, or 503 while it drains |
//! | `GET /metrics` | all counts, for Prometheus |
//! | `GET /sessions` | the sessions as JSON |
//! | `DELETE /sessions/ID` | 204: the session is closed with 1001 |
//! | `POST /drain` | 202: every session is sent away, and none let in any more |

mod access;
mod exposition;
mod metrics;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use self::access::{bears, is_cross_site, names_this_machine};
use super::accept::{Accepted, Dispatch};
use super::process::Process;
use super::workers::Worker;
use crate::chain::Chain;
use crate::close::CloseCode;
use crate::config::{Admin, ListenAddress, Secret};
use crate::proxy::{Handle, SessionInfo};
use crate::types::SessionId;

/// Answers admin requests; a clone is the same interface.
#[derive(Clone)]
pub(super) struct AdminService {
    inner: Arc<Inner>,
}

struct Inner {
    token: Option<Secret>,
    /// Whether a browser could be tricked into reaching this address.
    browsable: bool,
    handle: Handle,
    drain_deadline: Duration,
    drain_asked: AtomicBool,
    tasks: TaskTracker,
    /// The connections of clients.
    connections: TaskTracker,
    started: SystemTime,
}

/// Connections at once; beyond them new ones are closed.
const MAX_CONNECTIONS: usize = 64;

/// From accept, or the last answer, to the end of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

const HEAD_SIZE: usize = 16 * 1024;

impl AdminService {
    /// `tasks` owns what the interface starts, and `connections` is looked at only.
    pub(super) fn new(
        settings: &Admin,
        handle: Handle,
        drain_deadline: Duration,
        tasks: TaskTracker,
        connections: TaskTracker,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                token: settings.token.clone(),
                browsable: matches!(settings.address, ListenAddress::Tcp(_)),
                handle,
                drain_deadline,
                drain_asked: AtomicBool::new(false),
                tasks,
                connections,
                started: SystemTime::now(),
            }),
        }
    }

    /// Serves accepted connections on a worker.
    pub(super) fn dispatch(self, worker: Worker) -> Dispatch {
        let connections = TaskTracker::new();
        Arc::new(move |accepted| {
            if connections.len() < MAX_CONNECTIONS {
                worker.spawn(&connections, self.clone().serve(accepted));
            }
        })
    }

    async fn serve(self, accepted: Accepted) {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_SIZE);
        let served = match accepted {
            Accepted::Tcp(stream, _) => http.serve_connection(TokioIo::new(stream), self).await,
            Accepted::Unix(stream) => http.serve_connection(TokioIo::new(stream), self).await,
        };
        if let Err(error) = served {
            tracing::debug!(error = %Chain(&error), "admin connection ended");
        }
    }

    fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response<Full<Bytes>> {
        if let Some(refusal) = self.refuse(path, headers) {
            return refusal;
        }
        let session = path.strip_prefix("/sessions/").map(str::parse::<u64>);
        match (path, session) {
            ("/healthz", _) => only(Method::GET, method, || {
                answer_json(StatusCode::OK, &json!({"alive": true}))
            }),
            ("/readyz", _) => only(Method::GET, method, || self.readiness()),
            ("/metrics", _) => only(Method::GET, method, || self.metrics()),
            ("/sessions", _) => only(Method::GET, method, || self.sessions()),
            ("/drain", _) => only(Method::POST, method, || self.drain()),
            (_, Some(Ok(id))) => only(Method::DELETE, method, || self.close(id.into())),
            _ => error(StatusCode::NOT_FOUND, "no such resource"),
        }
    }

    /// Lets nobody in on the strength of a browser that somebody else's page drives, and nobody
    /// without the token where there is one. A probe needs no token: it learns one bit.
    fn refuse(&self, path: &str, headers: &HeaderMap) -> Option<Response<Full<Bytes>>> {
        if is_cross_site(headers) {
            return Some(error(
                StatusCode::FORBIDDEN,
                "requests of web pages are not answered",
            ));
        }
        match &self.inner.token {
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
            None if self.inner.browsable && !names_this_machine(headers) => Some(error(
                StatusCode::MISDIRECTED_REQUEST,
                "Host must be an address or localhost",
            )),
            None => None,
        }
    }

    fn readiness(&self) -> Response<Full<Bytes>> {
        let ready = self.inner.handle.is_ready();
        let status = match ready {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        answer_json(status, &json!({ "ready": ready }))
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        let inner = &self.inner;
        let process = Process::look(inner.started);
        let text = metrics::text(&inner.handle.metrics(), inner.connections.len(), &process);
        answer(StatusCode::OK, exposition::CONTENT_TYPE, text)
    }

    fn sessions(&self) -> Response<Full<Bytes>> {
        let sessions: Vec<_> = self.inner.handle.sessions().iter().map(describe).collect();
        answer_json(StatusCode::OK, &json!({ "sessions": sessions }))
    }

    fn close(&self, id: SessionId) -> Response<Full<Bytes>> {
        let reason = "closed by an administrator";
        match self.inner.handle.close(id, CloseCode::GOING_AWAY, reason) {
            true => {
                tracing::info!(session = %id, "session closed through the admin interface");
                let mut done = Response::new(Full::default());
                *done.status_mut() = StatusCode::NO_CONTENT;
                done
            }
            false => error(StatusCode::NOT_FOUND, "no such session"),
        }
    }

    fn drain(&self) -> Response<Full<Bytes>> {
        let inner = &self.inner;
        if !inner.drain_asked.swap(true, Ordering::Relaxed) {
            tracing::info!("drain asked for through the admin interface");
            let (handle, deadline) = (inner.handle.clone(), inner.drain_deadline);
            let mut drain = Box::pin(async move {
                handle.drain(deadline).await;
            });
            // It begins before the answer does: whoever has that finds the gate not ready.
            if (&mut drain).now_or_never().is_none() {
                inner.tasks.spawn(drain);
            }
        }
        let sessions = inner.handle.sessions().len();
        answer_json(
            StatusCode::ACCEPTED,
            &json!({ "draining": true, "sessions": sessions }),
        )
    }
}

impl Service<Request<Incoming>> for AdminService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let answer = self.answer(request.method(), request.uri().path(), request.headers());
        ready(Ok(answer))
    }
}

/// One session for `GET /sessions`.
fn describe(session: &SessionInfo) -> Value {
    json!({
        "id": session.id.get(),
        "route": &*session.route,
        "client": session.client,
        "upstream": &*session.upstream,
        "server": &*session.server,
        "age_seconds": session.age.as_secs(),
        "messages_from_client": session.messages_from_client,
        "bytes_from_client": session.bytes_from_client,
        "messages_from_upstream": session.messages_from_upstream,
        "bytes_from_upstream": session.bytes_from_upstream,
    })
}

fn only(
    allowed: Method,
    method: &Method,
    answer: impl FnOnce() -> Response<Full<Bytes>>,
) -> Response<Full<Bytes>> {
    if *method == allowed || (allowed == Method::GET && *method == Method::HEAD) {
        return answer();
    }
    let mut refusal = error(StatusCode::METHOD_NOT_ALLOWED, "wrong method");
    if let Ok(allow) = HeaderValue::from_str(allowed.as_str()) {
        refusal.headers_mut().insert(header::ALLOW, allow);
    }
    refusal
}

fn error(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    answer_json(status, &json!({ "error": message }))
}

fn answer_json(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    answer(status, "application/json", format!("{value}\n"))
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}

#[cfg(test)]
mod tests;
