//! What the gate counts for as long as it lives, whatever becomes of the settings meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::outcomes::Outcomes;
use crate::histogram::{Histogram, SHORT};
use crate::session::LimitCounts;
use crate::upstream::FailureCounts;

/// The counts that no stage keeps for the whole gate. What sessions move and how they end is the
/// registry's to count.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) outcomes: Outcomes,
    pub(super) failures: Arc<FailureCounts>,
    routes: Mutex<ByRoute>,
}

/// By route name.
type ByRoute = BTreeMap<Arc<str>, Arc<RouteCounts>>;

/// What is counted on one route, under whatever settings it has at the moment.
#[derive(Debug)]
pub(super) struct RouteCounts {
    /// What the limits do to its sessions.
    pub(super) limited: Arc<LimitCounts>,
    /// From the request to our 101.
    pub(super) handshakes: Histogram,
    /// To connect to a server, those tried in vain before it included.
    pub(super) connects: Histogram,
}

impl Counters {
    /// Where the handshakes and sessions of a route are counted.
    pub(super) fn route(&self, name: &Arc<str>) -> Arc<RouteCounts> {
        let mut routes = self.lock();
        Arc::clone(routes.entry(Arc::clone(name)).or_default())
    }

    /// Every route that anything was counted on.
    pub(super) fn by_route(&self) -> ByRoute {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, ByRoute> {
        // The map is whole at every moment, whatever panicked elsewhere.
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for RouteCounts {
    fn default() -> Self {
        Self {
            limited: Arc::default(),
            handshakes: Histogram::new(SHORT),
            connects: Histogram::new(SHORT),
        }
    }
}
