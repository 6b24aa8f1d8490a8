//! Counts of reloads.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::applied::Applied;

/// Counts reloads by their outcome.
#[derive(Debug)]
pub(crate) struct ReloadCounts {
    /// A reload is rare: a lock will do.
    counted: Mutex<Counted>,
}

/// The counts of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Something of the settings changed.
    pub(crate) applied: u64,
    /// The settings were the same.
    pub(crate) unchanged: u64,
    /// The settings were wrong or could not be applied. Nothing changed.
    pub(crate) rejected: u64,
    /// When settings were last applied or found unchanged: at the start, if not since.
    pub(crate) last_success: SystemTime,
    pub(crate) last_failed: bool,
}

impl ReloadCounts {
    /// No reload yet, in a process that started then.
    pub(crate) fn since(started: SystemTime) -> Self {
        let counted = Counted {
            applied: 0,
            unchanged: 0,
            rejected: 0,
            last_success: started,
            last_failed: false,
        };
        Self {
            counted: Mutex::new(counted),
        }
    }

    /// Counts a reload that ended now, with what it changed unless it failed.
    pub(super) fn add(&self, outcome: Option<&Applied>, now: SystemTime) {
        let mut counted = self.lock();
        match outcome {
            Some(applied) if applied.is_unchanged() => counted.unchanged += 1,
            Some(_applied) => counted.applied += 1,
            None => counted.rejected += 1,
        }
        counted.last_failed = outcome.is_none();
        if !counted.last_failed {
            counted.last_success = now;
        }
    }

    pub(crate) fn counted(&self) -> Counted {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        // The counts are whole at every moment, whatever panicked elsewhere.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
