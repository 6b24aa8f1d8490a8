//! The inside of a table: its entries in shards, each under a lock.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::counters::{Quota, RouteRates, UsedUp};
use super::shard::{RateKey, Shard, Who};
use crate::config::ClientIp;
use crate::rejection::Rejection;
use crate::request::Identity;
use crate::shared::SharedParts;

/// Locks are held for a few entries at a time, so that so many are enough for any machine.
const SHARDS: usize = 64;

/// How many entries a newcomer may look at for a free place in a full table.
const SWEPT_WHEN_FULL: usize = 64;

/// What the entries of a table are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Counted {
    Addresses,
    Subjects,
}

impl Counted {
    pub(super) fn rejection(self, used_up: UsedUp) -> Rejection {
        match (self, used_up) {
            (Self::Addresses, UsedUp::Sessions) => Rejection::TooManySessions,
            (Self::Addresses, UsedUp::Handshakes { retry_after }) => {
                Rejection::HandshakeRate { retry_after }
            }
            (Self::Subjects, UsedUp::Sessions) => Rejection::SubjectSessions,
            (Self::Subjects, UsedUp::Handshakes { retry_after }) => {
                Rejection::SubjectHandshakes { retry_after }
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct TableInner {
    pub(super) counted: Counted,
    pub(super) ipv6_prefix: u8,
    pub(super) tracked: usize,
    /// By route name.
    pub(super) rules: RwLock<HashMap<Arc<str>, Arc<RouteRates>>>,
    /// Names the next route's rules; never given twice.
    next_rules: AtomicUsize,
    pub(super) shards: Box<[Mutex<Shard>]>,
    /// Picks the shard of a key; seeded, so that no client can aim at one.
    hasher: RandomState,
    /// With the other one it makes the key of a subject.
    second_hasher: RandomState,
    /// In all shards; at most `tracked`.
    pub(super) entries: AtomicUsize,
    pub(super) overflowed: Arc<Overflowed>,
    /// The shard that a newcomer to a full table looks into next.
    next_swept: AtomicUsize,
}

/// Handshakes that shared an entry. It outlives the table: a handshake that began before a reload
/// counts in the table of its time.
#[derive(Debug, Default)]
pub(super) struct Overflowed {
    pub(super) all: AtomicU64,
    /// How many of them have been reported.
    pub(super) reported: AtomicU64,
}

impl TableInner {
    pub(super) fn new(settings: &ClientIp, counted: Counted, overflowed: Arc<Overflowed>) -> Self {
        let hasher = RandomState::new();
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new(hasher.clone())));
        Self {
            counted,
            ipv6_prefix: settings.ipv6_prefix,
            tracked: settings.tracked,
            rules: RwLock::default(),
            next_rules: AtomicUsize::new(0),
            shards: shards.collect(),
            hasher,
            second_hasher: RandomState::new(),
            entries: AtomicUsize::new(0),
            overflowed,
            next_swept: AtomicUsize::new(0),
        }
    }

    pub(super) fn rules_of(
        &self,
        route: &Arc<str>,
        quota: &Quota,
        parts: SharedParts,
    ) -> Arc<RouteRates> {
        let known = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = known
            .get(route)
            .filter(|rules| rules.has_rates_of(quota, parts))
        {
            return Arc::clone(rules);
        }
        drop(known);
        let mut known = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        let rules = match known.get(route) {
            Some(rules) if rules.has_rates_of(quota, parts) => return Arc::clone(rules),
            Some(rules) => rules.changed(quota, parts),
            None => RouteRates::new(
                self.next_rules.fetch_add(1, Ordering::Relaxed),
                quota,
                parts,
            ),
        };
        let rules = Arc::new(rules);
        known.insert(Arc::clone(route), Arc::clone(&rules));
        rules
    }

    /// What counts as one address.
    pub(super) fn address_of(&self, ip: IpAddr) -> IpAddr {
        match ip.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let host_bits = 128_u32.saturating_sub(self.ipv6_prefix.into());
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        }
    }

    pub(super) fn subject_of(&self, identity: &Identity) -> Who {
        let name = (identity.issuer(), identity.subject());
        Who::Subject([&self.hasher, &self.second_hasher].map(|hasher| hasher.hash_one(name)))
    }

    pub(super) fn shard_of(&self, key: &RateKey) -> &Mutex<Shard> {
        // The maps use the hash's lowest and highest bits themselves.
        let hash = self.hasher.hash_one(key) >> 32;
        &self.shards[hash as usize % SHARDS]
    }

    /// Counts one more entry, if there may be one.
    pub(super) fn reserve(&self) -> bool {
        let tracked = self.tracked;
        let more = |entries: usize| (entries < tracked).then_some(entries + 1);
        let (order, entries) = (Ordering::Relaxed, &self.entries);
        entries.fetch_update(order, order, more).is_ok()
    }

    pub(super) fn release(&self, entries: usize) {
        self.entries.fetch_sub(entries, Ordering::Relaxed);
    }

    /// Looks for an idle entry to remove, at a bounded cost: each newcomer begins at another shard, and
    /// goes on where the one before it stopped there.
    pub(super) fn make_room(&self) {
        let first = self.next_swept.fetch_add(1, Ordering::Relaxed);
        let mut budget = SWEPT_WHEN_FULL;
        for offset in 0..SHARDS {
            let mut shard = lock(&self.shards[first.wrapping_add(offset) % SHARDS]);
            let looked_at = shard.len().min(budget);
            let removed = shard.sweep(looked_at);
            self.release(removed);
            budget -= looked_at;
            if removed > 0 || budget == 0 {
                return;
            }
        }
    }
}

/// A panic elsewhere leaves no counter half-written, so that a poisoned lock is as good as any.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
