//! The sessions and rates of one address or one subject on one route.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::{PerIp, PerSubject, Rate};
use crate::limit::{Exceeded, Lender, Limit};
use crate::shared::SharedParts;

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
    /// What of it all gates share.
    parts: SharedParts,
    /// Tells buckets of these rates from those of earlier settings.
    generation: u32,
    /// Counts all together that find the table full.
    pub(super) overflow: Arc<Mutex<Counters>>,
}

impl RouteRates {
    pub(super) fn new(id: usize, quota: &Quota, parts: SharedParts) -> Self {
        let overflow = Arc::new(Mutex::new(Counters::with(quota, 0, Lenders::NONE)));
        Self {
            id,
            quota: *quota,
            parts,
            generation: 0,
            overflow,
        }
    }

    /// The same route's rules after its rates have changed.
    pub(super) fn changed(&self, quota: &Quota, parts: SharedParts) -> Self {
        Self {
            id: self.id,
            quota: *quota,
            parts,
            generation: self.generation.wrapping_add(1),
            overflow: Arc::clone(&self.overflow),
        }
    }

    /// Whether these are the same rates. The number of sessions is not a rate: it is read from the
    /// route at each handshake.
    pub(super) fn has_rates_of(&self, quota: &Quota, parts: SharedParts) -> bool {
        let rates = |quota: &Quota| (quota.handshakes, quota.messages, quota.bytes);
        rates(&self.quota) == rates(quota) && self.parts == parts
    }
}

/// Where messages and bytes are borrowed, of which all gates share the rate.
#[derive(Default)]
pub(super) struct Lenders {
    pub(super) messages: Option<Arc<dyn Lender>>,
    pub(super) bytes: Option<Arc<dyn Lender>>,
}

impl Lenders {
    pub(super) const NONE: Self = Self {
        messages: None,
        bytes: None,
    };
}

/// The sessions and buckets of an address or a subject.
#[derive(Debug)]
pub(super) struct Counters {
    generation: u32,
    sessions: u32,
    handshakes: Option<Limit>,
    /// All gates together have refused handshakes until then.
    refused_until: Option<Instant>,
    /// Shared with the sessions, which take from it without a lock.
    pub(super) messages: Option<Arc<Limit>>,
    pub(super) bytes: Option<Arc<Limit>>,
}

impl Counters {
    pub(super) fn new(rules: &RouteRates, lenders: Lenders) -> Self {
        Self::with(&rules.quota, rules.generation, lenders)
    }

    fn with(quota: &Quota, generation: u32, lenders: Lenders) -> Self {
        let limit = |rate: Option<Rate>, lender: Option<Arc<dyn Lender>>| {
            let rate = rate?;
            Some(Arc::new(match lender {
                Some(lender) => Limit::shared(rate, lender),
                None => Limit::new(rate),
            }))
        };
        Self {
            generation,
            sessions: 0,
            handshakes: quota.handshakes.map(Limit::new),
            refused_until: None,
            messages: limit(quota.messages, lenders.messages),
            bytes: limit(quota.bytes, lenders.bytes),
        }
    }

    /// Counts by these rules from now on. Sessions from before keep their buckets; those from now on share new ones.
    pub(super) fn follow(&mut self, rules: &RouteRates, lenders: impl FnOnce() -> Lenders) {
        if self.generation != rules.generation {
            let sessions = self.sessions;
            *self = Self::new(rules, lenders());
            self.sessions = sessions;
        }
    }

    /// Counts a handshake, and then a session.
    pub(super) fn enter(&mut self, quota: &Quota) -> Result<(), UsedUp> {
        self.count_handshake()?;
        self.count_session(quota.connections)
    }

    pub(super) fn count_handshake(&mut self) -> Result<(), UsedUp> {
        if let Some(exceeded) = self
            .handshakes
            .as_ref()
            .and_then(|limit| limit.take(1, Instant::now()).err())
        {
            let retry_after = match exceeded {
                Exceeded::For(wait) | Exceeded::Soon(wait) => wait,
                // A burst is never less than one.
                Exceeded::Ever => Duration::ZERO,
            };
            return Err(UsedUp::Handshakes { retry_after });
        }
        Ok(())
    }

    /// Counts a session, if there are fewer than `most`.
    pub(super) fn count_session(&mut self, most: Option<u32>) -> Result<(), UsedUp> {
        if most.is_some_and(|most| self.sessions >= most) {
            return Err(UsedUp::Sessions);
        }
        self.sessions = self.sessions.saturating_add(1);
        Ok(())
    }

    /// All gates together refuse handshakes for so long: none of them is any sooner, so that nobody is asked until then.
    pub(super) fn refuse_for(&mut self, wait: Duration) {
        self.refused_until = Instant::now().checked_add(wait);
    }

    /// Whether all gates together have refused handshakes until later.
    pub(super) fn refusal(&self, now: Instant) -> Option<UsedUp> {
        let wait = self.refused_until?.checked_duration_since(now)?;
        let is_over = wait.is_zero();
        (!is_over).then_some(UsedUp::Handshakes { retry_after: wait })
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
            && self.refusal(now).is_none()
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
