//! A part of the table, under one lock.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::net::IpAddr;

use tokio::time::Instant;

use super::counters::Counters;

/// An address or a subject on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RateKey {
    pub(super) route: usize,
    pub(super) who: Who,
}

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Address(IpAddr),
    /// A subject and its issuer, hashed with the seeds of the table: 128 bits are the same for no two of
    /// them, and keep no name.
    Subject([u64; 2]),
}

/// Entries in a row, so that a sweep can stop after any of them and go on there the next time.
#[derive(Debug)]
pub(super) struct Shard {
    index: HashMap<RateKey, usize>,
    entries: Vec<(RateKey, Counters)>,
    /// The entry that the next sweep looks at.
    next: usize,
}

impl Shard {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            index: HashMap::with_hasher(hasher),
            entries: Vec::new(),
            next: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity() + self.index.capacity()
    }

    pub(super) fn contains(&self, key: &RateKey) -> bool {
        self.index.contains_key(key)
    }

    pub(super) fn find(&mut self, key: &RateKey) -> Option<&mut Counters> {
        let place = *self.index.get(key)?;
        self.entries.get_mut(place).map(|(_, counters)| counters)
    }

    /// Adds an entry for a key that has none.
    pub(super) fn insert(&mut self, key: RateKey, counters: Counters) {
        self.index.insert(key, self.entries.len());
        self.entries.push((key, counters));
    }

    /// Looks at the next `count` entries and removes those that are idle; returns their number.
    pub(super) fn sweep(&mut self, count: usize) -> usize {
        let (mut removed, now) = (0, Instant::now());
        for _ in 0..count.min(self.entries.len()) {
            if self.next >= self.entries.len() {
                self.next = 0;
            }
            let idle = self.entries[self.next].1.is_idle(now);
            match idle {
                true => self.remove(self.next),
                false => self.next += 1,
            }
            removed += usize::from(idle);
        }
        removed
    }

    /// Gives back memory that the entries have no use for.
    pub(super) fn shrink(&mut self) {
        let wanted = self.entries.len() * 2;
        if self.entries.capacity() > wanted * 2 {
            self.entries.shrink_to(wanted);
            self.index.shrink_to(wanted);
        }
    }

    fn remove(&mut self, place: usize) {
        let (key, _) = self.entries.swap_remove(place);
        self.index.remove(&key);
        if let Some((moved, _)) = self.entries.get(place) {
            self.index.insert(*moved, place);
        }
    }
}
