//! How handshakes ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::event::Event;
use super::observer::Observer;

/// Counts how handshakes ended, by route and word. Each takes exactly one step, with or without a
/// line in the log.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    routes: Mutex<OutcomesByRoute>,
}

/// By the route's name, empty where no route was known, and the outcome's word.
///
/// Both come from the settings and the code, so that no stranger can make more of them.
type OutcomesByRoute = BTreeMap<Arc<str>, BTreeMap<&'static str, u64>>;

/// The handshake was accepted.
pub(crate) const ACCEPTED: &str = "accepted";

/// The client hung up before its handshake was answered.
const ABANDONED: &str = "abandoned";

impl Observer for Outcomes {
    fn on_event(&self, event: &Event) {
        let outcome = match event {
            Event::Refused(refused) => refused.reason,
            Event::Abandoned { .. } => ABANDONED,
            Event::Opened(_) => ACCEPTED,
            Event::Closed(_) => return,
        };
        let route = event.route().map(|route| &**route);
        self.add(route.unwrap_or_default(), outcome);
    }
}

impl Outcomes {
    fn add(&self, route: &str, outcome: &'static str) {
        // A count is whole at every moment, whatever panicked elsewhere.
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        match routes.get_mut(route) {
            Some(outcomes) => *outcomes.entry(outcome).or_default() += 1,
            None => {
                routes.insert(route.into(), [(outcome, 1)].into());
            }
        }
    }

    pub(crate) fn by_route(&self) -> BTreeMap<Arc<str>, BTreeMap<&'static str, u64>> {
        let routes = self.routes.lock();
        routes.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
