//! The way of a handshake from its route to its session: policies → connect → 101 → session.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::admit::admit;
use super::channels::join_channels;
use super::core::Core;
use super::counts::RouteCounts;
use super::in_flight::InFlight;
use super::proxied::proxied_connection;
use super::refusal::Refusal;
use super::snapshot::Snapshot;
use super::upgrade::Upgrade;
use crate::close::{CloseCode, CloseReason};
use crate::config::Route;
use crate::frame::write_close;
use crate::handshake::{self, Agreed, path_and_query, upstream_request, verify};
use crate::limit::Limit;
use crate::observe::{HandshakeTrace, PathParameters, SpanParents};
use crate::policy::Places;
use crate::rejection::Rejection;
use crate::request::{Grant, Handshake, Offer, Permit};
use crate::session::drain::{self, Eviction};
use crate::session::{
    Endpoint, Expiry, MailSettings, Meter, PermitError, Session, SessionGuard, SessionMetadata,
    SessionParameters,
};
use crate::transport::Transport;
use crate::types::Side;
use crate::upstream::{self, Connected, ExchangeFailure, Lease, ServerFailure, UpstreamResponse};

/// How long a client may take from our acceptance to being upgraded: the host only has to write it out.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// A server's verified acceptance, and its connection or stream.
struct Accepted {
    agreed: Agreed,
    upstream: Endpoint<Transport>,
    lease: Lease,
}

/// What a session holds until its end: its place on the server, its places in the rate tables, and
/// the permits of its policies.
type Held = (Lease, Places, Box<[Permit]>);

/// Answers one handshake by these settings, whatever a reload does meanwhile; the session that an
/// acceptance opens runs on a task of its own.
pub(crate) async fn answer(
    core: Arc<Core>,
    settings: Arc<Snapshot>,
    mut handshake: Handshake,
    upgrade: Upgrade,
) -> Response<Full<Bytes>> {
    core.start_housekeeping();
    let mut in_flight = InFlight::new(&core);
    let mut trace = begin_trace(&core, &handshake);
    in_flight.set_route(&handshake.settings().name);
    let began = in_flight.began();
    let opened = open(&core, &settings, &mut handshake, upgrade, began, &mut trace).await;
    in_flight.answered();
    match opened {
        Ok(response) => response,
        Err(refusal) => {
            let refusal = refusal.known_as(handshake.identity());
            let (parts, path) = (handshake.parts(), handshake.path());
            core.refuse(refusal, parts, path, &mut trace)
        }
    }
}

fn begin_trace(core: &Core, handshake: &Handshake) -> HandshakeTrace {
    let tracing = &core.observers.tracing;
    let mut trace = tracing.begin(handshake.parts(), handshake.path(), handshake.scheme());
    trace.set_client(handshake.client(), handshake.peer());
    trace.set_authority(handshake.host(), handshake.port());
    trace
}

async fn open(
    core: &Arc<Core>,
    settings: &Snapshot,
    handshake: &mut Handshake,
    upgrade: Upgrade,
    began: Instant,
    trace: &mut HandshakeTrace,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let client = *handshake.client_identity();
    // Before the dial, and for as long as that takes: an upstream that answers slowly would let
    // a flood hold any number of connections to it.
    let permit = core.registry.acquire();
    let permit = permit.map_err(|full| Refusal::from(Rejection::from(full)).by(client))?;
    handshake.set_session(permit.name());
    let route = Arc::clone(handshake.settings());
    trace.set_route(&route.name);
    let refused = |refusal: Refusal| Refusal::on(&route.name, refusal).by(client);
    let places = admit(core, settings, handshake).await;
    let places = places.map_err(|refusal| refusal.by(client))?;
    let counts = core.counts.route(&route.name);
    let Some(offer) = handshake.offer() else {
        return Err(refused(Rejection::NotUpgrade.into()));
    };
    let accepted = connect(core, settings, handshake, offer, &counts, &trace.parents()).await;
    let Accepted {
        agreed,
        upstream,
        lease,
    } = accepted.map_err(refused)?;
    let metadata = metadata(handshake, &lease, &counts);
    let expiry = match handshake.expiry() {
        Some((moment, code)) => Expiry::new(Some(moment), code),
        None => Expiry::never(),
    };
    let mut guard = match permit.register(metadata, expiry, began) {
        Ok(guard) => guard,
        Err(draining) => {
            say_goodbye(upstream.io);
            return Err(refused(Rejection::from(draining).into()));
        }
    };
    trace.set_server(&route.upstream.name, lease.server());
    guard.set_trace(trace.accepted(guard.entry().id));
    join_channels(core, handshake, &agreed, &guard);
    evict_if_late(core, &guard, &lease);
    let parameters = SessionParameters {
        meter: meter(&counts, &route, &places),
        deflate: agreed.deflate(),
        filter: None,
        route,
    };
    let response = handshake::accepted(&offer.acceptance, agreed);
    let grants = handshake.take_grants().into_iter();
    let permits = grants.filter_map(|grant| held_of(core, grant, &guard));
    let held: Held = (lease, places, permits.collect());
    let session = run(Arc::clone(core), upgrade, upstream, parameters, guard, held);
    core.registry.tasks.spawn(session);
    counts.handshakes.add(began.elapsed());
    Ok(response)
}

/// Sends the handshake to a server, and verifies what it answers.
async fn connect(
    core: &Core,
    settings: &Snapshot,
    handshake: &Handshake,
    offer: &Offer,
    counts: &RouteCounts,
    parents: &SpanParents,
) -> Result<Accepted, Refusal> {
    let route = handshake.settings();
    let path = route.upstream_path(handshake.path(), handshake.identity().map(Arc::as_ref))?;
    let began = Instant::now();
    let span = parents.begin_connect();
    let proxied = proxied_connection(handshake);
    let pool = settings.pool(route);
    let connected = pool.connect(handshake.client(), proxied).await;
    let server = connected.as_ref();
    let server = server.map(|connected| &**connected.lease.server());
    span.ended(server.map_err(|error| error.rejection.reason()));
    let mut connected = connected?;
    counts.connects.add(began.elapsed());
    let (lease, response, sent) = loop {
        let Connected {
            lease,
            connection,
            tries,
        } = connected;
        let path = path_and_query(
            lease.base_path(),
            &path,
            handshake.forwarded_query().as_deref(),
        );
        let http = lease.upstream().http;
        let (mut request, sent) = upstream_request(handshake, offer, path, http)?;
        let version = handshake.parts().version;
        core.pseudonym.sign(request.headers_mut(), version)?;
        parents.inject(request.headers_mut());
        match upstream::exchange(&lease, connection, request).await {
            Ok(response) => break (lease, response, sent),
            Err(ExchangeFailure::Failed(error)) => return Err(error.into()),
            Err(ExchangeFailure::Unprocessed(error)) => {
                let pool = settings.pool(route);
                // Behind a pointer: it is rare, and as big as all before it.
                connected = Box::pin(pool.connect_again(lease, tries, error)).await?;
            }
        }
    };
    match response {
        UpstreamResponse::Refused { parts, body } => {
            lease.note_answer();
            let rejection = Rejection::UpstreamAnswered(parts.status);
            let refused = lease.refused(rejection, None);
            let answer = handshake::refused(parts, body)?;
            Err(Refusal {
                answer: Some(answer),
                ..refused.into()
            })
        }
        UpstreamResponse::Accepted {
            parts,
            transport: io,
            early,
        } => {
            let agreed = verify(parts, &sent)
                .map_err(|rejection| lease.at_fault(rejection, ServerFailure::Handshake, None))?;
            lease.note_answer();
            Ok(Accepted {
                agreed,
                upstream: Endpoint { io, early },
                lease,
            })
        }
    }
}

fn metadata(handshake: &Handshake, lease: &Lease, counts: &RouteCounts) -> SessionMetadata {
    let route = handshake.settings();
    let captured = route.path.named_captures(handshake.path());
    SessionMetadata {
        route: Arc::clone(&route.name),
        client: handshake.client(),
        peer: handshake.peer(),
        tls: handshake.tls(),
        http_version: handshake.parts().version,
        path_parameters: PathParameters::new(captured),
        identity: handshake.identity().cloned(),
        context: handshake.extensions().get().cloned(),
        upstream: Arc::clone(&route.upstream.name),
        server: Arc::clone(lease.server()),
        mail: MailSettings {
            route: Arc::clone(route),
            counts: Arc::clone(&counts.deliveries),
        },
    }
}

/// Closes a session whose route was removed during its handshake, whose server was drained meanwhile, or whose
/// right was revoked: all three see only the sessions that were registered before them.
fn evict_if_late(core: &Core, guard: &SessionGuard, lease: &Lease) {
    let entry = guard.entry();
    let identity = entry.metadata.identity.as_deref();
    if identity.is_some_and(|identity| core.is_revoked(identity)) {
        return entry.request_close(CloseReason::Revoked);
    }
    let settings = core.settings();
    if !settings.has_route(&entry.metadata.route) {
        let eviction = Eviction::of_removed_routes(vec![entry.id], settings.config.drain);
        let _runs_by_itself = drain::evict(&core.registry, &core.evictions, eviction);
    } else if lease.is_draining() && core.drains.is_closing(&entry.metadata) {
        entry.request_close(CloseReason::ServerDrained(settings.config.drain.close_code));
    }
}

/// What the session holds of a grant. It begins to watch the session for one that wants it.
fn held_of(core: &Core, grant: Grant, guard: &SessionGuard) -> Option<Permit> {
    grant.into_permit(|watching| {
        let entry = Arc::clone(guard.entry());
        let task = async move { entry.request_close(watching.await) };
        AbortOnDropHandle::new(core.registry.tasks.spawn(task))
    })
}

/// The session, from our 101 to its end. It does not hold the gate: a host that lets go of it keeps
/// its sessions.
///
/// Not an `async fn`: that would keep a second place for each of its arguments as long as the session
/// lives.
#[expect(clippy::manual_async_fn, reason = "an idle session would be bigger")]
fn run(
    core: Arc<Core>,
    upgrade: Upgrade,
    upstream: Endpoint<Transport>,
    mut parameters: SessionParameters,
    guard: SessionGuard,
    held: Held,
) -> impl Future<Output = ()> + Send {
    async move {
        // Here, because it is the embedder's code: its panic ends this session alone.
        parameters.filter = core.make_filter(&parameters.route, guard.entry());
        drop(core);
        let upgraded = tokio::select! {
            upgraded = timeout(UPGRADE_TIMEOUT, upgrade.transport()) => upgraded,
            () = guard.cut_requested() => {
                say_goodbye(upstream.io);
                drop(held);
                return guard.finish(CloseReason::Cut);
            }
        };
        match upgraded {
            Ok(Ok((io, early))) => {
                Session::new(Endpoint { io, early }, upstream, parameters, guard, held).await;
            }
            // The upstream has a session all the same: one whose client is gone when it begins.
            Ok(Err(_)) | Err(_) => {
                let (io, early) = (tokio::io::empty(), Bytes::new());
                Session::new(Endpoint { io, early }, upstream, parameters, guard, held).await;
            }
        }
    }
}

/// Closes an upstream that has answered 101 and gets no session: it stands at a frame boundary, and
/// gets 1001 before the end. Nothing is waited for; the socket is new, and takes so little at once.
fn say_goodbye(mut upstream: Transport) {
    let mut frame = Vec::new();
    write_close(Side::Upstream, Some(CloseCode::GOING_AWAY), "", &mut frame);
    let mut cx = Context::from_waker(Waker::noop());
    let _ = Pin::new(&mut upstream).poll_write(&mut cx, &frame);
    let _ = Pin::new(&mut upstream).poll_shutdown(&mut cx);
}

/// The limits that bear on a session, each found once.
fn meter(counts: &RouteCounts, route: &Route, places: &Places) -> Option<Meter> {
    let limits = &route.limits;
    let own = limits.per_connection;
    let limit = |rate: Option<_>| rate.map(|rate| Arc::new(Limit::new(rate)));
    let ([address, subject], [address_bytes, subject_bytes]) = (places.messages(), places.bytes());
    let shared = limits.per_ip.messages;
    let shared = shared.or(limits.per_subject.messages.filter(|_| subject.is_some()));
    Meter::new(
        [address, subject, limit(own.messages)],
        limit(own.messages.or(shared)),
        [address_bytes, subject_bytes, limit(own.bytes)],
        limits.on_exceed,
        &counts.limited,
    )
}

impl From<PermitError> for Rejection {
    fn from(error: PermitError) -> Self {
        match error {
            PermitError::Full => Self::Full,
            PermitError::Draining => Self::Draining,
        }
    }
}
