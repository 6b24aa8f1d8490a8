//! What all clones of a gate share, and what every part of the plugin's face asks it for.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::request;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::counters::Counters;
use super::hint::UntrustedHint;
use super::rejected::{Refusal, Rejections};
use crate::config::{Config, Route};
use crate::policy::address::{self, ClientIdentity};
use crate::policy::rate;
use crate::rejection::Rejection;
use crate::route;
use crate::session::{MessageFilter, Registry};
use crate::types::ClientAddr;
use crate::upstream::Pool;

/// The settings, and everything that was made from them.
pub(super) struct Core {
    pub(super) config: Config,
    pub(super) routes: route::Table,
    /// By upstream name.
    pools: HashMap<Arc<str>, Pool>,
    pub(super) rates: rate::Table,
    pub(super) registry: Arc<Registry>,
    /// By route name.
    filters: HashMap<Arc<str>, MakeFilter>,
    pub(super) rejections: Rejections,
    pub(super) counters: Counters,
    untrusted: UntrustedHint,
    housekeeping: OnceLock<AbortOnDropHandle<()>>,
}

/// Makes the filter of one session.
pub(super) type MakeFilter = Box<dyn Fn() -> Box<dyn MessageFilter> + Send + Sync>;

/// How often what is no longer needed is let go.
const HOUSEKEEPING: Duration = Duration::from_secs(10);

impl Core {
    /// `most` sessions at once; 0 is no limit.
    pub(super) fn new(config: Config, most: usize, filters: HashMap<Arc<str>, MakeFilter>) -> Self {
        let counters = Counters::default();
        let pools = config.upstreams.iter().map(|settings| {
            let failures = Arc::clone(&counters.failures);
            let pool = Pool::counted(Arc::clone(settings), failures);
            (Arc::clone(&settings.name), pool)
        });
        Self {
            routes: route::Table::new(&config.routes),
            pools: pools.collect(),
            rates: rate::Table::new(&config.client_ip),
            registry: Arc::new(Registry::new(most)),
            filters,
            rejections: Rejections::default(),
            counters,
            untrusted: UntrustedHint::default(),
            housekeeping: OnceLock::new(),
            config,
        }
    }

    /// Who the client is, behind trusted proxies.
    pub(super) fn identify(&self, parts: &request::Parts) -> Result<ClientIdentity, Rejection> {
        let peer = parts.extensions.get::<ClientAddr>();
        let peer = peer.ok_or(Rejection::ClientAddrMissing)?;
        let client = address::identify(*peer, &parts.headers, &self.config.client_ip);
        self.untrusted.look(&client, &parts.headers);
        Ok(client)
    }

    pub(super) fn pool(&self, route: &Route) -> &Pool {
        // One pool was made for every upstream of the settings, and routes come from nowhere else.
        &self.pools[&route.upstream.name]
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
    }

    /// The same for a request of which not even the head could be read.
    #[cfg(feature = "server")]
    pub(super) fn refused_malformed(&self, peer: ClientAddr, reason: &'static str) {
        self.counters.outcomes.add("", reason);
        self.rejections.log_malformed(peer, reason);
    }

    /// Counts and logs a refused request that is not a handshake, and gives its rejection back.
    pub(super) fn refuse(
        self: &Arc<Self>,
        parts: &request::Parts,
        rejection: Rejection,
    ) -> Rejection {
        let mut refusal = Refusal::from(rejection);
        refusal.client = self.identify(parts).ok();
        self.keep_house();
        self.refused(&refusal);
        refusal.rejection
    }

    /// Starts the gate's own task, once; it ends with the last clone of the gate.
    pub(super) fn keep_house(self: &Arc<Self>) {
        self.housekeeping.get_or_init(|| {
            let core = Arc::downgrade(self);
            let task = TaskTracker::new().spawn(async move {
                loop {
                    tokio::time::sleep(HOUSEKEEPING).await;
                    let Some(core) = core.upgrade() else { return };
                    core.rates.sweep();
                    core.report();
                }
            });
            AbortOnDropHandle::new(task)
        });
    }

    /// Tells the log what came up too often to be told each time.
    fn report(&self) {
        self.rejections.report();
        self.pools.values().for_each(Pool::report);
        let overflowed = self.rates.take_overflowed();
        if overflowed > 0 {
            tracing::warn!(
                reason = "limiter_full",
                handshakes = overflowed,
                tracked = self.rates.len(),
                "more client addresses than are tracked: newcomers share one limit"
            );
        }
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
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
