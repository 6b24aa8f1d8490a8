//! New settings for a running gate.

use std::sync::Arc;

use super::build_error::{BuildError, check_seams};
use crate::config::{Config, Upstream};
use crate::pipeline::Core;
use crate::session::drain::{self, Eviction};

/// What a reload changed, by the names in the settings. A route of another name is another route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// Routes that were not there before.
    pub routes_added: Vec<Arc<str>>,
    /// Routes that were removed. Their sessions are being closed.
    pub routes_removed: Vec<Arc<str>>,
    /// Routes with other rules, or with an upstream that changed. Their sessions keep the old ones.
    pub routes_changed: Vec<Arc<str>>,
    /// The routes that stayed are tried in another order.
    pub routes_reordered: bool,
    /// `[client_ip]` changed.
    pub client_ip_changed: bool,
    /// What addresses have done so far was forgotten: `client_ip.tracked` or
    /// `client_ip.ipv6_prefix` changed.
    pub rates_reset: bool,
    /// `[drain]` changed.
    pub drain_changed: bool,
    /// `[shared]` changed. Another engine gets the places of the open sessions.
    pub shared_changed: bool,
    /// Upstreams that no route uses changed.
    pub spare_upstreams_changed: bool,
    /// Sessions of removed routes.
    pub sessions_sent_away: usize,
}

impl Reloaded {
    /// Whether the gate goes on as it did before.
    pub fn is_unchanged(&self) -> bool {
        *self == Self::default()
    }

    fn between(old: &Config, new: &Config) -> Self {
        let find = |config: &Config, name: &str| {
            let mut routes = config.routes.iter();
            routes.find(|route| *route.name == *name).cloned()
        };
        let names = |config: &Config, other: &Config, is_listed: &dyn Fn(_, _) -> bool| {
            (config.routes.iter())
                .filter(|route| is_listed(Arc::clone(route), find(other, &route.name)))
                .map(|route| Arc::clone(&route.name))
                .collect::<Vec<_>>()
        };
        let routes_changed = names(new, old, &|route, before| {
            before.is_some_and(|before| before != route)
        });
        let client_ip = (&old.client_ip, &new.client_ip);
        Self {
            routes_added: names(new, old, &|_, before| before.is_none()),
            routes_removed: names(old, new, &|_, after| after.is_none()),
            routes_reordered: names(new, old, &|_, before| before.is_some())
                != names(old, new, &|_, after| after.is_some()),
            client_ip_changed: client_ip.0 != client_ip.1,
            rates_reset: (client_ip.0.tracked, client_ip.0.ipv6_prefix)
                != (client_ip.1.tracked, client_ip.1.ipv6_prefix),
            drain_changed: old.drain != new.drain,
            shared_changed: !old.shares_like(new),
            spare_upstreams_changed: spare_upstreams(old) != spare_upstreams(new),
            routes_changed,
            sessions_sent_away: 0,
        }
    }
}

/// The upstreams that no route uses.
fn spare_upstreams(config: &Config) -> Vec<&Upstream> {
    let is_used = |name: &str| {
        let mut routes = config.routes.iter();
        routes.any(|route| *route.upstream.name == *name)
    };
    let upstreams = config.upstreams.iter().map(|upstream| &**upstream);
    upstreams
        .filter(|upstream| !is_used(&upstream.name))
        .collect()
}

impl Core {
    /// Swaps the settings, and sends the sessions of removed routes away.
    pub(super) fn reload(&self, config: Config) -> Result<Reloaded, BuildError> {
        check_seams(self.seams(), &config.routes)?;
        let (old, new) = self.replace_settings(config);
        let mut reloaded = Reloaded::between(&old.config, &new.config);
        old.report();
        new.rates.keep_routes(&new.config.routes);
        if !reloaded.routes_removed.is_empty() {
            // A handshake that took the old settings either stands in this list or finds, when it
            // takes its place, that its route is gone.
            let sessions = self.registry.list().into_iter();
            let sessions = sessions
                .filter(|entry| reloaded.routes_removed.contains(&entry.metadata.route))
                .map(|entry| entry.id)
                .collect::<Vec<_>>();
            reloaded.sessions_sent_away = sessions.len();
            let eviction = Eviction::of_removed_routes(sessions, new.config.drain);
            let _runs_by_itself = drain::evict(&self.registry, &self.evictions, eviction);
        }
        Ok(reloaded)
    }
}
