//! What a session holds of the table.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::counters::Counters;
use super::inner::{TableInner, lock};
use super::shard::RateKey;
use crate::limit::Limit;
use crate::shared::Lease;

/// A session's place. It is given back on drop.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    /// `None` on a route without such limits.
    place: Option<CountedIn>,
    messages: Option<Arc<Limit>>,
    bytes: Option<Arc<Limit>>,
    /// The place among all gates. Behind a pointer, because few have one and idle sessions are many.
    lease: Option<Box<Lease>>,
}

impl Admission {
    /// What there is to hold, without a place.
    pub(super) fn of(counters: &Counters) -> Self {
        Self {
            place: None,
            messages: counters.messages.clone(),
            bytes: counters.bytes.clone(),
            lease: None,
        }
    }

    pub(super) fn set_place(&mut self, place: CountedIn) {
        self.place = Some(place);
    }

    pub(super) fn set_lease(&mut self, lease: Option<Lease>) {
        self.lease = lease.map(Box::new);
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
pub(super) enum CountedIn {
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
