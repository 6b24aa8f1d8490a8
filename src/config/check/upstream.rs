//! `[upstream.NAME]`: the pools, by name.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::config::checked::upstream::{Upstream, UpstreamServer};
use crate::config::report::{Node, Report};
use crate::config::settings::{
    RouteSettings, SentProxyProtocol, ServerEntry, UpstreamHttp, UpstreamSettings, UpstreamTls,
};
use crate::config::values::{Name, ServerAddress, Text, ValueError};
use crate::tls::ClientTls;

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
        if settings.http == UpstreamHttp::H2 && !cfg!(feature = "http2") {
            let problem = ValueError::new("this build does not speak HTTP/2")
                .help("build it with the feature `http2`");
            report.error(&pool.get("http"), problem);
        }
        if settings.http == UpstreamHttp::H2 && settings.proxy_protocol != SentProxyProtocol::Off {
            let problem = ValueError::new(
                "a connection of HTTP/2 has many clients, and its header can name one",
            )
            .help("use `http = \"h1\"`, or let the server read the client from `x-forwarded-for`");
            report.error(&pool.get("proxy_protocol"), problem);
        }
        let tls = tls(&settings, &pool, directory, report);
        pools.push(Arc::new(upstream(name, settings, tls, directory)));
    }
    pools
}

/// TLS, if a server asks for it.
fn tls(
    settings: &UpstreamSettings,
    pool: &Node<'_>,
    #[cfg_attr(not(feature = "tls"), expect(unused_variables))] directory: &Path,
    report: &mut Report<'_>,
) -> Option<ClientTls> {
    let node = pool.get("tls");
    if settings.servers.iter().any(|server| server.url.is_tls) {
        #[cfg(feature = "tls")]
        return super::tls::client(&settings.tls, settings.http, &node, directory, report);
    } else if settings.tls != UpstreamTls::default() {
        let problem = ValueError::new("no server of this upstream speaks TLS")
            .help("the URL of a server with TLS begins with `wss://`");
        report.warn(&node, problem);
    }
    None
}

fn upstream(
    name: String,
    settings: UpstreamSettings,
    tls: Option<ClientTls>,
    directory: &Path,
) -> Upstream {
    let UpstreamSettings {
        servers,
        http,
        balance,
        connect_timeout,
        handshake_timeout,
        head_size,
        retries,
        retry_timeout,
        max_connections,
        proxy_protocol,
        passive,
        tls: _,
    } = settings;
    Upstream {
        name: name.into(),
        servers: servers
            .into_iter()
            .map(|entry| server(entry, directory))
            .collect(),
        http,
        balance,
        connect_timeout,
        handshake_timeout,
        head_size,
        retries,
        retry_timeout,
        max_connections,
        proxy_protocol,
        passive,
        tls,
    }
}

fn server(ServerEntry { url, weight }: ServerEntry, directory: &Path) -> UpstreamServer {
    UpstreamServer {
        name: url.written.into(),
        address: match url.address {
            ServerAddress::Unix(path) => ServerAddress::Unix(directory.join(path)),
            address @ ServerAddress::Tcp { .. } => address,
        },
        is_tls: url.is_tls,
        base_path: url.base_path,
        weight,
    }
}

/// The pools, to be found by their names.
pub(super) struct Pools<'p> {
    all: &'p [Arc<Upstream>],
    by_name: HashMap<&'p str, &'p Arc<Upstream>>,
    /// Whether there are others that could not be read, which has been reported.
    is_incomplete: bool,
}

impl<'p> Pools<'p> {
    pub(super) fn of(all: &'p [Arc<Upstream>], is_incomplete: bool) -> Self {
        Self {
            all,
            by_name: all.iter().map(|pool| (&*pool.name, pool)).collect(),
            is_incomplete,
        }
    }

    /// The pool that a route names; reports one that is not there.
    pub(super) fn find(
        &self,
        name: &str,
        node: &Node<'_>,
        report: &mut Report<'_>,
    ) -> Option<Arc<Upstream>> {
        let found = self.by_name.get(name).copied().cloned();
        if found.is_none() && !self.is_incomplete {
            let problem = ValueError::new(format!("there is no upstream `{name}`"));
            // Each one is compared with all names, and of many errors not all are shown.
            let problem = match report.is_full() {
                true => problem,
                false => self.help(name, problem),
            };
            report.error(node, problem);
        }
        found
    }

    fn help(&self, name: &str, problem: ValueError) -> ValueError {
        if name.contains(':') {
            return problem.help(
                "write the name of an [upstream.NAME] here, and the URL among its `servers`",
            );
        }
        if self.all.is_empty() {
            return problem.help("add [upstream.NAME] with its servers");
        }
        let names = || self.all.iter().map(|pool| &*pool.name);
        let some: Vec<_> = names().take(MOST_NAMES).collect();
        let more = match self.all.len() - some.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        problem
            .did_you_mean(name, names())
            .or_help(format!("the upstreams are {}{more}", some.join(", ")))
    }
}

/// Names in a sentence.
const MOST_NAMES: usize = 20;

/// Warns of pools that no route names.
pub(super) fn warn_unused(
    pools: &[Arc<Upstream>],
    routes: &[RouteSettings],
    node: &Node<'_>,
    report: &mut Report<'_>,
) {
    let used: HashSet<_> = routes.iter().map(|route| &*route.upstream).collect();
    for name in pools.iter().map(|pool| &*pool.name) {
        if !used.contains(name) {
            let message = format!("no route uses the upstream `{name}`");
            report.warn(&node.name(name), ValueError::new(message));
        }
    }
}
