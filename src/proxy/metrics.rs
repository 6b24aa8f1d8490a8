//! What a gate has counted, for its host.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::core::Core;
use super::outcomes::ACCEPTED;
use super::settings::Snapshot;
use crate::session::{Moved, Totals};
use crate::upstream::Failed;

/// What a gate has counted since it was built: [`Handle::metrics`](super::Handle::metrics).
///
/// A count never falls from one call to the next, and `open` is how it is at the moment. Names of
/// routes, upstreams and servers are those of the settings, and all other words are wsgate's own:
/// no client can make the lists longer.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// What handshakes came to, by route and outcome.
    pub handshakes: Vec<HandshakeMetrics>,
    /// Every route.
    pub routes: Vec<RouteMetrics>,
    /// Sessions that have ended, by route and way to end.
    pub closed: Vec<ClosedMetrics>,
    /// Every server of every upstream.
    pub servers: Vec<ServerMetrics>,
    /// Lines about refused handshakes and failing servers that were left out of the log, because
    /// there were too many.
    pub log_lines_left_out: u64,
    /// Client addresses that have limits of their own at the moment; one on two routes is two.
    pub addresses_tracked: u64,
    /// Handshakes that shared a limit, because more addresses came than are tracked.
    pub addresses_overflowed: u64,
}

/// How many handshakes on a route came to one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeMetrics {
    /// The route's name; empty where the handshake ended before a route was found.
    pub route: Arc<str>,
    /// `accepted`, `abandoned` (the client hung up before it was answered), or
    /// [`Rejection::reason`](crate::Rejection::reason). A refused plain request counts as well.
    pub outcome: &'static str,
    /// How many.
    pub count: u64,
}

/// What the sessions of one route came to, live ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteMetrics {
    /// The route's name.
    pub route: Arc<str>,
    /// Sessions open at the moment.
    pub open: u64,
    /// Messages from clients.
    pub messages_from_client: u64,
    /// Bytes passed on from clients, frame headers included.
    pub bytes_from_client: u64,
    /// Messages from upstreams.
    pub messages_from_upstream: u64,
    /// Bytes passed on from upstreams, frame headers included.
    pub bytes_from_upstream: u64,
    /// Messages, pings and pongs that a rate limit dropped (`on_exceed = "drop"`).
    pub dropped: u64,
    /// How often a rate limit made a client wait (`on_exceed = "delay"`).
    pub delayed: u64,
}

/// How many sessions of a route ended in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClosedMetrics {
    /// The route's name.
    pub route: Arc<str>,
    /// [`CloseReason::as_str`](crate::CloseReason::as_str).
    pub reason: &'static str,
    /// `client`, `upstream` or `gate`.
    pub closed_by: &'static str,
    /// The close code that the client has; empty where there was none. Codes from 3000 upwards
    /// that a client closed with are `3xxx` and `4xxx`.
    pub code: String,
    /// How many.
    pub count: u64,
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerMetrics {
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// The server, as the settings name it.
    pub server: Arc<str>,
    /// Sessions open at the moment.
    pub open: u64,
    /// Connections that it did not take.
    pub failed_connects: u64,
    /// Handshakes that it gave no right answer to.
    pub failed_handshakes: u64,
    /// Plain requests that it gave no right answer to (the program only).
    pub failed_plain_requests: u64,
}

impl Metrics {
    pub(super) fn of(core: &Core) -> Self {
        let settings = core.settings();
        let Totals { routes, servers } = core.registry.totals();
        let mut metrics = Self {
            handshakes: handshakes(core, &settings),
            routes: Vec::new(),
            closed: Vec::new(),
            servers: server_metrics(core, &settings, servers),
            log_lines_left_out: core.rejections.left_out() + core.counters.failures.left_out(),
            addresses_tracked: settings.rates.len() as u64,
            addresses_overflowed: settings.rates.overflowed(),
        };
        let mut of_route = known_routes(&settings);
        for (route, totals) in routes {
            for (ending, count) in totals.closed {
                metrics.closed.push(ClosedMetrics {
                    route: Arc::clone(&route),
                    reason: ending.reason,
                    closed_by: ending.closed_by,
                    code: ending.code.into_owned(),
                    count,
                });
            }
            of_route.insert(route, (totals.open, totals.moved));
        }
        let limited = core.counters.limited_by_route();
        let routes = of_route.into_iter().map(|(route, (open, moved))| {
            let limited = limited.get(&route);
            RouteMetrics {
                open,
                messages_from_client: moved.messages_from_client,
                bytes_from_client: moved.bytes_from_client,
                messages_from_upstream: moved.messages_from_upstream,
                bytes_from_upstream: moved.bytes_from_upstream,
                dropped: limited.map_or(0, |limited| limited.dropped()),
                delayed: limited.map_or(0, |limited| limited.delayed()),
                route,
            }
        });
        metrics.routes = routes.collect();
        metrics
    }
}

/// Every route of the settings, with nothing: a count that is there from the start shows its first
/// step.
fn known_routes(settings: &Snapshot) -> BTreeMap<Arc<str>, (u64, Moved)> {
    let routes = settings.config.routes.iter();
    routes
        .map(|route| (Arc::clone(&route.name), Default::default()))
        .collect()
}

fn handshakes(core: &Core, settings: &Snapshot) -> Vec<HandshakeMetrics> {
    let mut by_route = core.counters.outcomes.by_route();
    for route in known_routes(settings).into_keys() {
        by_route
            .entry(route)
            .or_default()
            .entry(ACCEPTED)
            .or_default();
    }
    let each = by_route.into_iter().flat_map(|(route, outcomes)| {
        outcomes.into_iter().map(move |(outcome, count)| {
            let route = Arc::clone(&route);
            HandshakeMetrics {
                route,
                outcome,
                count,
            }
        })
    });
    each.collect()
}

fn server_metrics(
    core: &Core,
    settings: &Snapshot,
    open: BTreeMap<(Arc<str>, Arc<str>), u64>,
) -> Vec<ServerMetrics> {
    let mut servers: BTreeMap<_, (u64, Failed)> = BTreeMap::new();
    for upstream in &settings.config.upstreams {
        for server in &upstream.servers {
            let names = (Arc::clone(&upstream.name), Arc::clone(&server.name));
            servers.entry(names).or_default();
        }
    }
    for (names, open) in open {
        servers.entry(names).or_default().0 = open;
    }
    for (names, failed) in core.counters.failures.by_server() {
        servers.entry(names).or_default().1 = failed;
    }
    let each = servers
        .into_iter()
        .map(|((upstream, server), (open, failed))| ServerMetrics {
            upstream,
            server,
            open,
            failed_connects: failed.connects,
            failed_handshakes: failed.handshakes,
            failed_plain_requests: failed.plain_requests,
        });
    each.collect()
}
