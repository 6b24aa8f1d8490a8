//! The connections to an interface, and which of them is closed for a newcomer.
//!
//! Every connection is a stranger's until a request on it is admitted that proves who its client is; then it is a
//! known client's. Each of the two kinds has half of the places: strangers, however many, take no place from
//! known clients, and these none from probes. A newcomer takes the place of the stranger that has waited
//! longest for its client.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// All places of an interface.
#[derive(Debug)]
pub(crate) struct Places {
    /// The places of each kind.
    each: usize,
    taken: Mutex<Vec<Arc<Seat>>>,
    /// Notified when a place may have become vacant.
    changed: Notify,
}

/// The place of one connection, for as long as that lasts.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    seat: Arc<Seat>,
}

#[derive(Debug)]
struct Seat {
    state: Mutex<SeatState>,
    evicted: Notify,
}

#[derive(Clone, Copy, Debug)]
struct SeatState {
    is_known: bool,
    /// A request is being answered.
    is_answering: bool,
    /// Its client takes nothing of an answer.
    is_stalled: bool,
    /// Since when it is as it is.
    since: Instant,
    /// It has to close.
    is_evicted: bool,
}

/// The longest wait before another look at who could be evicted.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

impl Places {
    /// So many places, half of them for each kind.
    pub(crate) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            each: (places / 2).max(1),
            taken: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Resolves when a newcomer may be accepted.
    pub(crate) async fn vacant(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.make_room() {
                return;
            }
            let _another_look = timeout(LONGEST_WAIT, changed).await;
        }
    }

    /// Takes a place for a newcomer.
    pub(crate) fn take(self: &Arc<Self>) -> Place {
        let seat = Arc::new(Seat {
            state: Mutex::new(SeatState {
                is_known: false,
                is_answering: false,
                is_stalled: false,
                since: Instant::now(),
                is_evicted: false,
            }),
            evicted: Notify::new(),
        });
        self.taken().push(Arc::clone(&seat));
        Place {
            places: Arc::clone(self),
            seat,
        }
    }

    /// Whether there is a place for a stranger. If there is none, one is about to be left, unless all
    /// strangers are being answered.
    fn make_room(&self) -> bool {
        let taken = self.taken();
        let strangers: Vec<_> = of_kind(&taken, false).collect();
        if strangers.len() < self.each {
            return true;
        }
        // One at a time: it has its turn before the next newcomer is accepted.
        if !strangers.iter().any(|seat| seat.state().is_evicted) {
            evict_longest(strangers.into_iter());
        }
        false
    }

    fn taken(&self) -> MutexGuard<'_, Vec<Arc<Seat>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Makes it a known client's, if one of their places is vacant or can be made so.
    pub(crate) fn authenticate(&self) -> bool {
        if self.seat.state().is_known {
            return true;
        }
        let taken = self.places.taken();
        let known = of_kind(&taken, true).filter(|seat| !seat.state().is_evicted);
        let known: Vec<_> = known.collect();
        if known.len() >= self.places.each && !evict_longest(known.into_iter()) {
            return false;
        }
        self.seat.state().is_known = true;
        self.places.changed.notify_waiters();
        true
    }

    /// A request has begun to come, even if the connection was evicted meanwhile; the client has to send the rest of it.
    pub(crate) fn begin_request(&self) {
        self.set(|state| state.is_evicted = false);
    }

    /// A request has come, even if the connection was evicted meanwhile.
    pub(crate) fn begin_answer(&self) {
        self.set(|state| {
            state.is_answering = true;
            state.is_evicted = false;
        });
    }

    /// The answer has been handed out; the client has to take it, and to send the next request.
    pub(crate) fn end_answer(&self) {
        self.set(|state| state.is_answering = false);
    }

    /// The client has taken something, or nothing, of an answer.
    pub(crate) fn set_stalled(&self, is_stalled: bool) {
        if self.seat.state().is_stalled != is_stalled {
            self.set(|state| state.is_stalled = is_stalled);
        }
    }

    /// Resolves when the connection has to close.
    pub(crate) async fn evicted(&self) {
        while !self.seat.state().is_evicted {
            // A request may have come first; then the connection stays.
            self.seat.evicted.notified().await;
        }
    }

    fn set(&self, change: impl FnOnce(&mut SeatState)) {
        let mut state = self.seat.state();
        change(&mut state);
        state.since = Instant::now();
        let is_known = state.is_known;
        drop(state);
        // A newcomer is a stranger, and takes no place of a known client.
        if !is_known {
            self.places.changed.notify_waiters();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places
            .taken()
            .retain(|seat| !Arc::ptr_eq(seat, &self.seat));
        self.places.changed.notify_waiters();
    }
}

impl Seat {
    fn state(&self) -> MutexGuard<'_, SeatState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SeatState {
    /// Since when it waits for its client.
    fn waiting_since(&self) -> Option<Instant> {
        (!self.is_answering || self.is_stalled).then_some(self.since)
    }
}

fn of_kind(taken: &[Arc<Seat>], is_known: bool) -> impl Iterator<Item = &Arc<Seat>> {
    let seats = taken.iter();
    seats.filter(move |seat| seat.state().is_known == is_known)
}

/// Evicts the connection that has waited longest; false if all are being answered.
fn evict_longest<'a>(seats: impl Iterator<Item = &'a Arc<Seat>>) -> bool {
    let waiting = seats.filter_map(|seat| Some((seat.state().waiting_since()?, seat)));
    let Some((_, seat)) = waiting.min_by_key(|(since, _)| *since) else {
        return false;
    };
    seat.state().is_evicted = true;
    seat.evicted.notify_one();
    true
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// Takes places one after the other, each a while after the one before.
    async fn take(places: &Arc<Places>, count: usize) -> Vec<Place> {
        let mut taken = Vec::new();
        for _ in 0..count {
            tokio::time::advance(Duration::from_millis(10)).await;
            taken.push(places.take());
        }
        taken
    }

    fn is_vacant(places: &Places) -> bool {
        places.vacant().now_or_never().is_some()
    }

    fn is_evicted(place: &Place) -> bool {
        place.evicted().now_or_never().is_some()
    }

    fn evicted(places: &[Place]) -> Vec<usize> {
        let numbered = places.iter().enumerate();
        let evicted = numbered.filter(|(_, place)| is_evicted(place));
        evicted.map(|(number, _)| number).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_stranger_that_has_waited_longest_leaves_for_a_newcomer() {
        let places = Places::new(6);
        let mut strangers = take(&places, 3).await;
        assert!(evicted(&strangers).is_empty());
        assert!(!is_vacant(&places));
        assert!(!is_vacant(&places), "it is not gone yet");
        assert_eq!(evicted(&strangers), [0]);
        drop(strangers.remove(0));
        assert!(is_vacant(&places));
        strangers.extend(take(&places, 1).await);
        // Its wait begins again behind an answer.
        strangers[0].begin_answer();
        strangers[0].end_answer();
        assert!(!is_vacant(&places));
        assert_eq!(evicted(&strangers), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_being_answered_stays_unless_nothing_of_the_answer_is_taken() {
        let places = Places::new(6);
        let strangers = take(&places, 3).await;
        for stranger in &strangers {
            stranger.begin_answer();
        }
        assert!(!is_vacant(&places));
        assert!(evicted(&strangers).is_empty());
        strangers[2].set_stalled(true);
        tokio::time::advance(Duration::from_millis(10)).await;
        strangers[1].set_stalled(true);
        strangers[2].set_stalled(false);
        assert!(!is_vacant(&places));
        assert_eq!(evicted(&strangers), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_comes_with_the_eviction_is_answered() {
        let places = Places::new(4);
        let strangers = take(&places, 2).await;
        assert!(!is_vacant(&places));
        strangers[0].begin_answer();
        assert!(evicted(&strangers).is_empty());
        assert!(!is_vacant(&places));
        assert_eq!(evicted(&strangers), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_take_no_place_of_known_clients_nor_these_theirs() {
        let places = Places::new(6);
        let known = take(&places, 3).await;
        assert!(known.iter().all(Place::authenticate));
        let strangers = take(&places, 3).await;
        assert!(!is_vacant(&places));
        assert_eq!((evicted(&known), evicted(&strangers)), (vec![], vec![0]));
        drop(strangers);
        assert!(is_vacant(&places));
        // One more known client takes the place of the one that has waited longest.
        let more = take(&places, 2).await;
        assert!(more[0].authenticate());
        assert_eq!(evicted(&known), [0]);
        drop(known);
        let others = take(&places, 2).await;
        assert!(others.iter().all(Place::authenticate));
        for known in [&more[0], &others[0], &others[1]] {
            known.begin_answer();
        }
        assert!(!more[1].authenticate(), "all are being answered");
        assert!(more[0].authenticate(), "it is one already");
        assert!(is_vacant(&places));
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_waits_until_somebody_leaves() {
        let places = Places::new(2);
        let stranger = places.take();
        stranger.begin_answer();
        let began = Instant::now();
        let leaves = async {
            tokio::time::sleep(3 * LONGEST_WAIT).await;
            stranger.end_answer();
            stranger.evicted().await;
            drop(stranger);
        };
        tokio::join!(places.vacant(), leaves);
        assert_eq!(began.elapsed(), 3 * LONGEST_WAIT);
    }
}
