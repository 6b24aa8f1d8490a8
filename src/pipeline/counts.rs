//! What is counted by route for as long as the gate lives, through every reload.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::histogram::{Histogram, SHORT};
use crate::session::LimitCounts;

/// The counts of every route that had a handshake. What sessions move and how they end is counted
/// by the registry; how handshakes end, by an observer.
#[derive(Debug, Default)]
pub(crate) struct CountsByRoute {
    routes: Mutex<ByRoute>,
}

/// By route name.
type ByRoute = BTreeMap<Arc<str>, Arc<RouteCounts>>;

/// The counts of one route, whatever its settings are at the moment.
#[derive(Debug)]
pub(crate) struct RouteCounts {
    /// What the limits do to its sessions.
    pub(crate) limited: Arc<LimitCounts>,
    /// From the request to our 101.
    pub(crate) handshakes: Histogram,
    /// To connect to a server, those tried in vain before it included.
    pub(crate) connects: Histogram,
}

impl CountsByRoute {
    /// The counts of one route.
    pub(crate) fn route(&self, name: &Arc<str>) -> Arc<RouteCounts> {
        let mut routes = self.lock();
        Arc::clone(routes.entry(Arc::clone(name)).or_default())
    }

    pub(crate) fn by_route(&self) -> ByRoute {
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
