//! What a gate has counted, for its host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::channel_metrics::ChannelMetrics;
use super::issuer_metrics::IssuerMetrics;
use super::shared_metrics::SharedMetrics;
use crate::config::{HttpMode, Route, UpstreamHttp};
use crate::histogram::Durations;
use crate::observe::{ACCEPTED, FORWARDED_WELL};
use crate::pipeline::{Core, RouteCounts, Snapshot};
use crate::session::{RouteTotals, ServerTotals, Totals};
use crate::types::Side;
use crate::upstream::ServerFailures;

/// What a gate has counted since it was built: [`Handle::metrics`](super::Handle::metrics).
///
/// A count never falls from one call to the next; `open`, and whatever else says so, is how it is
/// at the moment. Names of routes, upstreams and servers are those of the settings, and all other words are wsgate's own:
/// no client can make the lists longer.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// What handshakes came to, by route and outcome.
    pub handshakes: Vec<HandshakeMetrics>,
    /// What plain requests came to, by route, outcome and status.
    pub plain_requests: Vec<PlainRequestMetrics>,
    /// Requests of which not even the head could be read, and what else
    /// [`Handle::report_malformed`](super::Handle::report_malformed) was called for, by reason.
    pub broken_requests: Vec<BrokenRequestMetrics>,
    /// Every route.
    pub routes: Vec<RouteMetrics>,
    /// Every route that forwards plain requests.
    pub plain_routes: Vec<PlainRouteMetrics>,
    /// Sessions that have ended, by route and way to end.
    pub closed: Vec<ClosedMetrics>,
    /// Every server of every upstream.
    pub servers: Vec<ServerMetrics>,
    /// Every issuer whose keys are fetched from a URL.
    pub issuers: Vec<IssuerMetrics>,
    /// Channels, and what was published.
    pub channels: ChannelMetrics,
    /// The engine that several gates share; `None` if the settings have none.
    pub shared: Option<SharedMetrics>,
    /// Tickets that were issued and not used, at the moment.
    pub tickets_open: u64,
    /// Whether the gate has begun to drain, and accepts no new sessions.
    pub draining: bool,
    /// The most sessions at once; `None` is no limit. A handshake takes a session's place from
    /// before its upstream is dialled.
    pub most_sessions: Option<u64>,
    /// Handshakes at the moment that hold the place of a session.
    pub handshakes_open: u64,
    /// Lines about refused requests and failing servers that were left out of the log, because
    /// there were too many.
    pub log_lines_left_out: u64,
    /// Client addresses that have limits of their own at the moment; one on two routes is two.
    pub addresses_tracked: u64,
    /// Handshakes that shared a limit, because more addresses came than are tracked.
    pub addresses_overflowed: u64,
    /// Subjects that have limits of their own at the moment; one on two routes is two.
    pub subjects_tracked: u64,
    /// Handshakes that shared a limit, because more subjects came than are tracked.
    pub subjects_overflowed: u64,
}

/// How many handshakes on a route came to one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeMetrics {
    /// The route's name; empty where the handshake ended before a route was found.
    pub route: Arc<str>,
    /// `accepted`, `abandoned` (the client hung up before it was answered), or
    /// [`Rejection::reason`](crate::Rejection::reason).
    pub outcome: &'static str,
    /// How many.
    pub count: u64,
}

/// How many plain requests on a route came to one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlainRequestMetrics {
    /// The route's name; empty where the request ended before a route was found.
    pub route: Arc<str>,
    /// `forwarded`, or why not all of the response was passed on, as [`Forwarded::reason`](crate::Forwarded)
    /// has it; `abandoned`; or [`Rejection::reason`](crate::Rejection::reason).
    pub outcome: &'static str,
    /// The class of the status that the client got, `1xx` to `5xx`, or `other`; empty where it got none.
    pub status: &'static str,
    /// How many.
    pub count: u64,
}

/// What the plain requests that one route forwards came to, those under way included.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlainRouteMetrics {
    /// The route's name.
    pub route: Arc<str>,
    /// Requests at the moment whose response is not over.
    pub open: u64,
    /// How long they took, from the request's head to the end of the response; refused ones are not in it.
    pub duration: Durations,
    /// How long it took from the request's head to the head of the response.
    pub response_head: Durations,
    /// Bytes of the bodies from clients.
    pub bytes_from_client: u64,
    /// Bytes of the bodies from upstreams.
    pub bytes_from_upstream: u64,
}

/// How many requests were broken in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokenRequestMetrics {
    /// The word of the log.
    pub reason: &'static str,
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
    /// Sessions that a rate limit ended (`on_exceed = "close"`, or where nothing else was possible).
    pub over_limit: u64,
    /// Sessions that there have been; those that are open are in it.
    pub opened: u64,
    /// How long the sessions that have ended had lasted.
    pub session_duration: Durations,
    /// How long accepted handshakes took, from the request's head to the 101.
    pub handshake_duration: Durations,
    /// How long it took to connect to a server for a handshake, where it worked; servers that were
    /// tried in vain before it are in that time.
    pub connect_duration: Durations,
    /// Pings of the gate's own that went to clients.
    pub pings_to_client: u64,
    /// Pings of the gate's own that went to upstreams.
    pub pings_to_upstream: u64,
    /// Sessions that ended because nothing came from the client for `keepalive.client.timeout`
    /// after a ping.
    pub ping_timeouts_of_client: u64,
    /// The same of upstreams.
    pub ping_timeouts_of_upstream: u64,
    /// Sessions that ended because the client took nothing for `timeouts.write`.
    pub slow_clients: u64,
    /// The same of upstreams.
    pub slow_upstreams: u64,
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
    /// Sessions that there have been; those that are open are in it.
    pub opened: u64,
    /// Connections of HTTP/2 to it, which sessions share; `None` where its upstream speaks HTTP/1.1.
    pub http2_connections: Option<usize>,
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
        let open = routes.values().map(|totals| totals.open).sum();
        Self {
            handshakes: handshakes(core, &settings),
            plain_requests: plain_requests(core, &settings),
            broken_requests: broken_requests(core),
            closed: closed(&routes),
            plain_routes: plain_routes(core, &settings),
            routes: route_metrics(core, &settings, routes),
            servers: server_metrics(core, &settings, servers),
            issuers: IssuerMetrics::all(core),
            channels: ChannelMetrics::of(core),
            shared: SharedMetrics::of(core),
            tickets_open: core.auth.tickets() as u64,
            draining: core.registry.is_draining(),
            most_sessions: core.registry.max_sessions().map(|most| most as u64),
            handshakes_open: (core.registry.permits() as u64).saturating_sub(open),
            log_lines_left_out: core.observers.suppressed_refusals() + core.failures.left_out(),
            addresses_tracked: settings.rates.addresses.len() as u64,
            addresses_overflowed: settings.rates.addresses.overflowed(),
            subjects_tracked: settings.rates.subjects.len() as u64,
            subjects_overflowed: settings.rates.subjects.overflowed(),
        }
    }
}

impl RouteMetrics {
    fn new(route: Arc<str>, totals: RouteTotals, counts: &RouteCounts) -> Self {
        let (moved, limited) = (totals.moved, &counts.limited);
        Self {
            route,
            open: totals.open,
            messages_from_client: moved.messages_from_client,
            bytes_from_client: moved.bytes_from_client,
            messages_from_upstream: moved.messages_from_upstream,
            bytes_from_upstream: moved.bytes_from_upstream,
            dropped: limited.dropped(),
            delayed: limited.delayed(),
            over_limit: totals.over_limit,
            opened: totals.opened(),
            session_duration: totals.lasted,
            handshake_duration: counts.handshakes.durations(),
            connect_duration: counts.connects.durations(),
            pings_to_client: moved.pings_to_client,
            pings_to_upstream: moved.pings_to_upstream,
            ping_timeouts_of_client: moved.ping_timeouts_of_client,
            ping_timeouts_of_upstream: moved.ping_timeouts_of_upstream,
            slow_clients: totals.slow_clients,
            slow_upstreams: totals.slow_upstreams,
        }
    }
}

/// Every route of the settings: a count that is there from the start shows its first step.
fn known_routes(settings: &Snapshot) -> impl Iterator<Item = Arc<str>> {
    let routes = settings.config.routes.iter();
    routes.map(|route| Arc::clone(&route.name))
}

fn route_metrics(
    core: &Core,
    settings: &Snapshot,
    mut routes: BTreeMap<Arc<str>, RouteTotals>,
) -> Vec<RouteMetrics> {
    let counts = core.counts.by_route();
    let unused = RouteCounts::default();
    for route in known_routes(settings).chain(counts.keys().cloned()) {
        routes.entry(route).or_default();
    }
    let each = routes.into_iter().map(|(route, totals)| {
        let counts = counts.get(&route).map_or(&unused, |counts| counts);
        RouteMetrics::new(route, totals, counts)
    });
    each.collect()
}

fn closed(routes: &BTreeMap<Arc<str>, RouteTotals>) -> Vec<ClosedMetrics> {
    let each = routes.iter().flat_map(|(route, totals)| {
        totals.closed.iter().map(|(ending, count)| ClosedMetrics {
            route: Arc::clone(route),
            reason: ending.reason,
            closed_by: ending.closed_by,
            code: ending.code.to_string(),
            count: *count,
        })
    });
    each.collect()
}

fn handshakes(core: &Core, settings: &Snapshot) -> Vec<HandshakeMetrics> {
    let mut by_route = core.observers.outcomes.handshakes();
    for route in known_routes(settings) {
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

fn plain_requests(core: &Core, settings: &Snapshot) -> Vec<PlainRequestMetrics> {
    let mut by_route = core.observers.outcomes.plain();
    for route in &settings.config.routes {
        if route.http.mode == HttpMode::Forward {
            let outcomes = by_route.entry(Arc::clone(&route.name)).or_default();
            outcomes.entry(FORWARDED_WELL).or_default();
        }
    }
    let each = by_route.into_iter().flat_map(|(route, outcomes)| {
        outcomes.into_iter().map(move |(outcome, count)| {
            let route = Arc::clone(&route);
            PlainRequestMetrics {
                route,
                outcome: outcome.word,
                status: outcome.status,
                count,
            }
        })
    });
    each.collect()
}

fn plain_routes(core: &Core, settings: &Snapshot) -> Vec<PlainRouteMetrics> {
    let mut counts = core.counts.by_route();
    let forwards = |route: &&Arc<Route>| route.http.mode == HttpMode::Forward;
    let forwarding: BTreeSet<_> = (settings.config.routes.iter().filter(forwards))
        .map(|route| Arc::clone(&route.name))
        .collect();
    for route in &forwarding {
        counts.entry(Arc::clone(route)).or_default();
    }
    let each = counts.into_iter().filter_map(|(route, counts)| {
        let plain = &counts.plain;
        let metrics = PlainRouteMetrics {
            open: plain.open(),
            duration: plain.durations.durations(),
            response_head: plain.heads.durations(),
            bytes_from_client: plain.bytes_from(Side::Client),
            bytes_from_upstream: plain.bytes_from(Side::Upstream),
            route,
        };
        // One that forwards no more keeps what it has counted.
        let is_used = metrics.open > 0 || metrics.duration.count > 0;
        (is_used || forwarding.contains(&metrics.route)).then_some(metrics)
    });
    each.collect()
}

fn broken_requests(core: &Core) -> Vec<BrokenRequestMetrics> {
    let broken = core.observers.outcomes.broken().into_iter();
    let each = broken.map(|(reason, count)| BrokenRequestMetrics { reason, count });
    each.collect()
}

/// `None` where HTTP/1.1 is spoken.
fn http2_connections(settings: &Snapshot, upstream: &str, server: &str) -> Option<usize> {
    let mut pools = settings.pools().map(|pool| (pool.settings(), pool));
    let (_, pool) = pools
        .find(|(settings, _)| *settings.name == *upstream && settings.http == UpstreamHttp::H2)?;
    Some(pool.http2_connections(server))
}

fn server_metrics(
    core: &Core,
    settings: &Snapshot,
    totals: BTreeMap<(Arc<str>, Arc<str>), ServerTotals>,
) -> Vec<ServerMetrics> {
    let mut servers: BTreeMap<_, (ServerTotals, ServerFailures)> = BTreeMap::new();
    for upstream in &settings.config.upstreams {
        for server in &upstream.servers {
            let names = (Arc::clone(&upstream.name), Arc::clone(&server.name));
            servers.entry(names).or_default();
        }
    }
    for (names, totals) in totals {
        servers.entry(names).or_default().0 = totals;
    }
    for (names, failed) in core.failures.by_server() {
        servers.entry(names).or_default().1 = failed;
    }
    let each = servers
        .into_iter()
        .map(|((upstream, server), (totals, failed))| ServerMetrics {
            http2_connections: http2_connections(settings, &upstream, &server),
            upstream,
            server,
            open: totals.open,
            opened: totals.opened,
            failed_connects: failed.connects,
            failed_handshakes: failed.handshakes,
            failed_plain_requests: failed.plain_requests,
        });
    each.collect()
}
