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
use crate::PlainRequest;
use crate::config::ServerAddress;
use crate::error_report::ErrorReport;
use crate::server::http::limiter::{IdlePlace, Room};

/// One connection, to send requests on.
pub(super) type Sender = http1::SendRequest<Upload<Paced<Incoming>>>;

/// The idle connections of one worker; a clone is the same pool.
#[derive(Clone)]
pub(crate) struct Pool {
    idle: Arc<Mutex<HashMap<ServerAddress, Vec<Idle>>>>,
    room: Arc<Room>,
    tasks: TaskTracker,
}

struct Idle {
    sender: Sender,
    since: Instant,
    _place: IdlePlace,
}

/// A connection that waits for longer is closed. Servers close theirs too, and a request that
/// crosses with that is lost; so this is well below what most of them have.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Idle connections to one server.
const IDLE_PER_SERVER: usize = 32;

/// What hyper holds of a response at once: its head must fit.
const BUFFER: usize = 64 * 1024;

impl Pool {
    /// A pool whose tasks are `tasks`; they run on the worker that uses it.
    pub(crate) fn new(tasks: TaskTracker, room: Arc<Room>) -> Self {
        Self {
            idle: Arc::default(),
            room,
            tasks,
        }
    }

    /// The connection to a server that was used last.
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
            && let Some(place) = self.room.keep_idle()
        {
            connections.push(Idle {
                sender,
                since: Instant::now(),
                _place: place,
            });
        }
    }

    /// Closes what has waited for too long, for as long as it is polled.
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
