//! The servers of one upstream, and how many sessions each of them has.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::balance::{Balancer, Candidate};
use super::connect::Connector;
use super::failures::{FailureCounts, FailureLog, ServerFailure, ServerFault, UpstreamError};
use super::http2::Connections;
use super::proxy_header::{ProxiedConnection, ProxyHeader};
use super::server_state::{ServerLoad, ServerState};
use super::target::ServerTarget;
use crate::config::{ServerAddress, Upstream, UpstreamServer};
use crate::error_report::ErrorReport;
use crate::rejection::Rejection;
use crate::tls::ClientTls;

/// The servers of an upstream with their live state; a clone is the same pool.
#[derive(Clone)]
pub(crate) struct Pool {
    inner: Arc<PoolInner>,
}

struct PoolInner {
    settings: Arc<Upstream>,
    /// In the order of the settings' servers.
    live: Box<[Arc<ServerState>]>,
    balancer: Balancer,
    connector: Connector,
    /// One log throttle for the upstream, whatever its settings.
    failures: Arc<FailureLog>,
}

/// A place on a server, held until dropped.
pub(crate) struct Lease {
    pool: Pool,
    server: usize,
}

impl Pool {
    /// A pool with sockets to its servers and failure counts of its own.
    #[cfg(test)]
    pub(crate) fn for_tests(settings: Arc<Upstream>) -> Self {
        Self::new(settings, Arc::default(), Connector::default())
    }

    /// A pool that connects through this connector and adds its failures to these.
    pub(crate) fn new(
        settings: Arc<Upstream>,
        failures: Arc<FailureCounts>,
        connector: Connector,
    ) -> Self {
        let live: Box<[_]> = settings.servers.iter().map(|_| Arc::default()).collect();
        let balancer = Balancer::new(settings.balance, live.len());
        Self {
            inner: Arc::new(PoolInner {
                settings,
                live,
                balancer,
                connector,
                failures: Arc::new(FailureLog::new(failures)),
            }),
        }
    }

    /// The pool of the same upstream after a reload. Servers that stay keep their counts and their
    /// turn, and are drained or not as before, however often they stand there; a lease of one that is gone stays good until it is dropped.
    pub(crate) fn renewed(&self, settings: &Arc<Upstream>) -> Self {
        let old = &self.inner;
        if old.settings == *settings {
            return self.clone();
        }
        let mut left: Vec<_> = old.settings.servers.iter().enumerate().collect();
        // A name may stand there twice: each of the two takes over from one.
        let origins: Vec<Option<usize>> = (settings.servers.iter())
            .map(|server| {
                let same = left.iter().position(|(_, old)| old.name == server.name);
                same.map(|place| left.remove(place).0)
            })
            .collect();
        let live = settings.servers.iter().zip(&origins);
        let live = live.map(|(server, origin)| match origin {
            Some(old_index) => Arc::clone(&old.live[*old_index]),
            // It may be there one time more than before.
            None => Arc::new(ServerState::new(self.is_draining(&server.name))),
        });
        Self {
            inner: Arc::new(PoolInner {
                live: live.collect(),
                balancer: old.balancer.renewed(settings.balance, &origins),
                connector: old.connector.clone(),
                failures: Arc::clone(&old.failures),
                settings: Arc::clone(settings),
            }),
        }
    }

    /// The settings that the pool was made from.
    pub(crate) fn settings(&self) -> &Upstream {
        &self.inner.settings
    }

    /// The servers in the order of the settings, each with its load.
    pub(crate) fn servers(&self) -> impl Iterator<Item = (&UpstreamServer, ServerLoad)> {
        let servers = self.settings().servers.iter().zip(&self.inner.live);
        let now = Instant::now();
        servers.map(move |(server, live)| (server, live.load(now)))
    }

    /// How many connections of HTTP/2 there are to the server of this name.
    pub(crate) fn http2_connections(&self, server: &str) -> usize {
        let servers = self.settings().servers.iter().zip(&self.inner.live);
        let same = servers.filter(|(settings, _)| *settings.name == *server);
        same.map(|(_, live)| live.http2.count()).sum()
    }

    /// Whether the server of this name gets no new sessions.
    fn is_draining(&self, server: &str) -> bool {
        let mut same = (self.servers()).filter(|(settings, _)| *settings.name == *server);
        same.any(|(_, load)| load.draining)
    }

    /// Sends no new sessions to the server of this name, or sends them again. It holds for as long as
    /// settings have the server.
    pub(crate) fn set_draining(&self, server: &str, draining: bool) {
        let servers = self.settings().servers.iter().zip(&self.inner.live);
        for (_, live) in servers.filter(|(settings, _)| *settings.name == *server) {
            live.set_draining(draining);
        }
    }

    /// Takes a place on a server, for a caller that may have a connection to it already.
    pub(crate) fn place(&self, client: IpAddr) -> Result<Lease, Rejection> {
        self.lease(client, &[])
    }

    /// Logs how many failures were left out of the log.
    pub(crate) fn report(&self) {
        self.inner.failures.report(&self.settings().name);
    }

    /// Takes a place on a server that has room, but on none whose index is in `tried`.
    pub(super) fn lease(&self, client: IpAddr, tried: &[usize]) -> Result<Lease, Rejection> {
        let mut passed_over = tried.to_vec();
        loop {
            let candidates = self.candidates(&passed_over);
            let Some(server) = self.inner.balancer.pick(&candidates, client) else {
                return Err(self.no_candidate());
            };
            let state = &self.inner.live[server];
            if state.take(self.limit(), self.settings().passive) {
                return Ok(Lease {
                    pool: self.clone(),
                    server,
                });
            }
            // Somebody else took the last place since the look at it.
            passed_over.push(server);
        }
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.inner.connector
    }

    /// Why no server could take a session.
    fn no_candidate(&self) -> Rejection {
        match self.servers().all(|(_, load)| load.draining) {
            true => Rejection::UpstreamDraining,
            false => Rejection::UpstreamFull,
        }
    }

    /// The servers that could take a session now; those that have failed lately only if there is no
    /// other.
    fn candidates(&self, passed_over: &[usize]) -> Vec<Candidate<'_>> {
        let limit = self.limit();
        let mut failing = Vec::new();
        let mut candidates = Vec::with_capacity(self.inner.live.len());
        for (index, (server, load)) in self.servers().enumerate() {
            if load.draining || load.in_use >= limit || passed_over.contains(&index) {
                continue;
            }
            let group = match load.failing {
                true => &mut failing,
                false => &mut candidates,
            };
            group.push(Candidate {
                index,
                name: &server.name,
                weight: server.weight,
                sessions: load.in_use,
            });
        }
        match candidates.is_empty() {
            true => failing,
            false => candidates,
        }
    }

    /// The most sessions on one server.
    fn limit(&self) -> u32 {
        self.settings().max_connections.unwrap_or(u32::MAX)
    }
}

impl Lease {
    /// The settings of the upstream that the server is of.
    pub(crate) fn upstream(&self) -> &Upstream {
        self.pool.settings()
    }

    /// The server's name, for logs.
    pub(crate) fn server(&self) -> &Arc<str> {
        &self.settings().name
    }

    /// The server, for a connector.
    pub(super) fn target(&self) -> ServerTarget<'_> {
        ServerTarget {
            upstream: &self.upstream().name,
            server: self.server(),
            address: self.address().into(),
        }
    }

    pub(crate) fn address(&self) -> &ServerAddress {
        &self.settings().address
    }

    /// How TLS is made with the server, if it is.
    pub(crate) fn tls(&self) -> Option<&ClientTls> {
        let tls = self.upstream().tls.as_ref();
        tls.filter(|_| self.settings().is_tls)
    }

    /// What a connection to the server begins with, if it is for the client of this one.
    pub(crate) fn proxy_header(&self, proxied: ProxiedConnection) -> Option<ProxyHeader> {
        ProxyHeader::new(self.upstream().proxy_protocol, proxied)
    }

    /// Whether the server gets no new sessions by now.
    pub(crate) fn is_draining(&self) -> bool {
        self.state().is_draining()
    }

    /// Notes that the server has answered: its earlier failures no longer count against it.
    pub(crate) fn note_answer(&self) {
        self.state().note_success();
    }

    /// Notes a failure, for the choice of servers. How a plain request fails depends on the
    /// application, and says less.
    fn note_failure(&self, failure: ServerFailure) {
        match failure {
            ServerFailure::Connect | ServerFailure::Handshake => {
                self.state().note_failure(self.upstream().passive);
            }
            ServerFailure::NotAttempted | ServerFailure::Plain => {}
        }
    }

    /// What goes before every path that is sent there.
    pub(crate) fn base_path(&self) -> &str {
        &self.settings().base_path
    }

    /// Counts a failure of the server, and returns the refusal that reports it.
    pub(crate) fn at_fault(
        &self,
        rejection: Rejection,
        failure: ServerFailure,
        error: Option<&(dyn Error + 'static)>,
    ) -> UpstreamError {
        let failures = &self.pool.inner.failures;
        failures.count(&self.upstream().name, self.server(), failure);
        self.note_failure(failure);
        self.refused(rejection, error)
    }

    /// The refusal of a server that has not failed: a server may refuse a session.
    pub(crate) fn refused(
        &self,
        rejection: Rejection,
        error: Option<&(dyn Error + 'static)>,
    ) -> UpstreamError {
        UpstreamError {
            rejection,
            fault: Some(ServerFault {
                upstream: Arc::clone(&self.upstream().name),
                server: Arc::clone(self.server()),
                error: error.map(|error| ErrorReport(error).to_string()),
            }),
        }
    }

    /// Counts a failure of the server and logs it with this message, where no handshake is refused
    /// for it. In a flood of failures only some are logged.
    pub(crate) fn log_failure(
        &self,
        failure: ServerFailure,
        message: &str,
        error: &(dyn Error + 'static),
    ) {
        self.note_failure(failure);
        let failures = &self.pool.inner.failures;
        failures.log(
            &self.upstream().name,
            self.server(),
            failure,
            message,
            error,
        );
    }

    fn settings(&self) -> &UpstreamServer {
        &self.pool.settings().servers[self.server]
    }

    /// The connections of HTTP/2 to the server.
    pub(super) fn http2(&self) -> &Connections {
        &self.state().http2
    }

    /// The server's place in the settings.
    pub(super) fn index(&self) -> usize {
        self.server
    }

    fn state(&self) -> &ServerState {
        &self.pool.inner.live[self.server]
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.state().give_back();
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(self.server()).finish()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.settings().name).finish()
    }
}

#[cfg(test)]
mod tests;
