//! What would become of a request, by the stages that it would go through, up to the connect.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;

use super::core::Core;
use super::receive::{Received, receive, receive_plain};
use super::refusal::Refusal;
use super::snapshot::Snapshot;
use crate::config::Route;
use crate::handshake::{path_and_query, plain_request_headers, upstream_request};
use crate::observe::Refused;
use crate::rejection::Rejection;
use crate::request::{Explained, Handshake, Lines, Offer, Target, is_websocket};
use crate::route::Mismatch;

/// What would become of a request, and why: [`Gate::explain`](crate::Gate::explain).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The client's address, behind trusted proxies.
    pub client: Option<IpAddr>,
    /// The host and port that it is routed by; none where they are not clear, or it names none.
    pub authority: Option<String>,
    /// The routes that were tried, in their order; the last one is the request's, if it has one.
    pub routes: Vec<TriedRoute>,
    /// The authentication server that would be asked first, without the query of its URL. It was not asked.
    pub asks: Option<String>,
    /// Why it is refused; none where it goes to the upstream.
    pub refused: Option<Refused>,
    /// The sentence of the answer if it is refused.
    pub message: Option<String>,
    /// Where it goes if it is not refused.
    pub destination: Option<Destination>,
}

/// A route that was tried for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TriedRoute {
    /// Its name.
    pub name: Arc<str>,
    /// The line of the file in which it begins; none where there is no file.
    pub line: Option<usize>,
    /// Why it does not take the request: `host`, `path` or `subprotocols`; none where it does.
    pub mismatch: Option<&'static str>,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination {
    /// The name of the upstream.
    pub upstream: Arc<str>,
    /// Its servers, of which one is chosen.
    pub servers: Vec<Arc<str>>,
    /// The path that is sent, behind the server's own; none where an environment variable was filled
    /// into it, because that may be a secret.
    pub path: Option<String>,
}

/// Takes a request through the stages up to the connect. Nothing is reported.
pub(crate) async fn explain(core: &Arc<Core>, mut parts: Parts) -> Explanation {
    let settings = core.settings();
    parts.extensions.insert(Explained);
    let read = match is_websocket(&parts) {
        true => match receive(core, &settings, parts) {
            Received::Handshake(handshake) => Ok(handshake),
            Received::Refused(parts, refusal) | Received::Unrouted(parts, refusal) => {
                Err((parts, refusal))
            }
        },
        false => receive_plain(core, &settings, parts),
    };
    match read {
        Ok(handshake) => decide(&settings, handshake).await,
        Err((parts, refusal)) => {
            let lines = Lines::read(&parts.headers);
            let offer = Offer::read(&parts, &lines).ok();
            let offered = offer.as_ref().map_or(&[][..], Offer::subprotocols);
            let target = refusal.target.clone();
            let target = target.or_else(|| Target::read(&parts.uri, parts.version, &lines).ok());
            let routes = target
                .as_ref()
                .map(|target| tried(&settings, target, offered));
            refused(refusal, target.as_ref(), &parts, routes)
        }
    }
}

#[expect(clippy::result_large_err, reason = "it is taken apart at once")]
async fn decide(settings: &Snapshot, mut handshake: Handshake) -> Explanation {
    let route = Arc::clone(handshake.settings());
    let routes = tried(settings, handshake.target(), handshake.subprotocols());
    let client = *handshake.client_identity();
    let policies = settings.policies(&route);
    let admitted = policies.admit(&mut handshake, &settings.rates).await;
    let path = admitted
        .map_err(|refusal| Refusal::by_policy(&route.name, refusal, &settings.config))
        .and_then(|_admission| Ok(path_upstream(&handshake, &route)?));
    match path {
        Ok(path) => Explanation {
            client: Some(client.ip),
            authority: handshake.target().authority().map(str::to_owned),
            routes,
            asks: asks(&route),
            refused: None,
            message: None,
            destination: Some(Destination {
                upstream: Arc::clone(&route.upstream.name),
                servers: names_of_servers(&route),
                path: Some(path).filter(|_| !settings.config.hides_rewrite(&route.name)),
            }),
        },
        Err(refusal) => {
            let refusal = Refusal::on(&route.name, refusal).by(client);
            let target = handshake.target();
            refused(refusal, Some(target), handshake.parts(), Some(routes))
        }
    }
}

/// The path that goes upstream with a request that can be written.
fn path_upstream(handshake: &Handshake, route: &Route) -> Result<String, Rejection> {
    let path = route
        .upstream_path(handshake.path(), handshake.identity().map(Arc::as_ref))?
        .into_owned();
    match handshake.offer() {
        Some(offer) => {
            let target = path_and_query("", &path, handshake.forwarded_query().as_deref());
            upstream_request(handshake, offer, target, route.upstream.http)?;
        }
        None => {
            plain_request_headers(handshake)?;
        }
    }
    Ok(path)
}

/// The authentication server of a route. Its query may be a secret.
fn asks(route: &Route) -> Option<String> {
    let server = route.auth.as_ref()?.forward.as_ref()?;
    let url = server.url.to_string();
    Some(url.split('?').next().unwrap_or_default().to_owned())
}

fn names_of_servers(route: &Route) -> Vec<Arc<str>> {
    let servers = route.upstream.servers.iter();
    servers.map(|server| Arc::clone(&server.name)).collect()
}

fn refused(
    refusal: Refusal,
    target: Option<&Target>,
    parts: &Parts,
    routes: Option<Vec<TriedRoute>>,
) -> Explanation {
    let path = target.map_or(parts.uri.path(), Target::path);
    let event = refusal.refused(parts, path);
    Explanation {
        client: event.client,
        authority: target.and_then(Target::authority).map(str::to_owned),
        routes: routes.unwrap_or_default(),
        asks: None,
        refused: Some(event),
        message: Some(refusal.rejection.message().to_owned()),
        destination: None,
    }
}

/// The routes up to the first one that takes the request.
fn tried(settings: &Snapshot, target: &Target, offered: &[String]) -> Vec<TriedRoute> {
    let lines = &settings.config.rule_lines;
    let mut tried = Vec::new();
    let (host, path) = (target.host(), target.path());
    for (route, mismatch) in settings.routes.tries(host, path, offered) {
        tried.push(TriedRoute {
            name: Arc::clone(&route.name),
            line: lines.of_route(&route.name),
            mismatch: mismatch.map(Mismatch::as_str),
        });
        if mismatch.is_none() {
            break;
        }
    }
    tried
}
