//! `[upstream.NAME]`: the pools, by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::checked::upstream::{Upstream, UpstreamServer};
use crate::config::report::{Node, Report};
use crate::config::settings::{RouteSettings, ServerEntry, UpstreamSettings};
use crate::config::values::{Name, ServerAddress, Text, ValueError};

/// The pools in the order of the file.
pub(super) fn upstreams(
    written: BTreeMap<String, UpstreamSettings>,
    node: &Node<'_>,
    directory: &Path,
    report: &mut Report<'_>,
) -> Vec<Arc<Upstream>> {
    let mut pools = Vec::with_capacity(written.len());
    for (name, settings) in node.in_file_order(written) {
        if let Err(problem) = Name::parse(&name) {
            report.error(&node.name(&name), problem);
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
    pools
}

fn upstream(name: String, settings: UpstreamSettings, directory: &Path) -> Upstream {
    let UpstreamSettings {
        servers,
        balance,
        connect_timeout,
        handshake_timeout,
        retries,
        retry_timeout,
        max_connections,
        passive,
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
        retry_timeout,
        max_connections,
        passive,
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

/// The pool that a route names; reports one that is not there.
pub(super) fn find(
    pools: &[Arc<Upstream>],
    name: &str,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> Option<Arc<Upstream>> {
    let found = pools.iter().find(|pool| *pool.name == *name);
    if found.is_none() {
        let names: Vec<_> = pools.iter().map(|pool| &*pool.name).collect();
        let problem = ValueError::new(format!("there is no upstream `{name}`"))
            .did_you_mean(name, names.iter().copied());
        let problem = match names.is_empty() {
            true => problem.help("add [upstream.NAME] with its servers"),
            false => problem.or_help(format!("the upstreams are {}", names.join(", "))),
        };
        report.error(node, problem);
    }
    found.cloned()
}

/// Warns of pools that no route names.
pub(super) fn warn_unused(
    pools: &[Arc<Upstream>],
    routes: &[RouteSettings],
    node: &Node<'_>,
    report: &mut Report<'_>,
) {
    for name in pools.iter().map(|pool| &*pool.name) {
        if !routes.iter().any(|route| route.upstream == name) {
            let message = format!("no route uses the upstream `{name}`");
            report.warn(&node.name(name), &message);
        }
    }
}
