//! How handshakes and plain requests ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;

use super::event::{Event, RequestKind};
use super::observer::Observer;

/// Counts how handshakes and plain requests ended, by route and word. Each takes exactly one step, with
/// or without a line in the log.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    handshakes: ByRoute<&'static str>,
    plain: ByRoute<PlainOutcome>,
    broken: BTreeMap<&'static str, u64>,
}

/// By the route's name, empty where no route was known, and the outcome.
///
/// Both come from the settings and the code, so that no stranger can make more of them.
pub(crate) type ByRoute<K> = BTreeMap<Arc<str>, BTreeMap<K, u64>>;

/// What a plain request came to: the word of the log, and the class of the status that its client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PlainOutcome {
    pub(crate) word: &'static str,
    /// Empty where the client got none.
    pub(crate) status: &'static str,
}

/// The handshake was accepted.
pub(crate) const ACCEPTED: &str = "accepted";

/// The client hung up before its request was answered.
pub(crate) const ABANDONED: &str = "abandoned";

/// The plain request was forwarded, and all of a good response was passed on.
pub(crate) const FORWARDED_WELL: PlainOutcome = PlainOutcome {
    word: "forwarded",
    status: "2xx",
};

impl Observer for Outcomes {
    fn on_event(&self, event: &Event) {
        // Sessions that end are counted by the registry, and forwarded requests where no event is made of
        // them, too.
        if matches!(event, Event::Closed(_) | Event::Forwarded(_)) {
            return;
        }
        let route = event.route().map(|route| &**route).unwrap_or_default();
        let mut counts = self.lock();
        match event {
            Event::Refused(refused) => match refused.kind {
                Some(RequestKind::WebSocket) => step(&mut counts.handshakes, route, refused.reason),
                Some(RequestKind::Plain) => {
                    let outcome = PlainOutcome::new(refused.reason, refused.status);
                    step(&mut counts.plain, route, outcome);
                }
                None => *counts.broken.entry(refused.reason).or_default() += 1,
            },
            Event::Abandoned { .. } => step(&mut counts.handshakes, route, ABANDONED),
            Event::Opened(_) => step(&mut counts.handshakes, route, ACCEPTED),
            Event::Forwarded(_) | Event::Closed(_) => {}
        }
    }
}

impl Outcomes {
    /// Counts a plain request that was forwarded.
    pub(super) fn add_forwarded(&self, route: &str, outcome: PlainOutcome) {
        step(&mut self.lock().plain, route, outcome);
    }

    /// What handshakes came to.
    pub(crate) fn handshakes(&self) -> ByRoute<&'static str> {
        self.lock().handshakes.clone()
    }

    /// What plain requests came to.
    pub(crate) fn plain(&self) -> ByRoute<PlainOutcome> {
        self.lock().plain.clone()
    }

    /// Requests of which not even the head could be read, by reason.
    pub(crate) fn broken(&self) -> BTreeMap<&'static str, u64> {
        self.lock().broken.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // A count is whole at every moment, whatever panicked elsewhere.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PlainOutcome {
    pub(crate) fn new(word: &'static str, status: Option<StatusCode>) -> Self {
        Self {
            word,
            status: status.map_or("", class),
        }
    }
}

fn step<K: Ord>(counts: &mut ByRoute<K>, route: &str, outcome: K) {
    match counts.get_mut(route) {
        Some(outcomes) => *outcomes.entry(outcome).or_default() += 1,
        None => {
            counts.insert(route.into(), [(outcome, 1)].into());
        }
    }
}

/// The class of a status. A server may answer with any of three digits; those that HTTP does not define
/// are one class (RFC 9110 §15).
fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_any_digits_has_one_of_six_classes() {
        let class_of = |status| class(StatusCode::from_u16(status).unwrap());
        for (status, expected) in [
            (101, "1xx"),
            (200, "2xx"),
            (299, "2xx"),
            (304, "3xx"),
            (403, "4xx"),
            (599, "5xx"),
            (600, "other"),
            (999, "other"),
        ] {
            assert_eq!(class_of(status), expected, "{status}");
        }
    }
}
