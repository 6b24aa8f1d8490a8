//! The handle: what an operator does to a running gate.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::drain::{self, Drained};
use super::gate::BuildError;
use super::metrics::Metrics;
use super::reload::Reloaded;
use crate::close::{CloseCode, CloseReason};
use crate::config::Config;
use crate::session::Record;
use crate::types::SessionId;

/// Lists, closes and drains the sessions of a [`Gate`](super::Gate). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    core: Arc<Core>,
}

/// One live session, as it was when it was asked about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its id, for [`Handle::close`].
    pub id: SessionId,
    /// The route that it came by.
    pub route: Arc<str>,
    /// The client's address, behind trusted proxies.
    pub client: IpAddr,
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// The server that serves it, as the settings name it.
    pub server: Arc<str>,
    /// How long it has been open.
    pub age: Duration,
    /// Messages from the client.
    pub messages_from_client: u64,
    /// Bytes passed on from the client, frame headers included.
    pub bytes_from_client: u64,
    /// Messages from the upstream.
    pub messages_from_upstream: u64,
    /// Bytes passed on from the upstream, frame headers included.
    pub bytes_from_upstream: u64,
}

impl Handle {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// All live sessions, oldest first.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        let records = self.core.registry.list();
        let mut sessions: Vec<_> = records.iter().map(|record| info(record)).collect();
        sessions.sort_unstable_by_key(|session| session.id);
        sessions
    }

    /// What the gate has counted since it was built, live sessions included.
    pub fn metrics(&self) -> Metrics {
        Metrics::of(&self.core)
    }

    /// Closes one session: the client gets this code and reason (cut at 123 bytes), the upstream
    /// 1001. False if there is no such session.
    pub fn close(&self, id: SessionId, code: CloseCode, reason: &str) -> bool {
        let record = self.core.registry.find(id);
        record
            .inspect(|record| {
                record.order(CloseReason::Kicked {
                    code,
                    reason: reason.into(),
                })
            })
            .is_some()
    }

    /// Takes no new sessions (handshakes are answered 503) and closes the live ones by the
    /// settings under `[drain]`: with `close_code`, spread over `spread`. What is still open at
    /// the `deadline` is cut. Returns when no session is left.
    pub async fn drain(&self, deadline: Duration) -> Drained {
        let settings = self.core.settings().config.drain;
        drain::drain(&self.core.registry, settings, deadline).await
    }

    /// Puts other settings in the place of the gate's own, without losing a session.
    ///
    /// Handshakes that begin from now on see the new settings; those under way and all live
    /// sessions keep the ones that they began with. Sessions of routes whose names are gone are
    /// sent away as `[drain]` of the new settings says. What addresses have done so far stays
    /// counted for a route of the same name, and what servers carry for an upstream and a server
    /// of the same names. A message filter stays with its route's name.
    ///
    /// To be called within a tokio runtime, on which the sessions are sent away.
    ///
    /// # Errors
    /// [`BuildError`] if a filter's route is gone or lets clients compress; nothing has changed
    /// then.
    pub fn reload(&self, config: Config) -> Result<Reloaded, BuildError> {
        self.core.reload(config)
    }

    /// The deadline of the settings' own drain.
    #[cfg(feature = "server")]
    pub(crate) fn drain_deadline(&self) -> Duration {
        self.core.settings().config.drain.deadline
    }

    /// Allows at most this many sessions at once from now on; 0 is no limit.
    #[cfg(feature = "server")]
    pub(crate) fn allow_sessions(&self, most: usize) {
        self.core.registry.allow(most);
    }

    /// Whether the gate takes new sessions; false from the beginning of a drain on.
    pub fn is_ready(&self) -> bool {
        !self.core.registry.is_draining()
    }
}

fn info(record: &Record) -> SessionInfo {
    let moved = record.traffic.load();
    SessionInfo {
        id: record.id,
        route: Arc::clone(&record.subject.route),
        client: record.subject.client,
        upstream: Arc::clone(&record.subject.upstream),
        server: Arc::clone(&record.subject.server),
        age: record.age(),
        messages_from_client: moved.messages_from_client,
        bytes_from_client: moved.bytes_from_client,
        messages_from_upstream: moved.messages_from_upstream,
        bytes_from_upstream: moved.bytes_from_upstream,
    }
}
