//! How much one client address or one user may do on a route: handshakes, sessions at once, and the message
//! and byte rates that its sessions share.
//!
//! A handshake looks the table up once, and the end of a session once more. A session holds its own
//! handles on the two buckets that count messages and bytes, and touches neither the table nor a lock
//! for them.

mod admission;
mod among_gates;
mod counters;
mod inner;
mod shard;

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use self::admission::CountedIn;
use self::counters::{Counters, Lenders, Quota, RouteRates, UsedUp};
use self::inner::{Counted, Overflowed, TableInner, lock};
use self::shard::{RateKey, Who};
use crate::config::{ClientIp, Route};
use crate::rejection::Rejection;
use crate::request::Identity;
use crate::shared::SharedParts;

pub(crate) use self::admission::Admission;

/// What every address, or every subject, has done on every route, up to `client_ip.tracked` of them.
///
/// State is kept by the route's name; where the route comes with another rate, that begins anew.
#[derive(Clone, Debug)]
pub(crate) struct RateTable {
    inner: Arc<TableInner>,
}

/// How many old entries each new one looks at. It is more than one, so that the table shrinks to what
/// is in use even between sweeps.
const SWEPT_PER_INSERT: usize = 4;

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
        let inner = TableInner::new(settings, counted, overflowed);
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
        let parts = SharedParts::default();
        let rules = self.inner.rules_of(&route.name, quota, parts);
        let key = RateKey {
            route: rules.id,
            who,
        };
        let own = || Lenders::NONE;
        self.enter(key, &rules, own, |counters| counters.enter(quota))
    }

    /// Takes a place for a session, if `count` lets it in.
    fn enter(
        &self,
        key: RateKey,
        rules: &RouteRates,
        lenders: impl Fn() -> Lenders,
        count: impl Fn(&mut Counters) -> Result<(), UsedUp>,
    ) -> Result<Admission, Rejection> {
        let entered = self.count(key, rules, lenders, |counters| {
            count(counters).map(|()| Admission::of(counters))
        });
        let (admission, place) = entered;
        if let CountedIn::Overflow(_) = place {
            self.inner.overflowed.all.fetch_add(1, Ordering::Relaxed);
        }
        let mut admission = admission.map_err(|used_up| self.inner.counted.rejection(used_up))?;
        admission.set_place(place);
        Ok(admission)
    }

    /// Has `count` look at the counters of an address or a subject, and says where those are.
    fn count<T>(
        &self,
        key: RateKey,
        rules: &RouteRates,
        lenders: impl Fn() -> Lenders,
        count: impl Fn(&mut Counters) -> T,
    ) -> (T, CountedIn) {
        if let Some(counted) = self.count_tracked(key, rules, &lenders, &count) {
            return counted;
        }
        self.inner.make_room();
        if let Some(counted) = self.count_tracked(key, rules, &lenders, &count) {
            return counted;
        }
        let mut counters = lock(&rules.overflow);
        // What many have together is not what one of them has among all gates.
        counters.follow(rules, || Lenders::NONE);
        let counted = count(&mut counters);
        (counted, CountedIn::Overflow(Arc::clone(&rules.overflow)))
    }

    /// As [`RateTable::count`], and `None` where there is no entry and none is left.
    fn count_tracked<T>(
        &self,
        key: RateKey,
        rules: &RouteRates,
        lenders: &impl Fn() -> Lenders,
        count: &impl Fn(&mut Counters) -> T,
    ) -> Option<(T, CountedIn)> {
        let mut shard = lock(self.inner.shard_of(&key));
        if !shard.contains(&key) {
            self.inner.release(shard.sweep(SWEPT_PER_INSERT));
            if !self.inner.reserve() {
                return None;
            }
            shard.insert(key, Counters::new(rules, lenders()));
        }
        let counters = shard.find(&key)?;
        counters.follow(rules, lenders);
        let counted = count(counters);
        Some((counted, CountedIn::Entry(Arc::clone(&self.inner), key)))
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

#[cfg(test)]
mod tests;
