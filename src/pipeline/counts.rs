//! What is counted by route for as long as the gate lives, through every reload.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::channels::DeliveryCounts;
use crate::histogram::{Histogram, PLAIN, SHORT};
use crate::session::LimitCounts;
use crate::types::Side;

/// The counts of every route that had a handshake or a plain request. What sessions move and how they end is counted
/// by the registry; how handshakes and plain requests end, by an observer.
#[derive(Debug, Default)]
pub(crate) struct CountsByRoute {
    routes: Mutex<ByRoute>,
}

/// By route name.
type ByRoute = BTreeMap<Arc<str>, Arc<RouteCounts>>;

/// The counts of one route, whatever its settings are at the moment.
#[derive(Debug)]
pub(crate) struct RouteCounts {
    /// What the limits do to its sessions.
    pub(crate) limited: Arc<LimitCounts>,
    /// What its sessions get of publications.
    pub(crate) deliveries: Arc<DeliveryCounts>,
    /// From the request to our 101.
    pub(crate) handshakes: Histogram,
    /// To connect to a server, those tried in vain before it included.
    pub(crate) connects: Histogram,
    pub(crate) plain: PlainCounts,
}

/// What a route counts of the plain requests that it forwards.
#[derive(Debug)]
pub(crate) struct PlainCounts {
    /// Those whose response is not over.
    open: AtomicU64,
    /// From the request to the head of the response.
    pub(crate) heads: Histogram,
    /// From the request to the end of the response.
    pub(crate) durations: Histogram,
    bytes_from_client: AtomicU64,
    bytes_from_upstream: AtomicU64,
}

/// What one plain request moves; its route counts the same.
#[derive(Debug)]
pub(crate) struct PlainTraffic {
    counts: Arc<RouteCounts>,
    from_client: AtomicU64,
    from_upstream: AtomicU64,
}

impl CountsByRoute {
    /// The counts of one route.
    pub(crate) fn route(&self, name: &Arc<str>) -> Arc<RouteCounts> {
        let mut routes = self.lock();
        Arc::clone(routes.entry(Arc::clone(name)).or_default())
    }

    pub(crate) fn by_route(&self) -> ByRoute {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, ByRoute> {
        // The map is whole at every moment, whatever panicked elsewhere.
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for RouteCounts {
    fn default() -> Self {
        Self {
            limited: Arc::default(),
            deliveries: Arc::default(),
            handshakes: Histogram::new(SHORT),
            connects: Histogram::new(SHORT),
            plain: PlainCounts::default(),
        }
    }
}

// Relaxed everywhere: the counts guard no other memory.
impl PlainCounts {
    pub(super) fn begin(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Bytes of the bodies from this side.
    pub(crate) fn bytes_from(&self, side: Side) -> u64 {
        self.bytes(side).load(Ordering::Relaxed)
    }

    fn bytes(&self, side: Side) -> &AtomicU64 {
        match side {
            Side::Client => &self.bytes_from_client,
            Side::Upstream => &self.bytes_from_upstream,
        }
    }
}

impl Default for PlainCounts {
    fn default() -> Self {
        Self {
            open: AtomicU64::new(0),
            heads: Histogram::new(PLAIN),
            durations: Histogram::new(PLAIN),
            bytes_from_client: AtomicU64::new(0),
            bytes_from_upstream: AtomicU64::new(0),
        }
    }
}

impl PlainTraffic {
    pub(super) fn new(counts: Arc<RouteCounts>) -> Self {
        Self {
            counts,
            from_client: AtomicU64::new(0),
            from_upstream: AtomicU64::new(0),
        }
    }

    pub(super) fn counts(&self) -> &PlainCounts {
        &self.counts.plain
    }

    /// Counts bytes of the body from this side.
    pub(super) fn add(&self, side: Side, bytes: u64) {
        self.own(side).fetch_add(bytes, Ordering::Relaxed);
        let of_route = self.counts.plain.bytes(side);
        of_route.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn from(&self, side: Side) -> u64 {
        self.own(side).load(Ordering::Relaxed)
    }

    fn own(&self, side: Side) -> &AtomicU64 {
        match side {
            Side::Client => &self.from_client,
            Side::Upstream => &self.from_upstream,
        }
    }
}
