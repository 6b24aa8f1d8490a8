//! The first stages: a head is read, and its route found.

use std::sync::Arc;

use http::HeaderName;
use http::request::Parts;

use super::core::Core;
use super::refusal::Refusal;
use super::snapshot::Snapshot;
use crate::config::{Config, HttpMode, Route, Rule};
use crate::rejection::Rejection;
use crate::request::{
    ClientIdentity, Facts, Handshake, Kind, Lines, Offer, Target, forwarded_host,
    forwarded_host_header, join_cookies, over_tls,
};
use crate::route::RouteError;

/// What comes of a request's head.
pub(crate) enum Received {
    /// It is right so far, and has a route.
    Handshake(Handshake),
    /// It is refused.
    Refused(Parts, Refusal),
    /// No route of the settings is for it.
    Unrouted(Parts, Refusal),
}

/// Why a request that was read has no route. It travels with the request to the service behind the
/// gate, so that one of ours there reads nothing again.
#[derive(Clone)]
pub(crate) struct Unrouted {
    rejection: Rejection,
    client: Option<ClientIdentity>,
    target: Option<Target>,
    header: Option<HeaderName>,
}

impl From<Refusal> for Unrouted {
    fn from(refusal: Refusal) -> Self {
        Self {
            rejection: refusal.rejection,
            client: refusal.client,
            target: refusal.target,
            header: refusal.header,
        }
    }
}

impl From<Unrouted> for Refusal {
    fn from(unrouted: Unrouted) -> Self {
        Self {
            client: unrouted.client,
            target: unrouted.target,
            header: unrouted.header,
            ..unrouted.rejection.into()
        }
    }
}

/// Reads a WebSocket's opening handshake, and finds its route.
///
/// One that is malformed is refused where a route serves its host and path, or where there is no
/// saying which one would.
pub(crate) fn receive(core: &Core, settings: &Snapshot, mut parts: Parts) -> Received {
    join_cookies(parts.version, &mut parts.headers);
    match read(core, settings, &parts, |lines| {
        Offer::read(&parts, lines).map(Kind::WebSocket)
    }) {
        Ok((facts, route)) => Received::Handshake(Handshake::new(parts, facts, route)),
        Err(failure) if failure.is_routed => Received::Refused(parts, *failure.refusal),
        Err(failure) => Received::Unrouted(parts, *failure.refusal),
    }
}

/// Reads a plain request, and finds its route, which has to forward such.
#[expect(clippy::result_large_err, reason = "it is taken apart at once")]
pub(super) fn receive_plain(
    core: &Core,
    settings: &Snapshot,
    mut parts: Parts,
) -> Result<Handshake, (Parts, Refusal)> {
    join_cookies(parts.version, &mut parts.headers);
    let mut checked = Ok(());
    let read = read(core, settings, &parts, |lines| {
        // It counts only once the route is known to forward plain requests.
        checked = lines.check_plain().map_err(|rejection| {
            let header = lines.at_fault(&rejection);
            Refusal::from(rejection).for_header(header)
        });
        Ok(Kind::Plain)
    });
    let refusal = match read {
        Ok((facts, route)) => {
            let client = facts.client;
            let served = match route.http.mode {
                HttpMode::Forward => checked,
                HttpMode::Refuse => Err(Refusal::from(Rejection::NotUpgrade)),
            };
            match served {
                Ok(()) => return Ok(Handshake::new(parts, facts, route)),
                Err(refusal) => {
                    let rule = (route.http.mode == HttpMode::Refuse).then_some(Rule::Http);
                    let refusal = Refusal::on(&route.name, refusal).by(client);
                    refusal.to(facts.target).under(rule, &settings.config)
                }
            }
        }
        Err(failure) => *failure.refusal,
    };
    Err((parts, refusal))
}

/// Why a request becomes no handshake.
struct Failure {
    refusal: Box<Refusal>,
    /// A route serves it, or there is no saying which one would.
    is_routed: bool,
}

impl Failure {
    fn refused(rejection: Rejection) -> Self {
        Self::of(rejection.into())
    }

    fn of(refusal: Refusal) -> Self {
        Self {
            refusal: Box::new(refusal),
            is_routed: true,
        }
    }

    /// Adds the header that it is refused for, if there is one.
    fn at_fault(mut self, lines: &Lines<'_>) -> Self {
        let header = lines.at_fault(&self.refusal.rejection);
        self.refusal.header = self.refusal.header.or(header);
        self
    }

    fn unrouted(rejection: Rejection, target: Target) -> Self {
        Self {
            is_routed: false,
            ..Self::of(Refusal::from(rejection).to(target))
        }
    }

    fn by_routes(error: RouteError, target: Target, config: &Config) -> Self {
        match error {
            RouteError::NoRoute | RouteError::HostNotOurs => Self::unrouted(error.into(), target),
            RouteError::EncodedSlash(None) => {
                Self::of(Refusal::from(Rejection::EncodedSlash).to(target))
            }
            RouteError::EncodedSlash(Some(route)) => {
                let refusal = Refusal::on(&route.name, Rejection::EncodedSlash).to(target);
                Self::of(refusal.under(Some(Rule::EncodedSlashes), config))
            }
            RouteError::Spelling(route) => {
                Self::of(Refusal::on(&route.name, Rejection::Path).to(target))
            }
        }
    }

    /// Adds whose request it is. A host that does not say so has failed first, where the request is
    /// the gate's to answer.
    fn by(mut self, client: Result<ClientIdentity, Rejection>) -> Self {
        match client {
            Ok(client) => self.refusal.client = Some(client),
            Err(rejection) if self.is_routed => return Self::refused(rejection),
            Err(_) => {}
        }
        self
    }
}

fn read(
    core: &Core,
    settings: &Snapshot,
    parts: &Parts,
    kind: impl FnOnce(&Lines<'_>) -> Result<Kind, Rejection>,
) -> Result<(Facts, Arc<Route>), Failure> {
    let client = core.identify(settings, parts);
    let lines = Lines::read(&parts.headers);
    if let Ok(client) = &client {
        core.hint_at_proxy(client, &lines);
    }
    let found = read_target(settings, parts, &lines, client.as_ref().ok())
        .map_err(Failure::of)
        .and_then(|target| find(settings, target, &lines, kind));
    let (target, kind, route) = match found {
        Ok(found) => found,
        Err(failure) => return Err(failure.by(client).at_fault(&lines)),
    };
    let client = match client {
        Ok(client) => client,
        Err(rejection) => return Err(Failure::of(Refusal::from(rejection).to(target))),
    };
    if core.pseudonym.is_among(&lines.via) {
        let refusal = Refusal::on(&route.name, Rejection::LoopDetected);
        return Err(Failure::of(refusal.by(client).to(target)));
    }
    Ok((Facts::new(client, target, kind, lines), route))
}

/// A plain request offers no subprotocols.
const NO_OFFER: &[String] = &[];

/// The target of the request, with the host that a trusted proxy forwards if the settings use that.
#[expect(clippy::result_large_err, reason = "it is taken apart at once")]
fn read_target(
    settings: &Snapshot,
    parts: &Parts,
    lines: &Lines<'_>,
    client: Option<&ClientIdentity>,
) -> Result<Target, Refusal> {
    let target = Target::read(&parts.uri, parts.version, lines)?;
    // A proxy may use one connection for the hosts of all its clients.
    let is_proxy = client.is_some_and(|client| client.trusted.is_some());
    if let (Some(over_tls), Some(host)) = (over_tls(parts), target.host())
        && !is_proxy
        && !over_tls.is_for(host)
    {
        return Err(Refusal::from(Rejection::Misdirected).to(target));
    }
    let settings = &settings.config.client_ip;
    let Some(client) = client else {
        return Ok(target);
    };
    let host = forwarded_host(client, &parts.headers, settings);
    let target = host.and_then(|host| match host {
        Some(host) => target.with_host(host),
        None => Ok(target),
    });
    target.map_err(|rejection| {
        Refusal::from(rejection).for_header(Some(forwarded_host_header(settings.header)))
    })
}

fn find(
    settings: &Snapshot,
    target: Target,
    lines: &Lines<'_>,
    kind: impl FnOnce(&Lines<'_>) -> Result<Kind, Rejection>,
) -> Result<(Target, Kind, Arc<Route>), Failure> {
    let routes = &settings.routes;
    let (host, path) = (target.host(), target.path());
    let kind = match kind(lines) {
        Ok(kind) => kind,
        Err(rejection) if routes.serves(host, path) => {
            return Err(Failure {
                is_routed: true,
                ..Failure::unrouted(rejection, target)
            });
        }
        Err(_) => {
            // Where no route is, a malformed handshake is refused for that.
            let unrouted = routes.find(host, path, NO_OFFER).err();
            let unrouted = unrouted.unwrap_or(RouteError::NoRoute);
            return Err(Failure::by_routes(unrouted, target, &settings.config));
        }
    };
    let offered = match &kind {
        Kind::WebSocket(offer) => offer.subprotocols(),
        Kind::Plain => NO_OFFER,
    };
    match routes.find(host, path, offered) {
        Ok(route) => Ok((target, kind, route)),
        Err(error) => Err(Failure::by_routes(error, target, &settings.config)),
    }
}
