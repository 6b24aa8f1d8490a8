//! Connections to servers that wait for the next request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::old_servers::OldServers;
use super::pace::Paced;
use super::socket::{Line, ServerSocket};
use super::upload::{Progress, Upload};
use crate::config::ServerAddress;
use crate::server::http::client_body::ClientBody;
use crate::server::http::limiter::{ConnectionLimiter, IdlePermit};
use crate::{ConnectionKey, ErrorReport, PlainRequest, PlainRequestBody};

/// One connection, to send requests on.
pub(super) struct Connection {
    sender: Sender,
    line: Arc<Line>,
    /// It has served a request before.
    is_reused: bool,
}

type Sender = http1::SendRequest<Upload<RequestBody>>;

/// The body of a client's request.
pub(super) type RequestBody = Paced<PlainRequestBody<ClientBody>>;

/// The idle connections of one worker; clones share them.
#[derive(Clone)]
pub(crate) struct KeepAlivePool {
    /// By their servers, each list in the order of their last use.
    idle: Arc<Mutex<IdleConnections>>,
    /// Those of all workers.
    old_servers: OldServers,
    limiter: Arc<ConnectionLimiter>,
    tasks: TaskTracker,
}

type IdleConnections = HashMap<ServerAddress, Vec<Idle>>;

struct Idle {
    key: ConnectionKey,
    connection: Connection,
    since: Instant,
    _permit: IdlePermit,
}

/// An idle connection is closed after this. Servers close theirs too, and a request that crosses with
/// that is lost; so this is well below the timeout of most servers.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Idle connections to one server, whichever requests they are for.
const IDLE_PER_SERVER: usize = 32;

/// Hyper's buffer for responses: a head must fit.
const BUFFER: usize = 64 * 1024;

impl KeepAlivePool {
    /// A pool that spawns its tasks on `tasks`, on the worker that uses it.
    pub(crate) fn new(
        tasks: TaskTracker,
        limiter: Arc<ConnectionLimiter>,
        old_servers: OldServers,
    ) -> Self {
        Self {
            idle: Arc::default(),
            old_servers,
            limiter,
            tasks,
        }
    }

    /// The most recently used idle connection that a request may be sent on.
    pub(super) fn take(&self, request: &PlainRequest) -> Option<Connection> {
        let mut idle = self.idle();
        let connections = idle.get_mut(request.address())?;
        let key = request.connection_key();
        while let Some(place) = connections.iter().rposition(|idle| idle.key == key) {
            let Idle {
                connection, since, ..
            } = connections.remove(place);
            if connection.sender.is_ready() && since.elapsed() < IDLE_TIMEOUT {
                return Some(connection);
            }
        }
        None
    }

    /// Makes a new connection ready for its first request.
    pub(super) async fn open(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> hyper::Result<Connection> {
        let (socket, line) = ServerSocket::new(stream);
        let opened = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(socket));
        let (sender, connection) = opened.await?;
        self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %ErrorReport(&error), "a connection to a server ended");
            }
        });
        Ok(Connection {
            sender,
            line,
            is_reused: false,
        })
    }

    /// What runs on the worker beside its requests.
    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// The servers that speak HTTP/1.0.
    pub(super) fn old_servers(&self) -> &OldServers {
        &self.old_servers
    }

    /// Takes a connection back once its request has been sent and its response been read to the end; until then
    /// the request counts on its server. A connection whose request is not sent when the response is `over` is given
    /// up, if the server does not take the rest.
    pub(super) fn keep(
        &self,
        connection: Connection,
        request: Arc<PlainRequest>,
        progress: Arc<Progress>,
        over: Arc<Notify>,
    ) {
        let pool = self.clone();
        let Connection {
            mut sender, line, ..
        } = connection;
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                ready = sender.ready() => if ready.is_ok() {
                    let connection = Connection { sender, line, is_reused: true };
                    pool.put(&request, connection);
                },
                () = progress.stalls(&over, request.response_timeout()) => line.cut(),
            }
        });
    }

    /// Keeps a connection. Where there are as many as may be, it takes the place of the one that was not used
    /// for longest: that may be for a client that has gone.
    fn put(&self, request: &PlainRequest, connection: Connection) {
        let mut idle = self.idle();
        let connections = idle.entry(request.address().clone()).or_default();
        if connections.len() >= IDLE_PER_SERVER {
            connections.remove(0);
        }
        if let Some(permit) = self.limiter.admit_idle() {
            connections.push(Idle {
                key: request.connection_key(),
                connection,
                since: Instant::now(),
                _permit: permit,
            });
        }
    }

    /// Closes connections that have been idle for too long, for as long as it is polled.
    pub(crate) async fn sweep(self) {
        loop {
            tokio::time::sleep(IDLE_TIMEOUT / 2).await;
            self.idle().retain(|_, connections| {
                connections.retain(|idle| {
                    !idle.connection.sender.is_closed() && idle.since.elapsed() < IDLE_TIMEOUT
                });
                !connections.is_empty()
            });
        }
    }

    fn idle(&self) -> MutexGuard<'_, IdleConnections> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Sends a request; resolves with the head of the response.
    pub(super) fn send(
        &mut self,
        request: Request<Upload<RequestBody>>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Upload<RequestBody>>>>>
    {
        self.line.begin();
        self.sender.try_send_request(request)
    }

    pub(super) fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Whether the server has sent anything since the request.
    pub(super) fn has_heard(&self) -> bool {
        self.line.has_heard()
    }
}
