//! The engine of the settings of the moment.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::engine::Engine;
use crate::config::OnFailure;

/// The engine of the moment, which a reload may replace. All that is made of one outlives it.
#[derive(Debug)]
pub(super) struct Current {
    state: RwLock<Arc<State>>,
    /// How often the engine was replaced.
    replaced: watch::Sender<u64>,
}

/// An engine, and what counts without it.
#[derive(Debug, Default)]
pub(super) struct State {
    /// `None` where the settings have none.
    pub(super) engine: Option<Arc<Engine>>,
    pub(super) on_failure: OnFailure,
}

impl Current {
    pub(super) fn new(state: State) -> Self {
        Self {
            state: RwLock::new(Arc::new(state)),
            replaced: watch::Sender::new(0),
        }
    }

    pub(super) fn state(&self) -> Arc<State> {
        let state = self.state.read();
        Arc::clone(&state.unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn engine(&self) -> Option<Arc<Engine>> {
        self.state().engine.clone()
    }

    pub(super) fn replace(&self, state: State) {
        let mut held = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let stays = match (&held.engine, &state.engine) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (None, None) => true,
            _ => false,
        };
        *held = Arc::new(state);
        drop(held);
        if !stays {
            self.replaced.send_modify(|times| *times += 1);
        }
    }

    /// Sees when the engine is replaced.
    pub(super) fn replaced(&self) -> watch::Receiver<u64> {
        self.replaced.subscribe()
    }
}
