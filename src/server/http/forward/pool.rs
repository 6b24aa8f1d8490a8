//! Connections to servers that wait for the next request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::pace::Paced;
use super::upload::Upload;
use crate::config::ServerAddress;
use crate::server::http::limiter::{ConnectionLimiter, IdlePermit};
use crate::{ErrorReport, PlainRequest};

/// One connection, to send requests on.
pub(super) type Sender = http1::SendRequest<Upload<Paced<Incoming>>>;

/// The idle connections of one worker; clones share them.
#[derive(Clone)]
pub(crate) struct KeepAlivePool {
    idle: Arc<Mutex<HashMap<ServerAddress, Vec<Idle>>>>,
    limiter: Arc<ConnectionLimiter>,
    tasks: TaskTracker,
}

struct Idle {
    sender: Sender,
    since: Instant,
    _permit: IdlePermit,
}

/// An idle connection is closed after this. Servers close theirs too, and a request that crosses with
/// that is lost; so this is well below the timeout of most servers.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Idle connections to one server.
const IDLE_PER_SERVER: usize = 32;

/// Hyper's buffer for responses: a head must fit.
const BUFFER: usize = 64 * 1024;

impl KeepAlivePool {
    /// A pool that spawns its tasks on `tasks`, on the worker that uses it.
    pub(crate) fn new(tasks: TaskTracker, limiter: Arc<ConnectionLimiter>) -> Self {
        Self {
            idle: Arc::default(),
            limiter,
            tasks,
        }
    }

    /// The most recently used idle connection to a server.
    pub(super) fn take(&self, address: &ServerAddress) -> Option<Sender> {
        let mut idle = self.idle();
        let connections = idle.get_mut(address)?;
        while let Some(Idle { sender, since, .. }) = connections.pop() {
            if sender.is_ready() && since.elapsed() < IDLE_TIMEOUT {
                return Some(sender);
            }
        }
        None
    }

    /// Makes a new connection ready for its first request.
    pub(super) async fn open(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> hyper::Result<Sender> {
        let opened = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream));
        let (sender, connection) = opened.await?;
        self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %ErrorReport(&error), "a connection to a server ended");
            }
        });
        Ok(sender)
    }

    /// Takes a connection back once its response has been read to the end; until then its request
    /// counts on its server.
    pub(super) fn keep(&self, mut sender: Sender, request: Arc<PlainRequest>) {
        let pool = self.clone();
        self.tasks.spawn(async move {
            if sender.ready().await.is_ok() {
                pool.put(request.address(), sender);
            }
        });
    }

    fn put(&self, address: &ServerAddress, sender: Sender) {
        let mut idle = self.idle();
        let connections = idle.entry(address.clone()).or_default();
        if connections.len() < IDLE_PER_SERVER
            && let Some(permit) = self.limiter.admit_idle()
        {
            connections.push(Idle {
                sender,
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
                connections
                    .retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < IDLE_TIMEOUT);
                !connections.is_empty()
            });
        }
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<ServerAddress, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
