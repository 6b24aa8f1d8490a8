//! The whole path of a handshake, top-down: request → route → policy → upstream → 101 → session.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, request};
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, timeout};

use super::core::Core;
use super::counters::RouteCounts;
use super::drain::{self, Farewell};
use super::outcomes::{ACCEPTED, UnderWay};
use super::rejected::Refusal;
use super::settings::Snapshot;
use crate::close::{CloseCode, CloseReason};
use crate::config::Route;
use crate::frame::write_close;
use crate::handshake::{self, Agreed, Hop, Target, Upgrade};
use crate::limit::Limit;
use crate::policy;
use crate::policy::address::ClientIdentity;
use crate::policy::rate::Admission;
use crate::rejection::Rejection;
use crate::route::Match;
use crate::session::{
    Endpoint, Meter, PermitError, Session, SessionGuard, SessionMetadata, SessionParameters,
};
use crate::trace::{HandshakeTrace, Trail};
use crate::transport::Transport;
use crate::types::{OverTls, Side};
use crate::upstream::{self, Connected, Lease, ServerFailure, UpstreamResponse};

/// How long a client may take from our 101 to being upgraded: hyper only has to write it out.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a request asks for, read once.
pub(super) struct Asked {
    target: Result<Target, Rejection>,
    upgrade: Result<Upgrade, Rejection>,
}

impl Asked {
    pub(super) fn read(parts: &request::Parts) -> Self {
        Self {
            target: Target::of(parts),
            upgrade: Upgrade::of(parts),
        }
    }

    /// Whether the settings have a route for it, or there is no telling.
    pub(super) fn is_served_by(&self, settings: &Snapshot) -> bool {
        let routes = &settings.routes;
        match (&self.target, &self.upgrade) {
            (Err(_), _) => true,
            (Ok(target), Ok(upgrade)) => routes
                .find(target.host(), target.path(), upgrade.subprotocols())
                .is_ok(),
            (Ok(target), Err(_)) => routes.serves(target.host(), target.path()),
        }
    }
}

/// A server's verified 101, and all that the session behind it needs.
struct Opened {
    agreed: Agreed,
    upstream: Endpoint<Transport>,
    lease: Lease,
    admitted: Admitted,
    route: Arc<Route>,
}

/// What a client that the policies let in brings along.
struct Admitted {
    admission: Admission,
    /// Those of its route.
    counts: Arc<RouteCounts>,
    trail: Trail,
}

/// Answers one WebSocket handshake by these settings, whatever a reload does meanwhile; the session
/// that a 101 opens runs on a task of its own.
pub(super) async fn answer(
    core: Arc<Core>,
    settings: Arc<Snapshot>,
    parts: request::Parts,
    asked: Asked,
    on_upgrade: OnUpgrade,
) -> Response<Full<Bytes>> {
    core.keep_house();
    let mut under_way = core.counters.outcomes.watch();
    let mut trace = core.tracing.begin(&parts, scheme(&parts));
    let opened = open(
        &core,
        &settings,
        &parts,
        asked,
        on_upgrade,
        &mut under_way,
        &mut trace,
    );
    let opened = opened.await;
    under_way.answered();
    match opened {
        Ok(response) => response,
        Err(refusal) => {
            core.refused(&refusal);
            refusal.trace(&mut trace);
            refusal
                .answer
                .unwrap_or_else(|| refusal.rejection.into_response())
        }
    }
}

async fn open(
    core: &Arc<Core>,
    settings: &Snapshot,
    parts: &request::Parts,
    asked: Asked,
    on_upgrade: OnUpgrade,
    under_way: &mut UnderWay<'_>,
    trace: &mut HandshakeTrace,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let client = core.identify(settings, parts)?;
    trace.is_from(client.ip, client.peer);
    let known = |rejection| Refusal {
        client: Some(client),
        ..Refusal::from(rejection)
    };
    let target = asked.target.map_err(known)?;
    trace.asks_for(target.host(), target.port());
    let upgrade = asked.upgrade.map_err(known)?;
    // Before the dial, and for as long as that takes: an upstream that answers slowly would let
    // a flood hold any number of connections to it.
    let permit = core.registry.acquire();
    let permit = permit.map_err(|none| known(none.into()))?;
    let found = settings
        .routes
        .find(target.host(), target.path(), upgrade.subprotocols());
    let found = found.map_err(known)?;
    under_way.is_on(&found.route().name);
    trace.is_on(&found.route().name);
    let refused = |refusal: Refusal| Refusal {
        client: Some(client),
        ..Refusal::on(&found.route().name, refusal)
    };
    let admission = admit(settings, parts, &target, found.route(), &client)
        .map_err(|rejection| refused(rejection.into()))?;
    let counts = core.counters.route(&found.route().name);
    let admitted = Admitted {
        admission,
        counts: Arc::clone(&counts),
        trail: trace.trail(),
    };
    let opened = dial(
        settings, parts, &target, &upgrade, &found, &client, admitted,
    );
    let opened = opened.await.map_err(refused)?;
    let guard = permit.register(SessionMetadata {
        route: Arc::clone(&opened.route.name),
        client: client.ip,
        peer: client.peer,
        upstream: Arc::clone(&opened.route.upstream.name),
        server: Arc::clone(opened.lease.server()),
    });
    let mut guard = match guard {
        Ok(guard) => guard,
        Err(none) => {
            dismiss(opened.upstream.io);
            return Err(refused(Rejection::from(none).into()));
        }
    };
    trace.is_served_by(&opened.route.upstream.name, opened.lease.server());
    guard.set_trace(trace.accepted(guard.entry().id));
    send_away_if_late(core, &guard, &opened.lease);
    let response = handshake::switching_protocols(&upgrade, &opened.agreed);
    let session = run(Arc::clone(core), opened, guard, on_upgrade);
    core.registry.tasks.spawn(session);
    core.counters.outcomes.add(&found.route().name, ACCEPTED);
    counts.handshakes.add(under_way.elapsed());
    Ok(response)
}

/// The policies, in their fixed order: address → origin → rate.
fn admit(
    settings: &Snapshot,
    parts: &request::Parts,
    target: &Target,
    route: &Route,
    client: &ClientIdentity,
) -> Result<Admission, Rejection> {
    policy::address::check(&route.address, client.ip)?;
    check_origin(parts, target, route)?;
    settings.rates.admit(route, client.ip)
}

/// Whether the page that sent the request is let in, if it was a page.
pub(super) fn check_origin(
    parts: &request::Parts,
    target: &Target,
    route: &Route,
) -> Result<(), Rejection> {
    let secure = scheme(parts) == "https";
    policy::origin::check(
        &parts.headers,
        &route.origin,
        target.host(),
        target.port(),
        secure,
    )
}

/// Asks the upstream, and verifies what it answers.
async fn dial(
    settings: &Snapshot,
    parts: &request::Parts,
    target: &Target,
    upgrade: &Upgrade,
    found: &Match<'_>,
    client: &ClientIdentity,
    admitted: Admitted,
) -> Result<Opened, Refusal> {
    let route = found.route();
    let path = found.upstream_path()?;
    let began = Instant::now();
    let connecting = admitted.trail.connecting();
    let connected = settings.pool(route).connect(client.ip).await;
    let server = connected
        .as_ref()
        .map(|connected| &**connected.lease.server());
    connecting.ended(server.map_err(|unserved| unserved.rejection.reason()));
    let Connected { lease, transport } = connected?;
    admitted.counts.connects.add(began.elapsed());
    let path = path_and_query(lease.base_path(), &path, target.query());
    let captured = |name: &str| found.param(name);
    let hop = hop(settings, parts, target, route, client, &captured);
    let (mut request, sent) = handshake::upstream_request(parts, upgrade, &path, &hop)?;
    admitted.trail.tell(request.headers_mut());
    match upstream::exchange(&lease, transport, request).await? {
        UpstreamResponse::Refused { parts, body } => {
            let rejection = Rejection::UpstreamAnswered(parts.status);
            let refused = lease.refused(rejection, None);
            let answer = handshake::refused(parts, body)?;
            Err(Refusal {
                answer: Some(answer),
                ..refused.into()
            })
        }
        UpstreamResponse::Switching {
            parts,
            transport,
            early,
        } => Ok(Opened {
            agreed: handshake::verify(&parts, &sent)
                .map_err(|rejection| lease.at_fault(rejection, ServerFailure::Handshake, None))?,
            upstream: Endpoint {
                io: transport,
                early,
            },
            lease,
            admitted,
            route: Arc::clone(route),
        }),
    }
}

/// What the upstream is told of a request beyond its own head.
pub(super) fn hop<'a>(
    settings: &Snapshot,
    parts: &request::Parts,
    target: &'a Target,
    route: &'a Route,
    client: &ClientIdentity,
    captured: &'a (dyn Fn(&str) -> Option<&'a str> + Sync),
) -> Hop<'a> {
    let header = settings.config.client_ip.header;
    Hop {
        route,
        target,
        captured,
        client_ip: client.ip,
        peer: client.peer,
        trusted: client.through_trusted_proxy.then_some(header),
        scheme: scheme(parts),
    }
}

/// The server's base path, the route's path and the request's own query.
pub(crate) fn path_and_query(base: &str, path: &str, query: Option<&str>) -> String {
    match query {
        Some(query) => format!("{base}{path}?{query}"),
        None => format!("{base}{path}"),
    }
}

/// What the client's connection speaks, as far as the host has said so.
pub(super) fn scheme(parts: &request::Parts) -> &'static str {
    match parts.extensions.get::<OverTls>() {
        Some(OverTls) => "https",
        None => "http",
    }
}

/// Sends a session away whose route was removed during its handshake, or whose server is being
/// emptied since then. Whoever does either sees those only that took their place before.
fn send_away_if_late(core: &Core, guard: &SessionGuard, lease: &Lease) {
    let entry = guard.entry();
    let settings = core.settings();
    if !settings.has_route(&entry.metadata.route) {
        let farewell = Farewell::of_removed_routes(vec![entry.id], settings.config.drain);
        let _on_its_own = drain::dismiss(&core.registry, &core.farewells, farewell);
    } else if lease.is_draining() && core.drains.is_closing(&entry.metadata) {
        entry.request_close(CloseReason::ServerDrained(settings.config.drain.close_code));
    }
}

/// The session, from our 101 to its end.
///
/// Not an `async fn`: that would keep a second place for each of its arguments as long as the session
/// lives.
fn run(
    core: Arc<Core>,
    opened: Opened,
    guard: SessionGuard,
    on_upgrade: OnUpgrade,
) -> impl Future<Output = ()> + Send {
    let Opened {
        agreed,
        upstream,
        lease,
        admitted: Admitted {
            admission, counts, ..
        },
        route,
    } = opened;
    // The headers of the upstream's 101 end here.
    let deflate = agreed.deflate();
    drop(agreed);
    async move {
        let upgraded = tokio::select! {
            upgraded = timeout(UPGRADE_TIMEOUT, on_upgrade) => upgraded,
            () = guard.cut_requested() => {
                dismiss(upstream.io);
                return guard.finish(CloseReason::Cut);
            }
        };
        let parameters = SessionParameters {
            meter: meter(&counts, &route, &admission),
            deflate,
            filter: core.make_filter(&route),
            route,
        };
        // The session itself does not hold the gate: a host that lets go of it keeps its sessions.
        drop(core);
        match upgraded {
            Ok(Ok(upgraded)) => {
                let (io, early) = Transport::from_upgraded(upgraded);
                Session::new(Endpoint { io, early }, upstream, parameters, guard).await;
            }
            // The upstream has a session all the same: one whose client is gone when it begins.
            Ok(Err(_)) | Err(_) => {
                let (io, early) = (tokio::io::empty(), Bytes::new());
                Session::new(Endpoint { io, early }, upstream, parameters, guard).await;
            }
        }
        // Their places were taken until now.
        drop((lease, admission));
    }
}

/// Takes leave of an upstream that has answered 101 and gets no session: it stands at a frame
/// boundary, and is told 1001 before the end. Nothing is waited for; the socket is new, and takes
/// so little at once.
fn dismiss(mut upstream: Transport) {
    let mut frame = Vec::new();
    write_close(Side::Upstream, Some(CloseCode::GOING_AWAY), "", &mut frame);
    let mut cx = Context::from_waker(Waker::noop());
    let _ = Pin::new(&mut upstream).poll_write(&mut cx, &frame);
    let _ = Pin::new(&mut upstream).poll_shutdown(&mut cx);
}

/// The limits that bear on a session, each found once.
fn meter(counts: &RouteCounts, route: &Route, admission: &Admission) -> Option<Meter> {
    let own = route.limits.per_connection;
    let limit = |rate: Option<_>| rate.map(|rate| Arc::new(Limit::new(rate)));
    Meter::new(
        [admission.messages(), limit(own.messages)],
        limit(own.messages.or(route.limits.per_ip.messages)),
        [admission.bytes(), limit(own.bytes)],
        route.limits.on_exceed,
        &counts.limited,
    )
}

impl From<PermitError> for Rejection {
    fn from(none: PermitError) -> Self {
        match none {
            PermitError::Full => Self::Full,
            PermitError::Draining => Self::Draining,
        }
    }
}
