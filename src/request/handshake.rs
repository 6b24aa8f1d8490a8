//! The value that goes through the stages.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, Method, Request};
use hyper::upgrade::OnUpgrade;

use super::client::ClientIdentity;
use super::grant::Grant;
use super::identity::Identity;
use super::lines::{Lines, SingleLine};
use super::offer::Offer;
use super::target::Target;
use crate::close::CloseCode;
use crate::config::{ChannelName, ChannelTemplate, Route, Template, Values};
use crate::types::{ClientAddr, OverTls, SessionName};

/// A request that wants in: a WebSocket's opening handshake, or a plain request on a route that
/// forwards such.
///
/// Its head was read once and is right; its route is found. A [`Policy`](crate::Policy) decides
/// about it by what it says, and adds its [`Grant`].
pub struct Handshake {
    parts: Parts,
    client: ClientIdentity,
    target: Target,
    origin: SingleLine,
    nominated: Vec<HeaderName>,
    kind: Kind,
    route: Arc<Route>,
    grants: Vec<Grant>,
    /// What its session will be called.
    session: Option<SessionName>,
}

/// What a request wants.
#[derive(Debug)]
pub(crate) enum Kind {
    WebSocket(Offer),
    Plain,
}

/// Stands in the extensions of a request that nobody has sent: what would become of it is explained.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Explained;

/// What was read of a head, before its route is known.
pub(crate) struct Facts {
    pub(crate) client: ClientIdentity,
    pub(crate) target: Target,
    pub(crate) kind: Kind,
    origin: SingleLine,
    nominated: Vec<HeaderName>,
}

impl Facts {
    pub(crate) fn new(
        client: ClientIdentity,
        target: Target,
        kind: Kind,
        lines: Lines<'_>,
    ) -> Self {
        let (origin, nominated) = lines.into_kept();
        Self {
            client,
            target,
            kind,
            origin,
            nominated,
        }
    }
}

impl Handshake {
    pub(crate) fn new(parts: Parts, facts: Facts, route: Arc<Route>) -> Self {
        Self {
            parts,
            client: facts.client,
            target: facts.target,
            origin: facts.origin,
            nominated: facts.nominated,
            kind: facts.kind,
            route,
            grants: Vec::new(),
            session: None,
        }
    }

    /// The handshake that the stages make of a request with this client and route.
    ///
    /// # Errors
    /// What a target or an offer is refused for.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn websocket(
        parts: &Parts,
        client: ClientIdentity,
        route: &Arc<Route>,
    ) -> Result<Self, crate::Rejection> {
        let lines = Lines::read(&parts.headers);
        let target = Target::read(&parts.uri, parts.version, &lines)?;
        let kind = Kind::WebSocket(Offer::read(parts, &lines)?);
        let facts = Facts::new(client, target, kind, lines);
        Ok(Self::new(parts.clone(), facts, Arc::clone(route)))
    }

    /// The name of its route.
    pub fn route(&self) -> &str {
        &self.route.name
    }

    /// The client's address, behind trusted proxies.
    pub fn client(&self) -> IpAddr {
        self.client.ip
    }

    /// The socket's peer: the client, or the nearest proxy.
    pub fn peer(&self) -> ClientAddr {
        self.client.peer
    }

    /// Whether it wants a WebSocket; otherwise it is a plain request.
    pub fn is_websocket(&self) -> bool {
        matches!(self.kind, Kind::WebSocket(_))
    }

    /// Whether it came over TLS, as far as the host has said so ([`OverTls`]).
    pub fn is_secure(&self) -> bool {
        self.over_tls().is_some()
    }

    /// What the host knows of its TLS, if it came over TLS.
    pub(crate) fn over_tls(&self) -> Option<&OverTls> {
        over_tls(&self.parts)
    }

    /// The version of that TLS, for logs; none if it came without TLS.
    pub(crate) fn tls(&self) -> Option<&'static str> {
        self.over_tls().map(OverTls::word)
    }

    /// The method: of a WebSocket GET, or CONNECT with HTTP/2 (RFC 8441).
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The host that it names, in lower case and without a port; an IPv6 address in brackets. A plain
    /// request of HTTP/1.0 need not name one.
    pub fn host(&self) -> Option<&str> {
        self.target.host()
    }

    /// The port that it names, if it names one.
    pub fn port(&self) -> Option<u16> {
        self.target.port()
    }

    /// The path in its normal form: no escape stands for a letter, a digit or one of `-._~`, and the
    /// digits of any other are in upper case. It begins with `/`, and holds no dot segment and no
    /// escaped backslash. It holds an escaped slash (`%2F`) only on a route with
    /// `encoded_slashes = "pass"`: that is no separator, for a policy as for the route.
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// The query as received, without its `?`. It may hold a secret.
    pub fn query(&self) -> Option<&str> {
        self.target.query()
    }

    /// What the route's path captured under this name: `room` in `/rooms/{room}`. It is a part of [`Handshake::path`], with its
    /// escapes; `{path.room}` in `channels.join` and `auth.require` is decoded.
    pub fn path_parameter(&self, name: &str) -> Option<&str> {
        let pattern = &self.route.path;
        let captures = pattern.capture(self.target.path())?;
        pattern.parameter(name, &captures)
    }

    /// The header lines as received. They may hold secrets.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// What the host and its layers have put beside the request.
    pub fn extensions(&self) -> &Extensions {
        &self.parts.extensions
    }

    /// The subprotocols that the client offers, in its order of preference (RFC 6455 §1.9).
    pub fn subprotocols(&self) -> &[String] {
        self.offer().map_or(&[], Offer::subprotocols)
    }

    /// Who the client is, if a policy before this one has found out.
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        self.grants.iter().rev().find_map(Grant::identity)
    }

    /// The value of a template for this request; none where it is about something that is not known.
    pub(crate) fn render(&self, template: &Template) -> Option<String> {
        self.with_values(|values| template.render(values))
    }

    /// The channel that a template makes for this request; none where it is about something that is not known.
    pub(crate) fn channel(&self, template: &ChannelTemplate) -> Option<ChannelName> {
        self.with_values(|values| template.render(values))
    }

    /// What a template makes of the values of this request.
    pub(crate) fn with_values<R>(&self, render: impl FnOnce(&Values<'_>) -> R) -> R {
        let identity = self.identity();
        let subject = identity.map(|identity| identity.subject());
        render(&Values {
            client_ip: self.client(),
            host: self.host().unwrap_or_default(),
            route: self.route(),
            session: self.session,
            tls_subject: self.over_tls().and_then(OverTls::subject),
            subject: subject.filter(|subject| !subject.is_empty()),
            claim: &|name| identity.and_then(|identity| identity.claim(name)),
            path: &|name| self.path_parameter(name),
        })
    }

    /// Says what its session will be called.
    pub(crate) fn set_session(&mut self, name: SessionName) {
        self.session = Some(name);
    }

    /// Takes a value out of the extensions of the request.
    pub(crate) fn take_extension<T: Send + Sync + 'static>(&mut self) -> Option<T> {
        self.parts.extensions.remove()
    }

    /// What becomes the client's socket once it is accepted.
    pub(crate) fn take_upgrade(&mut self) -> OnUpgrade {
        // Hyper takes the upgrade out of a request's extensions.
        let mut request = Request::new(());
        std::mem::swap(request.extensions_mut(), &mut self.parts.extensions);
        let on_upgrade = hyper::upgrade::on(&mut request);
        std::mem::swap(request.extensions_mut(), &mut self.parts.extensions);
        on_upgrade
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    pub(crate) fn client_identity(&self) -> &ClientIdentity {
        &self.client
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// What a WebSocket's handshake offers.
    pub(crate) fn offer(&self) -> Option<&Offer> {
        match &self.kind {
            Kind::WebSocket(offer) => Some(offer),
            Kind::Plain => None,
        }
    }

    pub(crate) fn origin(&self) -> &SingleLine {
        &self.origin
    }

    /// The settings of its route.
    pub(crate) fn settings(&self) -> &Arc<Route> {
        &self.route
    }

    /// What `Connection` nominates, so that it ends here (RFC 9110 §7.6.1).
    pub(crate) fn nominates(&self, name: &HeaderName) -> bool {
        self.nominated.contains(name)
    }

    pub(crate) fn scheme(&self) -> &'static str {
        scheme(&self.parts)
    }

    pub(crate) fn add_grant(&mut self, grant: Grant) {
        self.grants.push(grant);
    }

    /// What its policies have given it so far, in their order.
    pub(crate) fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// When the first of its grants ends, and the close code then.
    pub(crate) fn expiry(&self) -> Option<(SystemTime, CloseCode)> {
        let expiries = self.grants.iter().filter_map(Grant::expiry);
        expiries.min_by_key(|(moment, _)| *moment)
    }

    /// The grants, for whatever the handshake becomes.
    pub(crate) fn take_grants(&mut self) -> Vec<Grant> {
        std::mem::take(&mut self.grants)
    }
}

/// `http` or `https`: what the client's connection speaks, as far as the host has said so.
pub(crate) fn scheme(parts: &Parts) -> &'static str {
    match over_tls(parts) {
        Some(_) => "https",
        None => "http",
    }
}

/// What the host knows of the TLS of a request, if it came over TLS.
pub(crate) fn over_tls(parts: &Parts) -> Option<&OverTls> {
    parts.extensions.get()
}

/// Headers, the query and the subprotocols stay out: they may hold secrets.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("route", &self.route.name)
            .field("client", &self.client)
            .field("target", &self.target)
            .field("is_websocket", &self.is_websocket())
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}
