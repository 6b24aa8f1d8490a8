//! What the settings decide, as one thing that a reload swaps.

use std::collections::HashMap;
use std::sync::Arc;

use crate::auth::Authenticator;
use crate::config::{Config, Route};
use crate::policy::{BoxedPolicy, PolicyList, RateTables};
use crate::route;
use crate::shared::Shared;
use crate::upstream::{Connector, FailureCounts, Pool};

/// One set of settings, and everything that was made from them.
///
/// A handshake takes one at its start and uses no other. What it needs of it for its session (the
/// route, the place on a server, the place in the rate table) goes along with the session.
pub(crate) struct Snapshot {
    pub(crate) config: Arc<Config>,
    pub(crate) routes: route::Table,
    /// By route name.
    policies: HashMap<Arc<str>, PolicyList>,
    /// By upstream name.
    pools: HashMap<Arc<str>, Pool>,
    failures: Arc<FailureCounts>,
    connector: Connector,
    /// The same tables as before a reload, as long as `[client_ip]` lets them be.
    pub(crate) rates: RateTables,
}

/// Policies of the embedder's.
#[derive(Default)]
pub(crate) struct CustomPolicies {
    /// Those of every route.
    pub(crate) every_route: Vec<BoxedPolicy>,
    /// Those of one route, by its name.
    pub(crate) by_route: Vec<(String, BoxedPolicy)>,
}

impl CustomPolicies {
    /// The policies of every route, and then those of this one.
    fn of_route(&self, name: &str) -> impl Iterator<Item = BoxedPolicy> {
        let own = self.by_route.iter().filter(move |(route, _)| route == name);
        let own = own.map(|(_, policy)| policy);
        self.every_route.iter().chain(own).cloned()
    }

    fn lists(&self, config: &Config, auth: &Authenticator) -> HashMap<Arc<str>, PolicyList> {
        let lists = config.routes.iter().map(|route| {
            let list = PolicyList::new(route, auth.of_route(route), self.of_route(&route.name));
            (Arc::clone(&route.name), list)
        });
        lists.collect()
    }
}

impl Snapshot {
    /// The failures of all servers are counted in `failures`.
    pub(crate) fn new(
        config: Config,
        failures: Arc<FailureCounts>,
        connector: Connector,
        custom: &CustomPolicies,
        auth: &Authenticator,
        shared: &Shared,
    ) -> Self {
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
            policies: custom.lists(&config, auth),
            pools: pools.collect(),
            rates: RateTables::new(&config.client_ip, shared.rates(&config)),
            failures,
            connector,
            config: Arc::new(config),
        }
    }

    /// The settings that follow these. State is carried over by name.
    pub(crate) fn followed_by(
        &self,
        mut config: Config,
        custom: &CustomPolicies,
        auth: &Authenticator,
        shared: &Shared,
    ) -> Self {
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
            policies: custom.lists(&config, auth),
            pools: pools.collect(),
            rates: (self.rates).followed_by(&config.client_ip, shared.rates(&config)),
            failures: Arc::clone(&self.failures),
            connector: self.connector.clone(),
            config: Arc::new(config),
        }
    }

    /// The policies of a route.
    pub(crate) fn policies(&self, route: &Route) -> &PolicyList {
        // One list was made for every route of the settings, and routes come from nowhere else.
        &self.policies[&route.name]
    }

    pub(crate) fn pool(&self, route: &Route) -> &Pool {
        // One pool was made for every upstream of the settings, and routes come from nowhere else.
        &self.pools[&route.upstream.name]
    }

    /// Every pool, in the order of the settings.
    pub(crate) fn pools(&self) -> impl Iterator<Item = &Pool> {
        let upstreams = self.config.upstreams.iter();
        upstreams.filter_map(|upstream| self.pools.get(&upstream.name))
    }

    pub(crate) fn has_route(&self, name: &str) -> bool {
        self.config.routes.iter().any(|route| *route.name == *name)
    }

    /// Logs what came up too often to be logged each time.
    pub(crate) fn report(&self) {
        self.pools.values().for_each(Pool::report);
        let RateTables {
            addresses,
            subjects,
            ..
        } = &self.rates;
        let overflowed = addresses.take_new_overflows();
        if overflowed > 0 {
            tracing::warn!(
                reason = "limiter_full",
                handshakes = overflowed,
                tracked = addresses.len(),
                "more client addresses than are tracked: newcomers share one limit"
            );
        }
        let overflowed = subjects.take_new_overflows();
        if overflowed > 0 {
            tracing::warn!(
                reason = "limiter_full",
                handshakes = overflowed,
                tracked = subjects.len(),
                "more subjects than are tracked: newcomers share one limit"
            );
        }
    }
}
