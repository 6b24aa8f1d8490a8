//! `[upstream.NAME]`: the pools, by name.

use std::sync::Arc;

use toml::Spanned;

use crate::config::error::Problem;
use crate::config::file::{RouteTable, UpstreamTable};
use crate::config::reader::{FromText, Named, Reader, Setting};
use crate::config::text::Name;
use crate::config::{Balance, ServerAddress, Upstream, UpstreamServer};

/// The pools of the file, the wrong ones by name only.
pub(super) struct Upstreams(Vec<(Spanned<String>, Option<Arc<Upstream>>)>);

impl Upstreams {
    /// The pool of that name; reports one that is not there.
    pub(super) fn find(
        &self,
        name: &Spanned<String>,
        reader: &mut Reader<'_>,
    ) -> Option<Arc<Upstream>> {
        let found = (self.0.iter()).find(|(upstream, _)| upstream.get_ref() == name.get_ref());
        if found.is_none() {
            let names = || self.0.iter().map(|(name, _)| name.get_ref().as_str());
            let all: Vec<_> = names().collect();
            let problem = Problem::new(format!("there is no upstream `{}`", name.get_ref()))
                .did_you_mean(name.get_ref(), names());
            let problem = match all.is_empty() {
                true => problem.help("add [upstream.NAME] with its servers"),
                false => problem.or_help(format!("the upstreams are {}", all.join(", "))),
            };
            reader.error(name.span(), problem);
        }
        found.and_then(|(_, upstream)| upstream.clone())
    }

    /// Warns of pools that no route names.
    pub(super) fn warn_unused(&self, routes: &[Setting<RouteTable>], reader: &mut Reader<'_>) {
        for (name, _) in &self.0 {
            let mut named = routes
                .iter()
                .filter_map(Setting::get)
                .map(|route| &route.upstream);
            if !named.any(|upstream| upstream.get() == Some(name.get_ref())) {
                let message = format!("no route uses the upstream `{}`", name.get_ref());
                reader.warn(&name.span(), &message);
            }
        }
    }

    pub(super) fn into_pools(self) -> Vec<Arc<Upstream>> {
        self.0.into_iter().filter_map(|(_, pool)| pool).collect()
    }
}

pub(super) fn upstreams(
    tables: &Setting<Named<UpstreamTable>>,
    reader: &mut Reader<'_>,
) -> Upstreams {
    let tables = tables.get().map_or(&[][..], |named| &named.0);
    let mut upstreams = Vec::with_capacity(tables.len());
    for (name, table) in tables {
        if let Err(problem) = Name::from_text(name.get_ref()) {
            reader.error(name.span(), problem);
        }
        let pool = (table.get()).and_then(|table| upstream(name.get_ref(), table, reader));
        upstreams.push((name.clone(), pool.map(Arc::new)));
    }
    Upstreams(upstreams)
}

fn upstream(name: &str, table: &UpstreamTable, reader: &mut Reader<'_>) -> Option<Upstream> {
    let written = table.servers.given()?;
    if written.get_ref().is_empty() {
        let problem = Problem::new("an upstream needs at least one server");
        reader.error(written.span(), problem);
    }
    let servers = (written.get_ref().iter()).filter_map(Setting::get);
    let servers = servers.map(|entry| UpstreamServer {
        name: entry.url.written.as_str().into(),
        address: match &entry.url.address {
            ServerAddress::Unix(path) => ServerAddress::Unix(reader.path(path.clone())),
            address @ ServerAddress::Tcp { .. } => address.clone(),
        },
        base_path: entry.url.base_path.clone(),
        weight: entry.weight,
    });
    Some(Upstream {
        name: name.into(),
        servers: servers.collect(),
        balance: table.balance.or(Balance::default()),
        connect_timeout: (table.connect_timeout.get())
            .map_or(Upstream::CONNECT_TIMEOUT, |timeout| timeout.0),
        handshake_timeout: (table.handshake_timeout.get())
            .map_or(Upstream::HANDSHAKE_TIMEOUT, |timeout| timeout.0),
        retries: (table.retries.get()).map_or(Upstream::RETRIES, |number| number.as_u32()),
        max_connections: (table.max_connections.get())
            .map(|number| number.as_u32())
            .filter(|number| *number > 0),
    })
}
