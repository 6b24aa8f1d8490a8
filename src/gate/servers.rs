//! The servers behind the gate, as an operator sees them, and how one is emptied.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::config::UpstreamServer;
use crate::pipeline::{Core, Snapshot};
use crate::session::SessionEntry;
use crate::session::drain::{self, Eviction};
use crate::types::SessionId;
use crate::upstream::{Pool, ServerFailures};

/// One upstream, as it was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamInfo {
    /// Its name in the settings.
    pub upstream: Arc<str>,
    /// How its servers are picked, in the word of the settings.
    pub balance: &'static str,
    /// In the order of the settings. A URL that stands there twice is two servers with the same
    /// counts.
    pub servers: Vec<ServerInfo>,
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The server, as the settings name it.
    pub server: Arc<str>,
    /// Where it is, in full.
    pub url: String,
    /// Its share of the sessions, in proportion to the other servers.
    pub weight: u32,
    /// Sessions open at the moment.
    pub sessions: u64,
    /// Handshakes and plain requests that are under way with it.
    pub connecting: u64,
    /// Nobody new is sent there.
    pub draining: bool,
    /// It has failed lately, and the other servers are tried before it (`passive`).
    pub failing: bool,
    /// Connections of HTTP/2 to it, which sessions share.
    pub http2_connections: usize,
    /// Connections that it did not take.
    pub failed_connects: u64,
    /// Handshakes that it gave no right answer to.
    pub failed_handshakes: u64,
}

/// What a server carried when it was drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerDrain {
    /// Sessions that are open with it.
    pub sessions: usize,
    /// How many of them are being closed now.
    pub closing: usize,
}

/// No server goes by this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownServer {
    /// The settings have no such upstream.
    #[error("there is no upstream `{upstream}`: {}", there_is(.known))]
    Upstream {
        /// The name that was given.
        upstream: String,
        /// Those that there are.
        known: Vec<Arc<str>>,
    },
    /// The upstream has no such server.
    #[error("the upstream `{upstream}` has no server `{server}`: {}", there_is(.known))]
    Server {
        /// The upstream.
        upstream: String,
        /// The name that was given.
        server: String,
        /// Those that there are.
        known: Vec<Arc<str>>,
    },
    /// Servers of different names are at this address.
    #[error("`{server}` is more than one server of `{upstream}`: {}", there_is(.known))]
    Ambiguous {
        /// The upstream.
        upstream: String,
        /// The address that was given.
        server: String,
        /// Those that there are.
        known: Vec<Arc<str>>,
    },
}

impl Core {
    pub(super) fn upstreams(&self) -> Vec<UpstreamInfo> {
        let settings = self.settings();
        let open = self.registry.totals().servers;
        let failed = self.failures.by_server();
        let info = |pool: &Pool| {
            let upstream = &pool.settings().name;
            let servers = pool.servers().map(|(server, load)| {
                let names = (Arc::clone(upstream), Arc::clone(&server.name));
                let sessions = open.get(&names).map_or(0, |totals| totals.open);
                let failed: ServerFailures = failed.get(&names).copied().unwrap_or_default();
                ServerInfo {
                    url: server.url(),
                    weight: server.weight,
                    sessions,
                    connecting: places(pool, &server.name).saturating_sub(sessions),
                    draining: load.draining,
                    failing: load.failing,
                    http2_connections: pool.http2_connections(&server.name),
                    failed_connects: failed.connects,
                    failed_handshakes: failed.handshakes,
                    server: names.1,
                }
            });
            UpstreamInfo {
                servers: servers.collect(),
                balance: pool.settings().balance.as_str(),
                upstream: Arc::clone(upstream),
            }
        };
        settings.pools().map(info).collect()
    }

    /// Sends no new sessions to a server, and closes its open ones over this time, if one is given.
    pub(super) fn drain_server(
        &self,
        upstream: &str,
        server: &str,
        over: Option<Duration>,
    ) -> Result<ServerDrain, UnknownServer> {
        // Drains of servers run one after the other.
        let mut closing = self.drains.lock();
        let settings = self.settings();
        let (pool, name) = find(&settings, upstream, server)?;
        let names = (Arc::clone(&pool.settings().name), Arc::clone(&name));
        let mut same = pool.servers().filter(|(server, _)| server.name == name);
        if !same.any(|(_, load)| load.draining) {
            // What was left of a server of this name that new settings have brought back.
            closing.remove(&names);
        }
        pool.set_draining(&name, true);
        if over.is_some() {
            // A handshake that takes its place from here on sends its session away itself.
            let before = closing.insert(names.clone(), None);
            before.flatten().inspect(AbortHandle::abort);
        }
        let sessions = self.sessions_on(&names.0, &names.1);
        let drained = ServerDrain {
            sessions: sessions.len(),
            closing: over.map_or(0, |_| sessions.len()),
        };
        tracing::info!(
            upstream = &*names.0,
            server = &*names.1,
            sessions = drained.sessions,
            closing = drained.closing,
            "a server takes no new sessions"
        );
        if let Some(over) = over {
            let eviction = Eviction::of_drained_server(sessions, settings.config.drain, over);
            let task = drain::evict(&self.registry, &self.evictions, eviction);
            closing.insert(names, task);
        }
        Ok(drained)
    }

    /// Sends sessions to a server again.
    pub(super) fn resume_server(&self, upstream: &str, server: &str) -> Result<(), UnknownServer> {
        let mut closing = self.drains.lock();
        let settings = self.settings();
        let (pool, name) = find(&settings, upstream, server)?;
        pool.set_draining(&name, false);
        let names = (Arc::clone(&pool.settings().name), name);
        let before = closing.remove(&names).flatten();
        before.inspect(AbortHandle::abort);
        let (upstream, server) = (&*names.0, &*names.1);
        tracing::info!(upstream, server, "a server takes sessions again");
        Ok(())
    }

    fn sessions_on(&self, upstream: &str, server: &str) -> Vec<SessionId> {
        let is_there = |entry: &SessionEntry| {
            *entry.metadata.upstream == *upstream && *entry.metadata.server == *server
        };
        let entries = self.registry.list().into_iter();
        let there = entries.filter(|entry| is_there(entry));
        there.map(|entry| entry.id).collect()
    }
}

/// A server by its name, by its address, or by its place in the settings, from 0 on.
fn find<'a>(
    settings: &'a Snapshot,
    upstream: &str,
    server: &str,
) -> Result<(&'a Pool, Arc<str>), UnknownServer> {
    let mut pools = settings.pools();
    let found = pools.find(|pool| *pool.settings().name == *upstream);
    let pool = found.ok_or_else(|| UnknownServer::Upstream {
        upstream: upstream.to_owned(),
        known: settings
            .pools()
            .map(|pool| Arc::clone(&pool.settings().name))
            .collect(),
    })?;
    let servers = &pool.settings().servers;
    let known = || {
        servers
            .iter()
            .map(|server| Arc::clone(&server.name))
            .collect()
    };
    let names = |is_it: &dyn Fn(&UpstreamServer) -> bool| {
        let found = servers.iter().filter(|server| is_it(server));
        let mut names: Vec<_> = found.map(|server| &server.name).collect();
        names.dedup();
        names
    };
    let mut found = names(&|one| *one.name == *server);
    if found.is_empty() {
        found = names(&|one| one.address.to_string() == *server);
    }
    if let (true, Ok(index)) = (found.is_empty(), server.parse::<usize>()) {
        found.extend(servers.get(index).map(|server| &server.name));
    }
    let (upstream, server) = (upstream.to_owned(), server.to_owned());
    match found[..] {
        [name] => Ok((pool, Arc::clone(name))),
        [] => Err(UnknownServer::Server {
            upstream,
            server,
            known: known(),
        }),
        _ => Err(UnknownServer::Ambiguous {
            upstream,
            server,
            known: known(),
        }),
    }
}

/// Places that are taken on the server of this name.
fn places(pool: &Pool, name: &str) -> u64 {
    let same = pool.servers().filter(|(server, _)| *server.name == *name);
    same.map(|(_, load)| u64::from(load.in_use)).sum()
}

fn there_is(names: &[Arc<str>]) -> String {
    match names {
        [] => "there is none".to_owned(),
        names => format!("there is {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests;
