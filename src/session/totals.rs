//! What the sessions of a gate came to, those that have ended included.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::close::CloseReason;
use crate::histogram::{Durations, LONG};

/// What a session has moved so far. Only the session writes, so that no count costs it more than
/// a store.
#[derive(Debug, Default)]
pub(crate) struct TrafficCounters {
    pub(crate) messages_from_client: AtomicU64,
    pub(crate) bytes_from_client: AtomicU64,
    pub(crate) messages_from_upstream: AtomicU64,
    pub(crate) bytes_from_upstream: AtomicU64,
    /// When the last data frame passed, in seconds from when the session was opened.
    pub(crate) last_data: AtomicU64,
    pub(crate) pings_to_client: AtomicU64,
    pub(crate) pings_to_upstream: AtomicU64,
    pub(crate) ping_timeouts_of_client: AtomicU64,
    pub(crate) ping_timeouts_of_upstream: AtomicU64,
}

/// What one session had moved when it was looked at, or what many have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrafficCounts {
    pub(crate) messages_from_client: u64,
    pub(crate) bytes_from_client: u64,
    pub(crate) messages_from_upstream: u64,
    pub(crate) bytes_from_upstream: u64,
    pub(crate) pings_to_client: u64,
    pub(crate) pings_to_upstream: u64,
    pub(crate) ping_timeouts_of_client: u64,
    pub(crate) ping_timeouts_of_upstream: u64,
}

/// What the sessions of one route came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteTotals {
    /// Sessions that live.
    pub(crate) open: u64,
    /// How many ended in which way.
    pub(crate) closed: BTreeMap<CloseLabels, u64>,
    pub(crate) moved: TrafficCounts,
    /// How long those that ended had lasted.
    pub(crate) lasted: Durations,
    /// Those that ended because the client took nothing.
    pub(crate) slow_clients: u64,
    /// Those that ended because the upstream took nothing.
    pub(crate) slow_upstreams: u64,
    /// Those that a rate limit ended.
    pub(crate) over_limit: u64,
}

/// What the sessions with one server came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerTotals {
    /// Sessions that live.
    pub(crate) open: u64,
    /// Those that ended are in it.
    pub(crate) opened: u64,
}

/// A way for sessions to end. There are few enough of them to count each, whatever peers send.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CloseLabels {
    pub(crate) reason: &'static str,
    pub(crate) closed_by: &'static str,
    /// The close code that the client has; empty where there was none. What a client made up for
    /// itself is `3xxx` or `4xxx`.
    pub(crate) code: Cow<'static, str>,
}

/// What one session adds to the totals.
pub(super) struct EntryCounts<'a> {
    pub(super) route: &'a Arc<str>,
    pub(super) upstream: &'a Arc<str>,
    pub(super) server: &'a Arc<str>,
    pub(super) moved: TrafficCounts,
}

/// What all sessions of a gate came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    /// By route name.
    pub(crate) routes: BTreeMap<Arc<str>, RouteTotals>,
    /// By the names of upstream and server.
    pub(crate) servers: BTreeMap<(Arc<str>, Arc<str>), ServerTotals>,
}

impl TrafficCounters {
    pub(crate) fn load(&self) -> TrafficCounts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TrafficCounts {
            messages_from_client: load(&self.messages_from_client),
            bytes_from_client: load(&self.bytes_from_client),
            messages_from_upstream: load(&self.messages_from_upstream),
            bytes_from_upstream: load(&self.bytes_from_upstream),
            pings_to_client: load(&self.pings_to_client),
            pings_to_upstream: load(&self.pings_to_upstream),
            ping_timeouts_of_client: load(&self.ping_timeouts_of_client),
            ping_timeouts_of_upstream: load(&self.ping_timeouts_of_upstream),
        }
    }
}

impl TrafficCounts {
    fn add(&mut self, other: Self) {
        self.messages_from_client += other.messages_from_client;
        self.bytes_from_client += other.bytes_from_client;
        self.messages_from_upstream += other.messages_from_upstream;
        self.bytes_from_upstream += other.bytes_from_upstream;
        self.pings_to_client += other.pings_to_client;
        self.pings_to_upstream += other.pings_to_upstream;
        self.ping_timeouts_of_client += other.ping_timeouts_of_client;
        self.ping_timeouts_of_upstream += other.ping_timeouts_of_upstream;
    }
}

impl RouteTotals {
    /// How many sessions there have been, those that live included.
    pub(crate) fn opened(&self) -> u64 {
        self.open + self.lasted.count
    }
}

impl Default for RouteTotals {
    fn default() -> Self {
        Self {
            open: 0,
            closed: BTreeMap::new(),
            moved: TrafficCounts::default(),
            lasted: Durations::new(LONG),
            slow_clients: 0,
            slow_upstreams: 0,
            over_limit: 0,
        }
    }
}

impl CloseLabels {
    fn of(reason: &CloseReason) -> Self {
        Self {
            reason: reason.as_str(),
            closed_by: reason.closed_by(),
            code: code(reason),
        }
    }
}

impl Totals {
    /// Adds a session that lives.
    pub(super) fn add_open(&mut self, counts: &EntryCounts<'_>) {
        let route = self.route(counts);
        route.open += 1;
        route.moved.add(counts.moved);
        let server = self.server(counts);
        server.open += 1;
        server.opened += 1;
    }

    /// Adds a session that has ended at this age.
    pub(super) fn add_closed(
        &mut self,
        counts: &EntryCounts<'_>,
        age: Duration,
        reason: &CloseReason,
    ) {
        let route = self.route(counts);
        route.moved.add(counts.moved);
        route.lasted.add(age);
        *route.closed.entry(CloseLabels::of(reason)).or_default() += 1;
        route.slow_clients += u64::from(*reason == CloseReason::SlowClient);
        route.slow_upstreams += u64::from(*reason == CloseReason::SlowUpstream);
        let over_limit = matches!(reason, CloseReason::MessageRate | CloseReason::ByteRate);
        route.over_limit += u64::from(over_limit);
        self.server(counts).opened += 1;
    }

    fn route(&mut self, counts: &EntryCounts<'_>) -> &mut RouteTotals {
        self.routes.entry(Arc::clone(counts.route)).or_default()
    }

    fn server(&mut self, counts: &EntryCounts<'_>) -> &mut ServerTotals {
        let names = (Arc::clone(counts.upstream), Arc::clone(counts.server));
        self.servers.entry(names).or_default()
    }
}

fn code(reason: &CloseReason) -> Cow<'static, str> {
    let Some(code) = reason.client_code() else {
        return Cow::Borrowed("");
    };
    match (reason, code.get()) {
        // Two thousand codes are free for anybody's use (RFC 6455 §7.4.2): a client that went
        // through them would fill the counters.
        (CloseReason::ClientClosed(_), 3000..=3999) => Cow::Borrowed("3xxx"),
        (CloseReason::ClientClosed(_), 4000..=4999) => Cow::Borrowed("4xxx"),
        (_, code) => Cow::Owned(code.to_string()),
    }
}

#[cfg(test)]
mod tests {

    use tokio::time::advance;

    use tokio::time::Instant;

    use super::*;
    use crate::close::CloseCode;
    use crate::session::{Expiry, Registry, SessionMetadata};
    use crate::wall_clock::WallClock;

    #[test]
    fn a_client_cannot_make_more_codes_than_there_are_kinds() {
        let endings = |close: fn(Option<CloseCode>) -> CloseReason| -> BTreeMap<_, u64> {
            let mut endings = BTreeMap::new();
            for code in (0..=u16::MAX).map(CloseCode::new) {
                *endings.entry(CloseLabels::of(&close(code))).or_default() += 1;
            }
            endings
        };
        let by_client = endings(CloseReason::ClientClosed);
        let codes: Vec<_> = by_client.keys().map(|ending| &*ending.code).collect();
        let ours = [
            "", "1000", "1001", "1002", "1003", "1007", "1008", "1009", "1010", "1011", "1012",
            "1013", "1014", "3xxx", "4xxx",
        ];
        assert_eq!(codes, ours);
        assert_eq!(by_client.values().sum::<u64>(), 1 << 16);
    }

    #[test]
    fn a_code_of_the_backends_own_is_told_apart() {
        let code = CloseCode::new(4401);
        let ending = CloseLabels::of(&CloseReason::UpstreamClosed(code));
        assert_eq!(
            (ending.reason, ending.closed_by, &*ending.code),
            ("closed", "upstream", "4401")
        );
        let ending = CloseLabels::of(&CloseReason::ClientLost);
        assert_eq!(
            (ending.reason, ending.closed_by, &*ending.code),
            ("client_lost", "client", "")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_added_once_and_no_sum_falls_when_it_ends() {
        let registry = Arc::new(Registry::for_tests(0, WallClock::default()));
        let names = ("back".into(), "one".into());
        let mut ended = 0;
        for (reason, slow_clients, slow_upstreams, over_limit) in [
            (CloseReason::SlowClient, 1, 0, 0),
            (CloseReason::SlowUpstream, 1, 1, 0),
            (CloseReason::MessageRate, 1, 1, 1),
            (CloseReason::ByteRate, 1, 1, 2),
            (CloseReason::Idle, 1, 1, 2),
        ] {
            let metadata = SessionMetadata::for_tests("chat", "back", "one");
            let guard = registry
                .acquire()
                .unwrap()
                .register(metadata, Expiry::never(), Instant::now())
                .unwrap();
            let traffic = &guard.entry().traffic;
            traffic.messages_from_client.store(7, Ordering::Relaxed);
            traffic.pings_to_upstream.store(2, Ordering::Relaxed);
            advance(Duration::from_secs(90)).await;
            let live = registry.totals();
            guard.finish(reason.clone());
            let after = registry.totals();
            ended += 1;

            let (live, route) = (&live.routes["chat"], &after.routes["chat"]);
            assert_eq!((live.open, route.open), (1, 0));
            assert_eq!((live.opened(), route.opened()), (ended, ended));
            assert_eq!(
                (live.moved, route.moved.messages_from_client),
                (route.moved, 7 * ended)
            );
            assert_eq!(route.moved.pings_to_upstream, 2 * ended);
            assert_eq!((live.lasted.count, route.lasted.count), (ended - 1, ended));
            assert_eq!(route.lasted.sum.as_secs(), 90 * ended);
            assert_eq!(route.closed.values().sum::<u64>(), ended);
            let told = (route.slow_clients, route.slow_upstreams, route.over_limit);
            assert_eq!(
                told,
                (slow_clients, slow_upstreams, over_limit),
                "{reason:?}"
            );
            let server = ServerTotals {
                open: 0,
                opened: ended,
            };
            assert_eq!(after.servers[&names], server);
        }
    }
}
