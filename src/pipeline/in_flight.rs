//! A handshake on its way to an answer.

use std::sync::Arc;

use tokio::time::Instant;

use super::core::Core;
use crate::observe::Event;

/// A handshake that is not answered yet. If it is dropped before it is, its client hung up.
pub(super) struct InFlight<'a> {
    core: &'a Core,
    began: Instant,
    route: Option<Arc<str>>,
    answered: bool,
}

impl<'a> InFlight<'a> {
    pub(super) fn new(core: &'a Core) -> Self {
        Self {
            core,
            began: Instant::now(),
            route: None,
            answered: false,
        }
    }

    pub(super) fn set_route(&mut self, route: &Arc<str>) {
        self.route = Some(Arc::clone(route));
    }

    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Its own event tells how it ended.
    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let route = self.route.take();
            self.core.observers.notify(&Event::Abandoned { route });
        }
    }
}
