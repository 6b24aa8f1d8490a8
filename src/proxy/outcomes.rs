//! How many handshakes came to what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts what handshakes came to, by route and word. Every one takes exactly one step, also
/// where its line was left out of the log.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    routes: Mutex<ByRoute>,
}

/// By the route's name, empty where no route was known, and the outcome's word.
///
/// Both come from the settings and the code, so that no stranger can make more of them.
pub(super) type ByRoute = BTreeMap<Arc<str>, BTreeMap<&'static str, u64>>;

/// The client was answered 101.
pub(super) const ACCEPTED: &str = "accepted";

/// The client hung up before it was answered.
const ABANDONED: &str = "abandoned";

/// A handshake that is under way: it counts as abandoned, unless it was answered.
#[derive(Debug)]
pub(super) struct UnderWay<'a> {
    outcomes: &'a Outcomes,
    began: Instant,
    route: Option<Arc<str>>,
    answered: bool,
}

impl Outcomes {
    pub(super) fn add(&self, route: &str, outcome: &'static str) {
        // A count is whole at every moment, whatever panicked elsewhere.
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        match routes.get_mut(route) {
            Some(outcomes) => *outcomes.entry(outcome).or_default() += 1,
            None => {
                routes.insert(route.into(), [(outcome, 1)].into());
            }
        }
    }

    /// Watches over a handshake until it is answered.
    pub(super) fn watch(&self) -> UnderWay<'_> {
        UnderWay {
            outcomes: self,
            began: Instant::now(),
            route: None,
            answered: false,
        }
    }

    pub(super) fn by_route(&self) -> ByRoute {
        let routes = self.routes.lock();
        routes.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl UnderWay<'_> {
    /// Its route is this.
    pub(super) fn is_on(&mut self, route: &Arc<str>) {
        self.route = Some(Arc::clone(route));
    }

    /// How long it has been under way.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// What it came to is counted elsewhere.
    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let route = self.route.as_deref().unwrap_or_default();
            self.outcomes.add(route, ABANDONED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_that_is_never_answered_counts_once() {
        let outcomes = Outcomes::default();
        drop(outcomes.watch());
        outcomes.watch().is_on(&"chat".into());
        outcomes.watch().answered();
        outcomes.add("chat", ACCEPTED);
        outcomes.add("chat", ACCEPTED);
        let expected = [
            ("".into(), [(ABANDONED, 1)].into()),
            ("chat".into(), [(ABANDONED, 1), (ACCEPTED, 2)].into()),
        ];
        assert_eq!(outcomes.by_route(), expected.into());
    }
}
