//! What the gate counts for as long as it lives, whatever becomes of the settings meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::outcomes::Outcomes;
use crate::session::Limited;
use crate::upstream::FailureCounts;

/// The counts that no stage keeps for the whole gate. What sessions move and how they end is the
/// registry's to count.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) outcomes: Outcomes,
    pub(super) failures: Arc<FailureCounts>,
    /// By route name.
    limited: Mutex<BTreeMap<Arc<str>, Arc<Limited>>>,
}

impl Counters {
    /// Where the sessions of a route count what its limits do to them.
    pub(super) fn limited(&self, route: &Arc<str>) -> Arc<Limited> {
        let mut limited = self.lock();
        Arc::clone(limited.entry(Arc::clone(route)).or_default())
    }

    pub(super) fn limited_by_route(&self) -> BTreeMap<Arc<str>, Arc<Limited>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Limited>>> {
        // The map is whole at every moment, whatever panicked elsewhere.
        self.limited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
