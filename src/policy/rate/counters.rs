//! The sessions and rates of one address on one route.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::PerIp;
use crate::limit::{Exceeded, Limit};
use crate::rejection::Rejection;

/// A route's limits per address, as the table knows them.
#[derive(Debug)]
pub(super) struct RouteRates {
    /// Names the route in keys.
    pub(super) id: usize,
    per_ip: PerIp,
    /// Tells buckets of these rates from those of earlier settings.
    generation: u32,
    /// Counts all addresses together that find the table full.
    pub(super) overflow: Arc<Mutex<AddressCounters>>,
}

impl RouteRates {
    pub(super) fn new(id: usize, per_ip: &PerIp) -> Self {
        let overflow = Arc::new(Mutex::new(AddressCounters::with(per_ip, 0)));
        Self {
            id,
            per_ip: *per_ip,
            generation: 0,
            overflow,
        }
    }

    /// The same route's rules after its rates have changed.
    pub(super) fn changed(&self, per_ip: &PerIp) -> Self {
        Self {
            id: self.id,
            per_ip: *per_ip,
            generation: self.generation.wrapping_add(1),
            overflow: Arc::clone(&self.overflow),
        }
    }

    /// Whether these are the same rates. The number of sessions is not a rate: it is read from the
    /// route at each handshake.
    pub(super) fn has_rates_of(&self, per_ip: &PerIp) -> bool {
        let rates = |per_ip: &PerIp| (per_ip.handshakes, per_ip.messages, per_ip.bytes);
        rates(&self.per_ip) == rates(per_ip)
    }
}

/// An address's sessions and buckets.
#[derive(Debug)]
pub(super) struct AddressCounters {
    generation: u32,
    sessions: u32,
    handshakes: Option<Limit>,
    /// Shared with the sessions, which take from it without a lock.
    pub(super) messages: Option<Arc<Limit>>,
    pub(super) bytes: Option<Arc<Limit>>,
}

impl AddressCounters {
    pub(super) fn new(rules: &RouteRates) -> Self {
        Self::with(&rules.per_ip, rules.generation)
    }

    fn with(per_ip: &PerIp, generation: u32) -> Self {
        Self {
            generation,
            sessions: 0,
            handshakes: per_ip.handshakes.map(Limit::new),
            messages: per_ip.messages.map(Limit::new).map(Arc::new),
            bytes: per_ip.bytes.map(Limit::new).map(Arc::new),
        }
    }

    /// Counts a handshake, and then a session.
    pub(super) fn enter(&mut self, rules: &RouteRates, per_ip: &PerIp) -> Result<(), Rejection> {
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
            return Err(Rejection::HandshakeRate { retry_after });
        }
        if per_ip.connections.is_some_and(|most| self.sessions >= most) {
            return Err(Rejection::TooManySessions);
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
