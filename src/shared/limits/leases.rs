//! The places that this gate's sessions have among those of all gates.
//!
//! A place is kept for a minute and renewed three times in that, so that the places of a gate that is gone become free.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::scripts::Scripts;
use super::who::{Counted, Part};
use crate::shared::backlog::Backlog;
use crate::shared::engine::{Call, Slot};
use crate::types::NodeId;

/// The places of all sessions of this gate. They are its own truth: an engine that has lost its data gets them again.
#[derive(Debug)]
pub(in crate::shared) struct Leases {
    /// The beginning of the names of this gate's places.
    gate: NodeId,
    /// In as many parts as there are turns in which they are renewed.
    places: [Mutex<HashMap<u64, Counted>>; TURNS],
    next: AtomicU64,
    left: Backlog<(Counted, u64)>,
}

/// The place of a session. It is given back on drop.
pub(crate) struct Lease {
    leases: Arc<Leases>,
    who: Counted,
    number: u64,
    /// Whether the engine may have it.
    is_known: bool,
}

/// A place is kept for so long without being renewed.
pub(super) const KEPT: Duration = Duration::from_secs(60);

/// A part of the places is renewed each second, and so each place every so many seconds.
const TURNS: usize = 20;

/// Places that wait to be given back. Those that find no room become free within a minute.
const LEFT: usize = 16_384;

/// How many places one script renews or gives back.
const PLACES: usize = 500;

impl Leases {
    pub(super) fn new(gate: NodeId) -> Self {
        Self {
            gate,
            places: std::array::from_fn(|_| Mutex::default()),
            next: AtomicU64::new(0),
            left: Backlog::new(LEFT),
        }
    }

    /// A place that nobody knows of yet.
    pub(super) fn begin(self: &Arc<Self>, who: Counted) -> Lease {
        Lease {
            leases: Arc::clone(self),
            who,
            number: self.next.fetch_add(1, Ordering::Relaxed),
            is_known: false,
        }
    }

    /// What the engine calls a place.
    pub(super) fn name(&self, lease: &Lease) -> String {
        self.name_of(lease.number)
    }

    fn name_of(&self, number: u64) -> String {
        format!("{}-{number}", self.gate)
    }

    /// The scripts that renew the places whose turn it is.
    pub(super) fn renewals(
        &self,
        turn: usize,
        scripts: &Scripts,
        prefix: &str,
    ) -> Vec<(Slot, Call)> {
        let places: Vec<_> = {
            let part = lock(&self.places[turn % TURNS]);
            part.iter().map(|(number, who)| (*who, *number)).collect()
        };
        let kept = KEPT.as_millis() as u64;
        self.calls(
            places,
            |key| {
                let mut call = scripts.renew.call(&[key]);
                call.arg(kept);
                call
            },
            prefix,
        )
    }

    /// Every turn, once.
    pub(super) fn turns() -> std::ops::Range<usize> {
        0..TURNS
    }

    /// Waits for places that sessions have left.
    pub(super) async fn left(&self) -> Vec<(Counted, u64)> {
        self.left.take().await
    }

    /// The scripts that give places back.
    pub(super) fn departures(
        &self,
        left: Vec<(Counted, u64)>,
        scripts: &Scripts,
        prefix: &str,
    ) -> Vec<(Slot, Call)> {
        self.calls(left, |key| scripts.leave.call(&[key]), prefix)
    }

    /// One call for the places of each that is counted, or several where those are many.
    fn calls(
        &self,
        places: Vec<(Counted, u64)>,
        call: impl Fn(String) -> Call,
        prefix: &str,
    ) -> Vec<(Slot, Call)> {
        let mut by_who: BTreeMap<Counted, Vec<u64>> = BTreeMap::new();
        for (who, number) in places {
            by_who.entry(who).or_default().push(number);
        }
        let mut calls = Vec::with_capacity(by_who.len());
        for (who, numbers) in by_who {
            for some in numbers.chunks(PLACES) {
                let mut call = call(who.key(prefix, Part::Sessions));
                for number in some {
                    call.arg(self.name_of(*number));
                }
                calls.push((who.slot(), call));
            }
        }
        calls
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.places.iter().map(|part| lock(part).len()).sum()
    }

    fn part(&self, number: u64) -> MutexGuard<'_, HashMap<u64, Counted>> {
        lock(&self.places[number as usize % TURNS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A map is whole at every moment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lease {
    /// The engine may know the place now, whatever becomes of it.
    pub(super) fn may_be_known(&mut self) {
        self.is_known = true;
    }

    /// The engine does not have the place.
    pub(super) fn forget(mut self) {
        self.is_known = false;
    }

    /// Has the place renewed from now on.
    pub(super) fn keep(mut self) -> Self {
        self.is_known = true;
        self.leases.part(self.number).insert(self.number, self.who);
        self
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_known {
            self.leases.part(self.number).remove(&self.number);
            // Without room it becomes free by itself.
            let _has_room = self.leases.left.push((self.who, self.number));
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&self.number).finish()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_place_is_renewed_in_its_turn_until_the_session_ends() {
        let leases = Arc::new(Leases::new("00000000beef".parse().unwrap()));
        let scripts = Scripts::new();
        let who = |name: &str| Counted::subject("chat", None, name);
        drop(leases.begin(who("nobody")));
        let mut held: Vec<_> = (0..TURNS * 3)
            .map(|_| leases.begin(who("a")).keep())
            .collect();
        held.push(leases.begin(who("b")).keep());
        assert_eq!(leases.len(), TURNS * 3 + 1);
        let calls = |turn| leases.renewals(turn, &scripts, "wsgate").len();
        let all: usize = Leases::turns().map(calls).sum();
        assert_eq!(all, TURNS + 1);
        assert!(leases.left().now_or_never().is_none());
        held.clear();
        assert_eq!(leases.len(), 0);
        let left = leases.left().now_or_never().unwrap();
        assert_eq!(left.len(), TURNS * 3 + 1);
        assert_eq!(leases.departures(left, &scripts, "wsgate").len(), 2);
    }

    #[test]
    fn a_place_that_the_engine_may_have_is_given_back() {
        let leases = Arc::new(Leases::new("00000000beef".parse().unwrap()));
        let mut lease = leases.begin(Counted::subject("chat", None, "a"));
        lease.may_be_known();
        assert_eq!(leases.name(&lease), "00000000beef-0");
        drop(lease);
        assert_eq!(leases.left().now_or_never().unwrap().len(), 1);
        assert_eq!(leases.len(), 0);
    }
}
