//! `[upstream.NAME]`: the pools, by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::checked::upstream::{Upstream, UpstreamServer};
use crate::config::report::{Node, Report};
use crate::config::settings::route::RouteSettings;
use crate::config::settings::upstream::{ServerEntry, UpstreamSettings};
use crate::config::values::error::ValueError;
use crate::config::values::name::Name;
use crate::config::values::server_url::ServerAddress;
use crate::config::values::text::Text;

/// The pools in the order of the file.
pub(super) struct Upstreams<'t> {
    pools: Vec<Arc<Upstream>>,
    node: Node<'t>,
}

pub(super) fn upstreams<'t>(
    written: BTreeMap<String, UpstreamSettings>,
    node: &Node<'t>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Upstreams<'t> {
    let mut pools = Vec::with_capacity(written.len());
    for (name, settings) in node.in_file_order(written) {
        if let Err(problem) = Name::parse(&name) {
            report.error_of_key(node, &name, problem);
        }
        let pool = node.get(&name);
        let servers = pool.get("servers");
        if settings.servers.is_empty() && !servers.is_written() {
            report.missing(&pool, "servers");
        } else if settings.servers.is_empty() && !report.has_lost_any(&servers) {
            let problem = ValueError::new("an upstream needs at least one server");
            report.error(&servers, problem);
        }
        pools.push(Arc::new(upstream(name, settings, directory)));
    }
    Upstreams {
        pools,
        node: node.clone(),
    }
}

fn upstream(name: String, settings: UpstreamSettings, directory: &Path) -> Upstream {
    let UpstreamSettings {
        servers,
        balance,
        connect_timeout,
        handshake_timeout,
        retries,
        max_connections,
    } = settings;
    Upstream {
        name: name.into(),
        servers: servers
            .into_iter()
            .map(|entry| server(entry, directory))
            .collect(),
        balance,
        connect_timeout,
        handshake_timeout,
        retries,
        max_connections,
    }
}

fn server(ServerEntry { url, weight }: ServerEntry, directory: &Path) -> UpstreamServer {
    UpstreamServer {
        name: url.written.into(),
        address: match url.address {
            ServerAddress::Unix(path) => ServerAddress::Unix(directory.join(path)),
            address @ ServerAddress::Tcp { .. } => address,
        },
        base_path: url.base_path,
        weight,
    }
}

impl Upstreams<'_> {
    /// The pool that a route names; reports one that is not there.
    pub(super) fn find(
        &self,
        name: &str,
        node: &Node<'_>,
        report: &mut Report<'_>,
    ) -> Option<Arc<Upstream>> {
        let found = self.pools.iter().find(|pool| *pool.name == *name);
        if found.is_none() {
            let names: Vec<_> = self.pools.iter().map(|pool| &*pool.name).collect();
            let problem = ValueError::new(format!("there is no upstream `{name}`"))
                .did_you_mean(name, names.iter().copied());
            report.error(
                node,
                match names.is_empty() {
                    true => problem.help("add [upstream.NAME] with its servers"),
                    false => problem.or_help(format!("the upstreams are {}", names.join(", "))),
                },
            );
        }
        found.cloned()
    }

    /// Warns of pools that no route names.
    pub(super) fn warn_unused(&self, routes: &[RouteSettings], report: &mut Report<'_>) {
        for Upstream { name, .. } in self.pools.iter().map(|pool| &**pool) {
            if !routes.iter().any(|route| *route.upstream == **name) {
                let message = format!("no route uses the upstream `{name}`");
                report.warn_of_key(&self.node, name, &message);
            }
        }
    }

    pub(super) fn into_pools(self) -> Vec<Arc<Upstream>> {
        self.pools
    }
}
