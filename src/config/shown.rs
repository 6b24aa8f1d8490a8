//! The settings as JSON: what a file with every default written out would say, without its secrets.

use serde_json::Value;

use super::checked::Config;
use super::checked::route::{Headers, Route};
use super::checked::upstream::{Upstream, UpstreamServer};
use super::settings::Settings;
use super::settings::headers::HeaderSettings;
use super::settings::route::RouteSettings;
use super::settings::upstream::{ServerEntry, UpstreamSettings};
use super::values::secret::{MASK, Secret};
use super::values::server_url::ServerUrl;

impl Config {
    /// The resolved settings in the form of the file, without `[defaults]`: they are in every route.
    ///
    /// The admin token and the values of headers that are set are not shown, nor is a rewrite that
    /// an environment variable was filled into.
    pub(crate) fn resolved(&self) -> Value {
        // A value that no form of the settings can hold is in none of them.
        serde_json::to_value(Settings::from(self)).unwrap_or_default()
    }
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let upstreams = config.upstreams.iter();
        Self {
            listen: config.listen.clone(),
            client_ip: config.client_ip.clone(),
            admin: config.admin.clone(),
            log: config.log.clone(),
            drain: config.drain,
            server: config.server,
            upstream: upstreams
                .map(|pool| (pool.name.to_string(), UpstreamSettings::from(&**pool)))
                .collect(),
            route: (config.routes.iter())
                .map(|route| RouteSettings::from(&**route))
                .collect(),
        }
    }
}

impl From<&Upstream> for UpstreamSettings {
    fn from(upstream: &Upstream) -> Self {
        Self {
            servers: upstream.servers.iter().map(ServerEntry::from).collect(),
            balance: upstream.balance,
            connect_timeout: upstream.connect_timeout,
            handshake_timeout: upstream.handshake_timeout,
            retries: upstream.retries,
            max_connections: upstream.max_connections,
        }
    }
}

impl From<&UpstreamServer> for ServerEntry {
    fn from(server: &UpstreamServer) -> Self {
        let url = ServerUrl {
            written: server.name.to_string(),
            address: server.address.clone(),
            base_path: server.base_path.clone(),
        };
        Self {
            url,
            weight: server.weight,
        }
    }
}

impl From<&Route> for RouteSettings {
    fn from(route: &Route) -> Self {
        let rewrite = route
            .rewrite
            .as_ref()
            .map(|rewrite| match route.rewrite_is_filled {
                true => MASK.to_owned(),
                false => rewrite.to_string(),
            });
        Self {
            name: route.name.to_string(),
            host: route.hosts.clone(),
            path: Some(route.path.clone()),
            subprotocols: route.subprotocols.clone(),
            upstream: route.upstream.name.to_string(),
            rewrite,
            http: route.http,
            compression: Some(route.compression),
            validate_utf8: route.validate_utf8,
            upstream_lost: route.upstream_lost,
            origin: route.origin.clone(),
            address: route.address.clone(),
            limits: route.limits.clone(),
            keepalive: route.keepalive,
            timeouts: route.timeouts,
            headers: HeaderSettings::from(&route.headers),
        }
    }
}

impl From<&Headers> for HeaderSettings {
    fn from(headers: &Headers) -> Self {
        // Any of the values may be what the upstream knows the gate by.
        let set = headers
            .set
            .iter()
            .map(|(name, _)| (name.to_string(), Secret::new(MASK)));
        Self {
            set: set.collect(),
            remove: headers.remove.iter().map(ToString::to_string).collect(),
            forwarded: headers.forwarded,
        }
    }
}

#[cfg(test)]
mod tests;
