//! Publications that come a second time.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::publication::Publication;

/// Knows the keys of the publications of the last minutes, and what each came to (`T`).
#[derive(Debug)]
pub(crate) struct Repeats<T> {
    hashers: [RandomState; 2],
    kept: Mutex<Kept<T>>,
    /// A publication has come to something, or was not made.
    ended: Notify,
}

/// Keys are hashed with two seeds: 128 bits are the same for no two of them.
type HashedKey = [u64; 2];

#[derive(Debug)]
struct Kept<T> {
    /// `None` while a publication is under way.
    results: HashMap<HashedKey, Option<T>>,
    /// From the oldest to the newest.
    order: VecDeque<(Instant, HashedKey)>,
}

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Repeat<T> {
    /// Nothing: the publication is the first.
    First(Claim),
    /// It has been published, and came to this.
    Known(T),
}

/// The right to publish under a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claim(HashedKey);

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
            ended: Notify::new(),
        }
    }
}

impl<T: Clone> Repeats<T> {
    /// What is known of this key. If that is nothing, it is known from now on. While a publication with it is under way, this
    /// waits for what that comes to; if it was not made, this is the first.
    pub(crate) async fn claim(&self, key: &impl Hash) -> Repeat<T> {
        loop {
            let mut ended = pin!(self.ended.notified());
            // From here on no end is missed.
            ended.as_mut().enable();
            if let Some(repeat) = self.look(key, Instant::now()) {
                return repeat;
            }
            ended.await;
        }
    }

    /// What is known of this key; `None` while a publication with it is under way.
    fn look(&self, key: &impl Hash, now: Instant) -> Option<Repeat<T>> {
        let key = self.hashers.each_ref().map(|hasher| hasher.hash_one(key));
        let mut kept = self.kept();
        kept.forget_old(now);
        if let Some(result) = kept.results.get(&key) {
            return result.clone().map(Repeat::Known);
        }
        if kept.order.len() == MOST {
            kept.forget_oldest();
        }
        kept.results.insert(key, None);
        kept.order.push_back((now, key));
        Some(Repeat::First(Claim(key)))
    }

    /// Notes what the publication has come to.
    pub(crate) fn settle(&self, claim: Claim, result: T) {
        if let Some(kept) = self.kept().results.get_mut(&claim.0) {
            *kept = Some(result);
        }
        self.ended.notify_waiters();
    }

    /// The publication was not made: the next with its key is the first.
    pub(crate) fn give_up(&self, claim: Claim) {
        let mut kept = self.kept();
        kept.results.remove(&claim.0);
        kept.order.retain(|(_, key)| *key != claim.0);
        drop(kept);
        self.ended.notify_waiters();
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Kept<T> {
    fn forget_old(&mut self, now: Instant) {
        while let Some((added, _)) = self.order.front()
            && now.saturating_duration_since(*added) >= Publication::KEY_LIFETIME
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
    use futures_util::FutureExt;

    use std::time::Duration;

    use super::*;

    fn first(repeat: Option<Repeat<u8>>) -> Claim {
        match repeat {
            Some(Repeat::First(claim)) => claim,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_is_known_for_five_minutes() {
        let (repeats, start) = (Repeats::default(), Instant::now());
        let claim = first(repeats.look(&("billing", "a"), start));
        assert_eq!(repeats.look(&("billing", "a"), start), None);
        repeats.settle(claim, 7);
        let late = start + Publication::KEY_LIFETIME - Duration::from_nanos(1);
        assert_eq!(
            repeats.look(&("billing", "a"), late),
            Some(Repeat::Known(7))
        );
        first(repeats.look(&("other", "a"), late));
        first(repeats.look(&("billing", "a"), start + Publication::KEY_LIFETIME));
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
        assert_eq!(repeats.look(&2_usize, now), None);
    }

    #[tokio::test]
    async fn a_repetition_waits_for_what_the_first_comes_to() {
        let repeats = Repeats::default();
        let claim = first(repeats.claim(&"a").now_or_never());
        let mut again = Box::pin(repeats.claim(&"a"));
        assert_eq!((&mut again).now_or_never(), None);
        // The end of another one changes nothing.
        repeats.settle(first(repeats.claim(&"b").now_or_never()), 3);
        assert_eq!((&mut again).now_or_never(), None);
        repeats.give_up(claim);
        let claim = first((&mut again).now_or_never());
        let again = [repeats.claim(&"a"), repeats.claim(&"a")].map(Box::pin);
        let [again, other] = again.map(|mut again| {
            assert_eq!((&mut again).now_or_never(), None);
            again
        });
        repeats.settle(claim, 7);
        assert_eq!(again.now_or_never(), Some(Repeat::Known(7)));
        assert_eq!(other.now_or_never(), Some(Repeat::Known(7)));
    }
}
