//! What authentication keeps over reloads: the keys of issuers, tickets, and what is known of authentication servers.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::admitted::Admitted;
use super::ended_login::EndedLogin;
use super::forward::ForwardAuth;
use super::key_source::KeySource;
use super::key_source_info::KeySourceInfo;
use super::not_issued::NotIssued;
use super::route_auth::RouteAuth;
use super::tickets::Tickets;
use super::trusted_issuer::TrustedIssuer;
use crate::config::{AuthServer, Config, Issuer, IssuerKeys, Route};
use crate::jwt::UnverifiedToken;
use crate::rejection::Rejection;
use crate::request::Identity;
use crate::shared::Shared;
use crate::wall_clock::WallClock;

/// Authenticates the clients of a gate.
pub(crate) struct Authenticator {
    /// By name of the issuer.
    sources: Mutex<Sources>,
    /// Those that are asked, by the name of their route.
    servers: Mutex<HashMap<Arc<str>, ForwardAuth>>,
    tickets: Tickets,
    clock: WallClock,
}

/// The keys of issuers, with the settings that they are for.
type Sources = HashMap<Arc<str>, (Arc<Issuer>, KeySource)>;

impl Authenticator {
    /// `shared` has the tickets, where gates share them.
    pub(crate) fn new(shared: &Shared) -> Self {
        Self {
            sources: Mutex::default(),
            servers: Mutex::default(),
            tickets: Tickets::new(shared),
            clock: WallClock::default(),
        }
    }

    /// What decides about the clients of a route; `None` where everybody may come in.
    pub(crate) fn of_route(&self, route: &Arc<Route>) -> Option<RouteAuth> {
        let rules = route.auth.as_ref()?;
        let issuers = rules
            .issuers
            .iter()
            .filter_map(|issuer| self.trusted(issuer));
        Some(RouteAuth::new(
            route,
            issuers.collect(),
            self.tickets.clone(),
            self.server(route),
            self.clock.clone(),
        ))
    }

    /// Forgets the keys of issuers and the authentication servers that these settings do not have.
    pub(crate) fn keep_those_of(&self, config: &Config) {
        let auths = config.routes.iter().filter_map(|route| route.auth.as_ref());
        let issuers: Vec<_> = auths.flat_map(|rules| &rules.issuers).collect();
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|_, (issuer, _)| issuers.iter().any(|kept| **kept == *issuer));
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.retain(|name, _| {
            let mut routes = config.routes.iter();
            let route = routes.find(|route| route.name == *name);
            route.is_some_and(|route| forward_of(route).is_some())
        });
    }

    /// Begins to fetch keys, where there is a runtime.
    pub(crate) fn start(&self) {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.values().for_each(|(_, source)| source.start());
    }

    /// The keys that are fetched from a URL, by the name of their issuer.
    pub(crate) fn key_sources(&self) -> BTreeMap<Arc<str>, KeySourceInfo> {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let each = sources.iter();
        each.map(|(name, (_, source))| (Arc::clone(name), source.info()))
            .collect()
    }

    /// How many tickets wait to be used in this process.
    pub(crate) fn tickets(&self) -> usize {
        self.tickets.len()
    }

    /// Forgets tickets whose time is over.
    pub(crate) fn sweep(&self) {
        self.tickets.sweep();
    }

    /// Issues a ticket for a route.
    ///
    /// # Errors
    /// [`NotIssued`] where too many wait, or the engine does not take it.
    pub(crate) async fn issue_ticket(
        &self,
        route: &Arc<str>,
        identity: Identity,
        session_expires: Option<SystemTime>,
        lifetime: Duration,
    ) -> Result<String, NotIssued> {
        let admitted = Admitted {
            identity: identity.with_issued_at(self.clock.now()),
            session_expires,
        };
        self.tickets.issue(route, admitted, lifetime).await
    }

    /// Verifies a token that ends logins, of the issuer of this name; `None` where no route takes its tokens.
    pub(crate) async fn verify_logout(
        &self,
        config: &Config,
        issuer: &str,
        text: &str,
    ) -> Option<Result<EndedLogin, Rejection>> {
        let auths = config.routes.iter().filter_map(|route| route.auth.as_ref());
        let mut issuers = auths.flat_map(|rules| &rules.issuers);
        let issuer = issuers.find(|known| *known.name == *issuer)?;
        let trusted = self.trusted(issuer)?;
        let claims = match UnverifiedToken::read_logout(text) {
            Ok(token) => trusted.verify_logout(&token).await,
            Err(fault) => Err(Rejection::Token(fault)),
        };
        Some(claims.map(|claims| EndedLogin {
            subject: claims.subject().unwrap_or_default().to_owned(),
            login: claims.login().map(str::to_owned),
            // The token of a logout always says it.
            at: claims.issued_at().unwrap_or_else(|| self.clock.now()),
        }))
    }

    fn trusted(&self, issuer: &Arc<Issuer>) -> Option<TrustedIssuer> {
        TrustedIssuer::new(issuer, || self.source(issuer), &self.clock)
    }

    /// The authentication server of a route: the one that was asked before, if it is still the same.
    fn server(&self, route: &Route) -> Option<ForwardAuth> {
        let settings = forward_of(route)?;
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = servers.get(&route.name)
            && server.is_of(settings)
        {
            return Some(server.clone());
        }
        let server = ForwardAuth::new(settings);
        servers.insert(Arc::clone(&route.name), server.clone());
        Some(server)
    }

    /// The keys of a URL: those that are there already, if the issuer is still the same.
    fn source(&self, issuer: &Arc<Issuer>) -> Option<KeySource> {
        let IssuerKeys::Url(url, tls) = &issuer.keys else {
            return None;
        };
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, source)) = sources.get(&issuer.name)
            && known.keys == issuer.keys
        {
            let source = source.clone();
            sources.insert(
                Arc::clone(&issuer.name),
                (Arc::clone(issuer), source.clone()),
            );
            return Some(source);
        }
        let source = KeySource::new(url.clone(), tls.clone());
        let entry = (Arc::clone(issuer), source.clone());
        sources.insert(Arc::clone(&issuer.name), entry);
        Some(source)
    }
}

fn forward_of(route: &Route) -> Option<&Arc<AuthServer>> {
    route.auth.as_ref()?.forward.as_ref()
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("tickets", &self.tickets)
            .finish_non_exhaustive()
    }
}
