//! How much one client address or one user may do on a route: handshakes, sessions at once, and the message
//! and byte rates that its sessions share.
//!
//! A handshake looks the table up once, and the end of a session once more. A session holds its own
//! handles on the two buckets that count messages and bytes, and touches neither the table nor a lock
//! for them.

mod counters;
mod shard;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use self::counters::{Counters, Quota, RouteRates, UsedUp};
use self::shard::{RateKey, Shard, Who};
use crate::config::{ClientIp, Route};
use crate::limit::Limit;
use crate::rejection::Rejection;
use crate::request::Identity;

/// What every address, or every subject, has done on every route, up to `client_ip.tracked` of them.
///
/// State is kept by the route's name; where the route comes with another rate, that begins anew.
#[derive(Clone, Debug)]
pub(crate) struct RateTable {
    inner: Arc<TableInner>,
}

/// Locks are held for a few entries at a time, so that so many are enough for any machine.
const SHARDS: usize = 64;

/// How many old entries each new one looks at. It is more than one, so that the table shrinks to what
/// is in use even between sweeps.
const SWEPT_PER_INSERT: usize = 4;

/// How many entries a newcomer may look at for a free place in a full table.
const SWEPT_WHEN_FULL: usize = 64;

impl RateTable {
    /// A table of addresses.
    pub(crate) fn new(settings: &ClientIp) -> Self {
        Self::counted(settings, Counted::Addresses, Arc::default())
    }

    /// A table of subjects, of the same size.
    pub(crate) fn of_subjects(settings: &ClientIp) -> Self {
        Self::counted(settings, Counted::Subjects, Arc::default())
    }

    fn counted(settings: &ClientIp, counted: Counted, overflowed: Arc<Overflowed>) -> Self {
        let hasher = RandomState::new();
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new(hasher.clone())));
        let inner = TableInner {
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
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// An empty table for other settings. Newcomers are counted on, those to this one included.
    pub(crate) fn rebuilt(&self, settings: &ClientIp) -> Self {
        let overflowed = Arc::clone(&self.inner.overflowed);
        Self::counted(settings, self.inner.counted, overflowed)
    }

    /// Whether the table of these settings would count addresses in the same way.
    pub(crate) fn matches(&self, settings: &ClientIp) -> bool {
        let TableInner {
            ipv6_prefix,
            tracked,
            ..
        } = *self.inner;
        (ipv6_prefix, tracked) == (settings.ipv6_prefix, settings.tracked)
    }

    /// Forgets the rates of routes of other names than these. What their sessions still count
    /// goes with the sessions; a route that comes back begins anew.
    pub(crate) fn keep_routes(&self, routes: &[Arc<Route>]) {
        let known = self.inner.rules.write();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        known.retain(|name, _| routes.iter().any(|route| route.name == *name));
    }

    /// Counts a handshake from this address, and takes a place for its session.
    ///
    /// A route without limits per address touches no table.
    pub(crate) fn admit(&self, route: &Route, ip: IpAddr) -> Result<Admission, Rejection> {
        let who = Who::Address(self.inner.address_of(ip));
        self.admit_who(route, &Quota::from(&route.limits.per_ip), who)
    }

    /// Counts a handshake of this client, and takes a place for its session; `None` if there is nothing to
    /// count, or nobody.
    pub(crate) fn admit_subject(
        &self,
        route: &Route,
        identity: &Identity,
    ) -> Result<Option<Admission>, Rejection> {
        let quota = Quota::from(&route.limits.per_subject);
        if quota == Quota::default() || identity.subject().is_empty() {
            return Ok(None);
        }
        let who = self.inner.subject_of(identity);
        self.admit_who(route, &quota, who).map(Some)
    }

    fn admit_who(&self, route: &Route, quota: &Quota, who: Who) -> Result<Admission, Rejection> {
        if *quota == Quota::default() {
            return Ok(Admission::default());
        }
        let rules = self.inner.rules_of(&route.name, quota);
        let key = RateKey {
            route: rules.id,
            who,
        };
        let refuse = |used_up| self.inner.counted.rejection(used_up);
        if let Some(admission) = self.admit_tracked(key, &rules, quota) {
            return admission.map_err(refuse);
        }
        self.inner.make_room();
        if let Some(admission) = self.admit_tracked(key, &rules, quota) {
            return admission.map_err(refuse);
        }
        self.inner.overflowed.all.fetch_add(1, Ordering::Relaxed);
        let mut counters = lock(&rules.overflow);
        counters.enter(&rules, quota).map_err(refuse)?;
        let place = CountedIn::Overflow(Arc::clone(&rules.overflow));
        Ok(Admission::new(place, &counters))
    }

    /// As [`RateTable::admit_who`], and `None` where there is no entry and none is left.
    fn admit_tracked(
        &self,
        key: RateKey,
        rules: &RouteRates,
        quota: &Quota,
    ) -> Option<Result<Admission, UsedUp>> {
        let mut shard = lock(self.inner.shard_of(&key));
        if !shard.contains(&key) {
            self.inner.release(shard.sweep(SWEPT_PER_INSERT));
            if !self.inner.reserve() {
                return None;
            }
            shard.insert(key, Counters::new(rules));
        }
        let counters = shard.find(&key)?;
        let place = || CountedIn::Entry(Arc::clone(&self.inner), key);
        let entered = counters.enter(rules, quota);
        Some(entered.map(|()| Admission::new(place(), counters)))
    }

    /// Forgets everybody who has no session and nothing missing from its buckets, and gives
    /// memory back. Worth calling every few seconds.
    pub(crate) fn sweep(&self) {
        for shard in &self.inner.shards {
            let mut shard = lock(shard);
            let all = shard.len();
            self.inner.release(shard.sweep(all));
            shard.shrink();
        }
    }

    /// How many have state; an address or a subject on two routes counts twice.
    pub(crate) fn len(&self) -> usize {
        self.inner.entries.load(Ordering::Relaxed)
    }

    /// How many handshakes were counted in a shared entry since the last call, because the table was
    /// full.
    pub(crate) fn take_new_overflows(&self) -> u64 {
        let all = self.overflowed();
        // The larger number stays: of two concurrent callers, the slower must not report it again.
        let reported = &self.inner.overflowed.reported;
        let reported = reported.fetch_max(all, Ordering::Relaxed);
        all.saturating_sub(reported)
    }

    /// How many there were in all.
    pub(crate) fn overflowed(&self) -> u64 {
        self.inner.overflowed.all.load(Ordering::Relaxed)
    }
}

/// A session's place. It is given back on drop.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    /// `None` on a route without such limits.
    place: Option<CountedIn>,
    messages: Option<Arc<Limit>>,
    bytes: Option<Arc<Limit>>,
}

impl Admission {
    fn new(place: CountedIn, counters: &Counters) -> Self {
        Self {
            place: Some(place),
            messages: counters.messages.clone(),
            bytes: counters.bytes.clone(),
        }
    }

    /// The message rate that the sessions of the address or the subject share on this route.
    pub(crate) fn messages(&self) -> Option<Arc<Limit>> {
        self.messages.clone()
    }

    /// The byte rate that they share.
    pub(crate) fn bytes(&self) -> Option<Arc<Limit>> {
        self.bytes.clone()
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        match self.place.take() {
            Some(CountedIn::Entry(inner, key)) => {
                if let Some(counters) = lock(inner.shard_of(&key)).find(&key) {
                    counters.leave();
                }
            }
            Some(CountedIn::Overflow(counters)) => lock(&counters).leave(),
            None => (),
        }
    }
}

/// Where a session is counted.
enum CountedIn {
    Entry(Arc<TableInner>, RateKey),
    Overflow(Arc<Mutex<Counters>>),
}

impl fmt::Debug for CountedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(_, key) => f.debug_tuple("Entry").field(key).finish(),
            Self::Overflow(_) => f.write_str("Overflow"),
        }
    }
}

/// What the entries of a table are.
#[derive(Clone, Copy, Debug)]
enum Counted {
    Addresses,
    Subjects,
}

impl Counted {
    fn rejection(self, used_up: UsedUp) -> Rejection {
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
struct TableInner {
    counted: Counted,
    ipv6_prefix: u8,
    tracked: usize,
    /// By route name.
    rules: RwLock<HashMap<Arc<str>, Arc<RouteRates>>>,
    /// Names the next route's rules; never given twice.
    next_rules: AtomicUsize,
    shards: Box<[Mutex<Shard>]>,
    /// Picks the shard of a key; seeded, so that no client can aim at one.
    hasher: RandomState,
    /// With the other one it makes the key of a subject.
    second_hasher: RandomState,
    /// In all shards; at most `tracked`.
    entries: AtomicUsize,
    overflowed: Arc<Overflowed>,
    /// The shard that a newcomer to a full table looks into next.
    next_swept: AtomicUsize,
}

/// Handshakes that shared an entry. It outlives the table: a handshake that began before a reload
/// counts in the table of its time.
#[derive(Debug, Default)]
struct Overflowed {
    all: AtomicU64,
    /// How many of them have been reported.
    reported: AtomicU64,
}

impl TableInner {
    fn rules_of(&self, route: &Arc<str>, quota: &Quota) -> Arc<RouteRates> {
        let known = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = known.get(route).filter(|rules| rules.has_rates_of(quota)) {
            return Arc::clone(rules);
        }
        drop(known);
        let mut known = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        let rules = match known.get(route) {
            Some(rules) if rules.has_rates_of(quota) => return Arc::clone(rules),
            Some(rules) => rules.changed(quota),
            None => RouteRates::new(self.next_rules.fetch_add(1, Ordering::Relaxed), quota),
        };
        let rules = Arc::new(rules);
        known.insert(Arc::clone(route), Arc::clone(&rules));
        rules
    }

    /// What counts as one address.
    fn address_of(&self, ip: IpAddr) -> IpAddr {
        match ip.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let host_bits = 128_u32.saturating_sub(self.ipv6_prefix.into());
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        }
    }

    fn subject_of(&self, identity: &Identity) -> Who {
        let name = (identity.issuer(), identity.subject());
        Who::Subject([&self.hasher, &self.second_hasher].map(|hasher| hasher.hash_one(name)))
    }

    fn shard_of(&self, key: &RateKey) -> &Mutex<Shard> {
        // The maps use the hash's lowest and highest bits themselves.
        let hash = self.hasher.hash_one(key) >> 32;
        &self.shards[hash as usize % SHARDS]
    }

    /// Counts one more entry, if there may be one.
    fn reserve(&self) -> bool {
        let tracked = self.tracked;
        let more = |entries: usize| (entries < tracked).then_some(entries + 1);
        let (order, entries) = (Ordering::Relaxed, &self.entries);
        entries.fetch_update(order, order, more).is_ok()
    }

    fn release(&self, entries: usize) {
        self.entries.fetch_sub(entries, Ordering::Relaxed);
    }

    /// Looks for an idle entry to remove, at a bounded cost: each newcomer begins at another shard, and
    /// goes on where the one before it stopped there.
    fn make_room(&self) {
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
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
