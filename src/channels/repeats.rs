//! Publications that come a second time.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Knows the keys of the publications of the last minutes, and what each came to (`T`).
#[derive(Debug)]
pub(crate) struct Repeats<T> {
    hashers: [RandomState; 2],
    kept: Mutex<Kept<T>>,
}

/// Keys are hashed with two seeds: 128 bits are the same for no two of them.
type HashedKey = [u64; 2];

#[derive(Debug)]
struct Kept<T> {
    results: HashMap<HashedKey, Option<T>>,
    /// From the oldest to the newest.
    order: VecDeque<(Instant, HashedKey)>,
}

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Repeat<T> {
    /// Nothing: the publication is the first.
    First(Claim),
    /// It has been published, and came to this; `None` while that is under way.
    Known(Option<T>),
}

/// The right to publish under a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claim(HashedKey);

/// For so long a key is known.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// The most keys; the oldest goes for the next one.
const MOST: usize = 100_000;

impl<T> Default for Repeats<T> {
    fn default() -> Self {
        Self {
            hashers: [RandomState::new(), RandomState::new()],
            kept: Mutex::new(Kept {
                results: HashMap::new(),
                order: VecDeque::new(),
            }),
        }
    }
}

impl<T: Clone> Repeats<T> {
    /// What is known of this key. If that is nothing, it is known from now on.
    pub(crate) fn look(&self, key: &impl Hash, now: Instant) -> Repeat<T> {
        let key = self.hashers.each_ref().map(|hasher| hasher.hash_one(key));
        let mut kept = self.kept();
        kept.forget_old(now);
        if let Some(result) = kept.results.get(&key) {
            return Repeat::Known(result.clone());
        }
        if kept.order.len() == MOST {
            kept.forget_oldest();
        }
        kept.results.insert(key, None);
        kept.order.push_back((now, key));
        Repeat::First(Claim(key))
    }

    /// Notes what the publication has come to.
    pub(crate) fn settle(&self, claim: Claim, result: T) {
        if let Some(kept) = self.kept().results.get_mut(&claim.0) {
            *kept = Some(result);
        }
    }

    /// The publication was not made: the next with its key is the first.
    pub(crate) fn give_up(&self, claim: Claim) {
        let mut kept = self.kept();
        kept.results.remove(&claim.0);
        kept.order.retain(|(_, key)| *key != claim.0);
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Kept<T> {
    fn forget_old(&mut self, now: Instant) {
        while let Some((added, _)) = self.order.front()
            && now.saturating_duration_since(*added) >= KEPT
        {
            self.forget_oldest();
        }
        if self.order.is_empty() {
            // After a burst nothing is held.
            self.results = HashMap::new();
            self.order = VecDeque::new();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.results.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(repeat: Repeat<u8>) -> Claim {
        match repeat {
            Repeat::First(claim) => claim,
            Repeat::Known(known) => panic!("{known:?}"),
        }
    }

    #[test]
    fn a_key_is_known_for_five_minutes() {
        let (repeats, start) = (Repeats::default(), Instant::now());
        let claim = first(repeats.look(&("billing", "a"), start));
        assert_eq!(repeats.look(&("billing", "a"), start), Repeat::Known(None));
        repeats.settle(claim, 7);
        let late = start + KEPT - Duration::from_nanos(1);
        assert_eq!(
            repeats.look(&("billing", "a"), late),
            Repeat::Known(Some(7))
        );
        first(repeats.look(&("other", "a"), late));
        first(repeats.look(&("billing", "a"), start + KEPT));
    }

    #[test]
    fn what_was_not_published_may_come_again() {
        let (repeats, now) = (Repeats::default(), Instant::now());
        let claim = first(repeats.look(&"a", now));
        repeats.give_up(claim);
        first(repeats.look(&"a", now));
        assert_eq!(repeats.kept().order.len(), 1);
    }

    #[test]
    fn the_oldest_key_goes_for_one_too_many() {
        let (repeats, now) = (Repeats::<u8>::default(), Instant::now());
        for key in 0..=MOST {
            first(repeats.look(&key, now));
        }
        assert_eq!(repeats.kept().results.len(), MOST);
        first(repeats.look(&0_usize, now));
        assert_eq!(repeats.look(&2_usize, now), Repeat::Known(None));
    }
}
