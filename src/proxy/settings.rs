//! What the settings decide, as one thing that a reload swaps.

use std::collections::HashMap;
use std::sync::Arc;

use http::request;

use crate::config::{Config, Route};
use crate::policy::address::{self, ClientIdentity};
use crate::policy::rate;
use crate::rejection::Rejection;
use crate::route;
use crate::types::ClientAddr;
use crate::upstream::{Connector, FailureCounts, Pool};

/// One set of settings, and everything that was made from them.
///
/// A handshake takes one at its start and uses no other. What it needs of it for its session (the
/// route, the place on a server, the place in the rate table) goes along with the session.
pub(super) struct Snapshot {
    pub(super) config: Config,
    pub(super) routes: route::Table,
    /// By upstream name.
    pools: HashMap<Arc<str>, Pool>,
    failures: Arc<FailureCounts>,
    connector: Connector,
    /// The same table as before a reload, as long as `[client_ip]` lets it be.
    pub(super) rates: rate::RateTable,
}

impl Snapshot {
    /// The failures of all servers are counted in `failures`.
    pub(super) fn new(config: Config, failures: Arc<FailureCounts>, connector: Connector) -> Self {
        let pools = config.upstreams.iter().map(|settings| {
            let pool = Pool::new(
                Arc::clone(settings),
                Arc::clone(&failures),
                connector.clone(),
            );
            (Arc::clone(&settings.name), pool)
        });
        Self {
            routes: route::Table::new(&config.routes),
            pools: pools.collect(),
            rates: rate::RateTable::new(&config.client_ip),
            failures,
            connector,
            config,
        }
    }

    /// The settings that follow these. What goes by a name that they have too is carried over.
    pub(super) fn followed_by(&self, mut config: Config) -> Self {
        for route in &mut config.routes {
            // Sessions hold their routes: one that did not change is held once, however often the
            // settings were read.
            if let Some(same) = self.config.routes.iter().find(|old| *old == route) {
                *route = Arc::clone(same);
            }
        }
        let pools = config.upstreams.iter().map(|upstream| {
            let pool = match self.pools.get(&upstream.name) {
                Some(pool) => pool.renewed(upstream),
                None => Pool::new(
                    Arc::clone(upstream),
                    Arc::clone(&self.failures),
                    self.connector.clone(),
                ),
            };
            (Arc::clone(&upstream.name), pool)
        });
        Self {
            routes: route::Table::new(&config.routes),
            pools: pools.collect(),
            rates: match self.rates.matches(&config.client_ip) {
                true => self.rates.clone(),
                false => self.rates.rebuilt(&config.client_ip),
            },
            failures: Arc::clone(&self.failures),
            connector: self.connector.clone(),
            config,
        }
    }

    /// Who the client is, behind trusted proxies.
    pub(super) fn identify(&self, parts: &request::Parts) -> Result<ClientIdentity, Rejection> {
        let peer = parts.extensions.get::<ClientAddr>();
        let peer = peer.ok_or(Rejection::ClientAddrMissing)?;
        Ok(address::identify(
            *peer,
            &parts.headers,
            &self.config.client_ip,
        ))
    }

    pub(super) fn pool(&self, route: &Route) -> &Pool {
        // One pool was made for every upstream of the settings, and routes come from nowhere else.
        &self.pools[&route.upstream.name]
    }

    /// Every pool, in the order of the settings.
    pub(super) fn pools(&self) -> impl Iterator<Item = &Pool> {
        let upstreams = self.config.upstreams.iter();
        upstreams.filter_map(|upstream| self.pools.get(&upstream.name))
    }

    pub(super) fn has_route(&self, name: &str) -> bool {
        self.config.routes.iter().any(|route| *route.name == *name)
    }

    /// Tells the log what came up too often to be told each time.
    pub(super) fn report(&self) {
        self.pools.values().for_each(Pool::report);
        let overflowed = self.rates.take_new_overflows();
        if overflowed > 0 {
            tracing::warn!(
                reason = "limiter_full",
                handshakes = overflowed,
                tracked = self.rates.len(),
                "more client addresses than are tracked: newcomers share one limit"
            );
        }
    }
}
