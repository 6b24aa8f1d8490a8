//! The handle: what an operator does to a running gate.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::drain::{self, Drained};
use super::gate::BuildError;
use super::metrics::Metrics;
use super::reload::Reloaded;
use super::servers::{ServerDrain, UnknownServer, UpstreamInfo};
use super::sessions::SessionInfo;
#[cfg(feature = "server")]
use super::sessions::{Page, Selection};
use crate::close::{CloseCode, CloseReason};
use crate::config::Config;
#[cfg(feature = "server")]
use crate::events::{Listening, NotHeard, Wants};
#[cfg(feature = "server")]
use crate::session::SessionEntry;
use crate::types::SessionId;

/// Lists, closes and drains the sessions of a [`Gate`](super::Gate). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    core: Arc<Core>,
}

impl Handle {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// All live sessions, oldest first.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        let mut entries = self.core.registry.list();
        entries.sort_unstable_by_key(|entry| entry.id);
        entries.iter().map(|entry| SessionInfo::of(entry)).collect()
    }

    /// How many live sessions there are.
    #[cfg(feature = "server")]
    pub(crate) fn open_sessions(&self) -> usize {
        self.core.registry.count()
    }

    /// The live sessions of a selection: the oldest `most` that came after this one.
    #[cfg(feature = "server")]
    pub(crate) fn page(&self, selection: &Selection, after: SessionId, most: usize) -> Page {
        Page::of(self.selected(selection), after, most)
    }

    /// Closes every session of a selection, as [`Handle::close`] does with one, and says how many
    /// there were.
    #[cfg(feature = "server")]
    pub(crate) fn close_selected(
        &self,
        selection: &Selection,
        code: CloseCode,
        reason: &str,
    ) -> usize {
        let entries = self.selected(selection);
        let kicked = CloseReason::Kicked {
            code,
            reason: reason.into(),
        };
        for entry in &entries {
            entry.request_close(kicked.clone());
        }
        entries.len()
    }

    #[cfg(feature = "server")]
    fn selected(&self, selection: &Selection) -> Vec<Arc<SessionEntry>> {
        let mut entries = self.core.registry.list();
        entries.retain(|entry| selection.takes(entry));
        entries
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

    /// Every upstream of the settings with its servers, and how it is with them.
    pub fn upstreams(&self) -> Vec<UpstreamInfo> {
        self.core.upstreams()
    }

    /// Sends no new session to a server, and no plain request. Live sessions stay, unless `close`
    /// says over which time they are to be sent away: with `drain.close_code`, each at a moment of
    /// its own; what is still open `drain.deadline` after that is cut.
    ///
    /// `server` is the server as the settings name it, its `host:port`, or its place among the
    /// upstream's servers, from 0 on. It holds over reloads, for as long as an upstream of this
    /// name has a server of this name, until [`Handle::resume_server`]. Where every server of an
    /// upstream is drained, handshakes are answered 503.
    ///
    /// Calling it again does no harm: with another `close`, the sessions that are left are spread
    /// anew. With `close` it is to be called within a tokio runtime, on which they are sent away.
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

    /// Sends sessions to a drained server again. Those that have not been told to leave yet stay.
    ///
    /// # Errors
    /// [`UnknownServer`] if there is no such server.
    pub fn resume_server(&self, upstream: &str, server: &str) -> Result<(), UnknownServer> {
        self.core.resume_server(upstream, server)
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

    /// Hears what happens from now on, until the end of a drain.
    #[cfg(feature = "server")]
    pub(crate) fn listen(&self, wants: Wants) -> Result<Listening, NotHeard> {
        self.core.registry.events.listen(wants)
    }

    /// The settings of the moment with every default, without their secrets.
    #[cfg(feature = "server")]
    pub(crate) fn resolved_settings(&self) -> serde_json::Value {
        self.core.settings().config.resolved()
    }

    /// Over which time the settings spread the closes of a drain.
    #[cfg(feature = "server")]
    pub(crate) fn drain_spread(&self) -> Duration {
        self.core.settings().config.drain.spread
    }

    /// The deadline of the settings' own drain.
    #[cfg(feature = "server")]
    pub(crate) fn drain_deadline(&self) -> Duration {
        self.core.settings().config.drain.deadline
    }

    /// Allows at most this many sessions at once from now on; 0 is no limit.
    #[cfg(feature = "server")]
    pub(crate) fn allow_sessions(&self, most: usize) {
        self.core.registry.set_max_sessions(most);
    }

    /// Whether the gate takes new sessions; false from the beginning of a drain on.
    pub fn is_ready(&self) -> bool {
        !self.core.registry.is_draining()
    }
}
