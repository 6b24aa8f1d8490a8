//! What all clones of a gate share, and what every part of the plugin's face asks it for.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use http::request;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::counters::Counters;
use super::flow;
use super::hint::UntrustedHint;
#[cfg(feature = "server")]
use super::rejected;
use super::rejected::{Refusal, Rejections};
use super::servers::ServerDrains;
use super::settings::Snapshot;
use crate::config::{Config, Route};
#[cfg(feature = "server")]
use crate::events::Kind;
use crate::handshake::{self, Target};
use crate::policy::address::ClientIdentity;
use crate::rejection::Rejection;
use crate::session::{MessageFilter, Registry};
use crate::trace::Tracing;
#[cfg(feature = "server")]
use crate::types::ClientAddr;
use crate::upstream::Connector;

/// What lives as long as the gate does, and the settings of the moment.
pub(super) struct Core {
    /// Read once a handshake, and never held over a wait.
    settings: RwLock<Arc<Snapshot>>,
    /// Held while the next settings are made: they begin with what the ones before have counted.
    reloading: Mutex<()>,
    pub(super) registry: Arc<Registry>,
    /// By route name.
    pub(super) filters: HashMap<Arc<str>, MakeFilter>,
    pub(super) rejections: Rejections,
    pub(super) counters: Counters,
    pub(super) drains: ServerDrains,
    pub(super) tracing: Tracing,
    untrusted: UntrustedHint,
    housekeeping: OnceLock<AbortOnDropHandle<()>>,
    /// The tasks that send sessions of removed routes and drained servers away. Each ends at its
    /// deadline.
    pub(super) farewells: TaskTracker,
}

/// Makes the filter of one session.
pub(super) type MakeFilter = Box<dyn Fn() -> Box<dyn MessageFilter> + Send + Sync>;

/// How often what is no longer needed is let go.
const HOUSEKEEPING: Duration = Duration::from_secs(10);

impl Core {
    /// `most` sessions at once; 0 is no limit.
    pub(super) fn new(
        config: Config,
        most: usize,
        filters: HashMap<Arc<str>, MakeFilter>,
        connector: Connector,
    ) -> Self {
        let counters = Counters::default();
        let settings = Snapshot::new(config, Arc::clone(&counters.failures), connector);
        Self {
            settings: RwLock::new(Arc::new(settings)),
            reloading: Mutex::default(),
            registry: Arc::new(Registry::new(most)),
            filters,
            rejections: Rejections::default(),
            counters,
            drains: ServerDrains::default(),
            tracing: Tracing::default(),
            untrusted: UntrustedHint::default(),
            housekeeping: OnceLock::new(),
            farewells: TaskTracker::new(),
        }
    }

    /// The settings of this moment. Whoever decides about one request takes them once.
    pub(super) fn settings(&self) -> Arc<Snapshot> {
        let settings = self.settings.read();
        Arc::clone(&settings.unwrap_or_else(PoisonError::into_inner))
    }

    /// Who the client is, behind trusted proxies.
    pub(super) fn identify(
        &self,
        settings: &Snapshot,
        parts: &request::Parts,
    ) -> Result<ClientIdentity, Rejection> {
        let client = settings.identify(parts)?;
        self.untrusted.look(&client, &parts.headers);
        Ok(client)
    }

    /// Puts other settings in the place of these, and returns both.
    pub(super) fn swap(
        &self,
        next: impl FnOnce(&Snapshot) -> Snapshot,
    ) -> (Arc<Snapshot>, Arc<Snapshot>) {
        let _alone = self
            .reloading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let old = self.settings();
        let new = Arc::new(next(&old));
        let settings = self.settings.write();
        *settings.unwrap_or_else(PoisonError::into_inner) = Arc::clone(&new);
        (old, new)
    }

    pub(super) fn make_filter(&self, route: &Route) -> Option<Box<dyn MessageFilter>> {
        self.filters.get(&route.name).map(|make| make())
    }

    /// Counts a refused request, and logs it unless there are too many.
    pub(super) fn refused(&self, refusal: &Refusal) {
        let route = refusal.route.as_deref().unwrap_or_default();
        let outcome = refusal.rejection.reason();
        self.counters.outcomes.add(route, outcome);
        self.rejections.log(refusal);
        #[cfg(feature = "server")]
        self.registry
            .events
            .tell(Kind::Reject, refusal.route.as_deref(), || refusal.told());
    }

    /// The same for a request of which not even the head could be read.
    #[cfg(feature = "server")]
    pub(super) fn refused_malformed(&self, peer: ClientAddr, reason: &'static str) {
        self.counters.outcomes.add("", reason);
        self.rejections.log_malformed(peer, reason);
        self.registry.events.tell(Kind::Reject, None, || {
            rejected::told_malformed(peer, reason)
        });
    }

    /// Counts and logs a refused request that is not a handshake, and gives its rejection back.
    pub(super) fn refuse(
        self: &Arc<Self>,
        parts: &request::Parts,
        refused: impl Into<Refusal>,
    ) -> Rejection {
        let mut refusal = refused.into();
        refusal.client = self.settings().identify(parts).ok();
        self.keep_house();
        self.refused(&refusal);
        if handshake::is_websocket(parts) {
            self.trace(parts, &refusal);
        }
        refusal.rejection
    }

    /// Makes the spans of a handshake that was none of the gate's: no route is where it asks.
    fn trace(&self, parts: &request::Parts, refusal: &Refusal) {
        let mut trace = self.tracing.begin(parts, flow::scheme(parts));
        if let Some(client) = &refusal.client {
            trace.is_from(client.ip, client.peer);
        }
        if let Ok(target) = Target::of(parts) {
            trace.asks_for(target.host(), target.port());
        }
        if let Some(route) = &refusal.route {
            trace.is_on(route);
        }
        refusal.trace(&mut trace);
    }

    /// Starts the gate's own task, once; it ends with the last clone of the gate.
    pub(super) fn keep_house(self: &Arc<Self>) {
        self.housekeeping.get_or_init(|| {
            let core = Arc::downgrade(self);
            let task = TaskTracker::new().spawn(async move {
                loop {
                    tokio::time::sleep(HOUSEKEEPING).await;
                    let Some(core) = core.upgrade() else { return };
                    core.settings().rates.sweep();
                    core.report();
                }
            });
            AbortOnDropHandle::new(task)
        });
    }

    /// Tells the log what came up too often to be told each time.
    fn report(&self) {
        self.rejections.report();
        self.settings().report();
    }
}

impl Drop for Core {
    /// What is not told now never will be.
    fn drop(&mut self) {
        self.report();
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("config", &self.settings().config)
            .finish_non_exhaustive()
    }
}
