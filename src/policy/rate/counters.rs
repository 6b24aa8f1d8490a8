//! The sessions and rates of one address or one subject on one route.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::{PerIp, PerSubject, Rate};
use crate::limit::{Exceeded, Limit};

/// What one address or one subject may do on a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) connections: Option<u32>,
    pub(super) handshakes: Option<Rate>,
    pub(super) messages: Option<Rate>,
    pub(super) bytes: Option<Rate>,
}

/// Which part of a quota is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsedUp {
    Sessions,
    Handshakes { retry_after: Duration },
}

/// A route's quota, as the table knows it.
#[derive(Debug)]
pub(super) struct RouteRates {
    /// Names the route in keys.
    pub(super) id: usize,
    quota: Quota,
    /// Tells buckets of these rates from those of earlier settings.
    generation: u32,
    /// Counts all together that find the table full.
    pub(super) overflow: Arc<Mutex<Counters>>,
}

impl RouteRates {
    pub(super) fn new(id: usize, quota: &Quota) -> Self {
        let overflow = Arc::new(Mutex::new(Counters::with(quota, 0)));
        Self {
            id,
            quota: *quota,
            generation: 0,
            overflow,
        }
    }

    /// The same route's rules after its rates have changed.
    pub(super) fn changed(&self, quota: &Quota) -> Self {
        Self {
            id: self.id,
            quota: *quota,
            generation: self.generation.wrapping_add(1),
            overflow: Arc::clone(&self.overflow),
        }
    }

    /// Whether these are the same rates. The number of sessions is not a rate: it is read from the
    /// route at each handshake.
    pub(super) fn has_rates_of(&self, quota: &Quota) -> bool {
        let rates = |quota: &Quota| (quota.handshakes, quota.messages, quota.bytes);
        rates(&self.quota) == rates(quota)
    }
}

/// The sessions and buckets of an address or a subject.
#[derive(Debug)]
pub(super) struct Counters {
    generation: u32,
    sessions: u32,
    handshakes: Option<Limit>,
    /// Shared with the sessions, which take from it without a lock.
    pub(super) messages: Option<Arc<Limit>>,
    pub(super) bytes: Option<Arc<Limit>>,
}

impl Counters {
    pub(super) fn new(rules: &RouteRates) -> Self {
        Self::with(&rules.quota, rules.generation)
    }

    fn with(quota: &Quota, generation: u32) -> Self {
        Self {
            generation,
            sessions: 0,
            handshakes: quota.handshakes.map(Limit::new),
            messages: quota.messages.map(Limit::new).map(Arc::new),
            bytes: quota.bytes.map(Limit::new).map(Arc::new),
        }
    }

    /// Counts a handshake, and then a session.
    pub(super) fn enter(&mut self, rules: &RouteRates, quota: &Quota) -> Result<(), UsedUp> {
        if self.generation != rules.generation {
            // Sessions from before keep their buckets; those from now on share new ones.
            let sessions = self.sessions;
            *self = Self::new(rules);
            self.sessions = sessions;
        }
        if let Some(exceeded) = self
            .handshakes
            .as_ref()
            .and_then(|limit| limit.take(1, Instant::now()).err())
        {
            let retry_after = match exceeded {
                Exceeded::For(wait) => wait,
                // A burst is never less than one.
                Exceeded::Ever => Duration::ZERO,
            };
            return Err(UsedUp::Handshakes { retry_after });
        }
        if quota.connections.is_some_and(|most| self.sessions >= most) {
            return Err(UsedUp::Sessions);
        }
        self.sessions = self.sessions.saturating_add(1);
        Ok(())
    }

    /// Ends a session.
    pub(super) fn leave(&mut self) {
        self.sessions = self.sessions.saturating_sub(1);
    }

    /// Whether new counters would be the same.
    pub(super) fn is_idle(&mut self, now: Instant) -> bool {
        let full = |limit: &mut Limit| limit.is_full(now);
        // A bucket that a session still holds could be taken from after it was forgotten here.
        let free = |limit: &mut Arc<Limit>| Arc::get_mut(limit).is_some_and(full);
        self.sessions == 0
            && self.handshakes.as_mut().is_none_or(full)
            && self.messages.as_mut().is_none_or(free)
            && self.bytes.as_mut().is_none_or(free)
    }
}

impl From<&PerIp> for Quota {
    fn from(per_ip: &PerIp) -> Self {
        let PerIp {
            connections,
            handshakes,
            messages,
            bytes,
        } = *per_ip;
        Self {
            connections,
            handshakes,
            messages,
            bytes,
        }
    }
}

impl From<&PerSubject> for Quota {
    fn from(per_subject: &PerSubject) -> Self {
        let PerSubject {
            connections,
            handshakes,
            messages,
            bytes,
        } = *per_subject;
        Self {
            connections,
            handshakes,
            messages,
            bytes,
        }
    }
}
