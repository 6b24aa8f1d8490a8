//! The handle: what an operator does to a running gate.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::build_error::BuildError;
use super::metrics::Metrics;
use super::reload::Reloaded;
use super::servers::{ServerDrain, UnknownServer, UpstreamInfo};
use super::sessions::{Page, Selection};
use crate::close::{CloseCode, CloseReason};
use crate::config::Config;
use crate::observe::{EventFilter, EventStream, SessionInfo, SubscribeError};
use crate::pipeline::Core;
use crate::session::drain::{self, Drained};
use crate::session::{Revocation, SessionEntry};
use crate::types::{ClientAddr, SessionId};

/// Lists, closes and drains the sessions of a [`Gate`](super::Gate). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    core: Arc<Core>,
}

impl Handle {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// All live sessions, oldest first.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        let mut entries = self.core.registry.list();
        entries.sort_unstable_by_key(|entry| entry.id);
        entries.iter().map(|entry| entry.info()).collect()
    }

    /// How many live sessions there are.
    pub fn open_sessions(&self) -> usize {
        self.core.registry.count()
    }

    /// The live sessions of a selection, a page at a time: the oldest `most` of those with an id
    /// above `after`; [`SessionId::from(0)`](SessionId) begins.
    pub fn page(&self, selection: &Selection, after: SessionId, most: usize) -> Page {
        Page::of(self.selected(selection), after, most)
    }

    /// Closes every session of a selection, as [`Handle::close`] does with one, and says how many
    /// there were.
    pub fn close_selected(&self, selection: &Selection, code: CloseCode, reason: &str) -> usize {
        close_all(&self.selected(selection), code, reason)
    }

    fn selected(&self, selection: &Selection) -> Vec<Arc<SessionEntry>> {
        let mut entries = self.core.registry.list();
        entries.retain(|entry| selection.takes(entry));
        entries
    }

    /// Closes every session that `selects` picks, and returns how many those are: each client gets this
    /// code and reason (cut at 123 bytes), each upstream 1001. `selects` runs once for each session.
    pub fn close_where(
        &self,
        mut selects: impl FnMut(&SessionInfo) -> bool,
        code: CloseCode,
        reason: &str,
    ) -> usize {
        let mut entries = self.core.registry.list();
        entries.retain(|entry| selects(&entry.info()));
        close_all(&entries, code, reason)
    }

    /// What the gate has counted since it was built, live sessions included.
    pub fn metrics(&self) -> Metrics {
        Metrics::of(&self.core)
    }

    /// Closes one session: the client gets this code and reason (cut at 123 bytes), the upstream
    /// 1001. False if there is no such session.
    pub fn close(&self, id: SessionId, code: CloseCode, reason: &str) -> bool {
        let entry = self.core.registry.find(id);
        entry
            .inspect(|entry| {
                entry.request_close(CloseReason::Kicked {
                    code,
                    reason: reason.into(),
                })
            })
            .is_some()
    }

    /// Closes the sessions that a revocation takes with 4403, and returns how many there are. For a day, what was
    /// revoked is refused with 401, `token_revoked`: tokens that were issued until now (or until the moment of the
    /// revocation) and identities that do not say when they were issued. The last 10,000 revocations are kept,
    /// in this process alone.
    pub fn revoke(&self, revocation: &Revocation) -> usize {
        self.core.revoke(revocation)
    }

    /// Has a session end at this moment of the wall clock, or never (`None`), whatever its policies granted. The
    /// client then gets the close code of that grant, or 4401 if there was none. A moment that has passed
    /// ends it now. False if there is no such session.
    pub fn set_expiry(&self, id: SessionId, moment: Option<SystemTime>) -> bool {
        self.core.registry.set_expiry(id, moment)
    }

    /// Begins to connect with the engine that gates share, so that it is there for the first client. Without this call the
    /// first request does it. Call it within a tokio runtime: that one keeps the connections, also with an engine of later
    /// settings; when it ends, the one of the next request does. Handshakes wait for what it reads, so it should be one that
    /// has little else to do.
    pub fn connect_engine(&self) {
        self.core.shared.connect_here();
    }

    /// Every upstream of the settings with its servers, and how it is with them.
    pub fn upstreams(&self) -> Vec<UpstreamInfo> {
        self.core.upstreams()
    }

    /// Drains a server: it gets no new session and no plain request. Its open sessions continue,
    /// unless `close` is the time over which they are closed, with `drain.close_code`; sessions
    /// still open `drain.deadline` after that are aborted.
    ///
    /// `server` is the server as the settings name it, its `host:port`, or its position among the
    /// upstream's servers, from 0. The drain survives reloads, as long as an upstream of this name
    /// has a server of this name, until [`Handle::resume_server`]. If every server of an upstream
    /// is drained, handshakes are answered 503.
    ///
    /// It may be called again: with another `close`, the remaining sessions are spread anew. With
    /// `close`, call it within a tokio runtime, which closes the sessions.
    ///
    /// # Errors
    /// [`UnknownServer`] if there is no such server; nothing has changed then.
    pub fn drain_server(
        &self,
        upstream: &str,
        server: &str,
        close: Option<Duration>,
    ) -> Result<ServerDrain, UnknownServer> {
        self.core.drain_server(upstream, server, close)
    }

    /// Ends the drain of a server. Sessions that were not closed yet stay.
    ///
    /// # Errors
    /// [`UnknownServer`] if there is no such server.
    pub fn resume_server(&self, upstream: &str, server: &str) -> Result<(), UnknownServer> {
        self.core.resume_server(upstream, server)
    }

    /// Accepts no new sessions (handshakes are answered 503) and closes the open ones with the
    /// settings under `[drain]`: with `close_code`, spread over `spread`. Sessions still open at the
    /// `deadline` are aborted. Returns when no session is left.
    pub async fn drain(&self, deadline: Duration) -> Drained {
        let settings = self.core.settings().config.drain;
        let drained = drain::drain(&self.core.registry, settings, deadline).await;
        self.core.shared.write_presence().await;
        drained
    }

    /// Replaces the settings of the gate, without losing a session.
    ///
    /// Handshakes that begin from now on use the new settings; those in flight and all open
    /// sessions keep their own. Sessions of routes whose names were removed are closed with
    /// `[drain]` of the new settings. The counts of addresses go on for a route of the same name,
    /// and those of servers for an upstream and a server of the same names. A message filter stays
    /// with the name of its route.
    ///
    /// Call it within a tokio runtime, which closes the sessions.
    ///
    /// # Errors
    /// [`BuildError`] if a filter's route is gone or lets clients compress; nothing has changed
    /// then.
    pub fn reload(&self, config: Config) -> Result<Reloaded, BuildError> {
        self.core.reload(config)
    }

    /// Subscribes to what happens from now on, until the gate has drained: at most eight times at
    /// once. A subscriber that does not keep up loses events, and nothing waits for it.
    ///
    /// # Errors
    /// [`SubscribeError`] where there are eight already, or the gate has drained.
    pub fn subscribe(&self, filter: EventFilter) -> Result<EventStream, SubscribeError> {
        self.core.observers.subscribe(filter)
    }

    /// The settings of the moment.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.core.settings().config)
    }

    /// The deadline of a drain, by the settings (`drain.deadline`).
    pub fn drain_deadline(&self) -> Duration {
        self.core.settings().config.drain.deadline
    }

    /// The time over which the settings spread the closes of a drain (`drain.spread`).
    pub fn drain_spread(&self) -> Duration {
        self.core.settings().config.drain.spread
    }

    /// Allows at most this many sessions at once from now on; 0 is no limit. Those above it stay.
    pub fn set_max_sessions(&self, max_sessions: usize) {
        self.core.registry.set_max_sessions(max_sessions);
    }

    /// Counts and logs a request of which not even the head could be read, so that the host's HTTP
    /// server has answered it. `reason` is the word of the log.
    pub fn report_malformed(&self, peer: ClientAddr, reason: &'static str) {
        self.core.refuse_malformed(peer, reason);
    }

    /// Whether the gate takes new sessions; false from the beginning of a drain on.
    pub fn is_ready(&self) -> bool {
        !self.core.registry.is_draining()
    }
}
/// Closes these sessions, and returns how many there are.
fn close_all(entries: &[Arc<SessionEntry>], code: CloseCode, reason: &str) -> usize {
    let kicked = CloseReason::Kicked {
        code,
        reason: reason.into(),
    };
    for entry in entries {
        entry.request_close(kicked.clone());
    }
    entries.len()
}
