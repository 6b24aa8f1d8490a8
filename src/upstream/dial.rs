//! Connecting to a server of a pool, or to another one where that fails.

use std::error::Error;
use std::net::IpAddr;

use tokio::time::Instant;

use super::connect_error::ConnectError;
use super::failures::{ServerFailure, UpstreamError};
use super::http2::{Place, Way};
use super::pool::{Lease, Pool};
use super::proxy_header::ProxiedConnection;
use crate::config::UpstreamHttp;
use crate::rejection::Rejection;
use crate::transport::Transport;

/// A place on a server, and the connection to it.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) lease: Lease,
    pub(crate) connection: ServerConnection,
    pub(crate) tries: Tries,
}

/// What a request goes to a server on.
#[derive(Debug)]
pub(crate) enum ServerConnection {
    /// A connection of its own.
    Http1(Transport),
    /// A stream of a connection that others share.
    Http2(Place),
}

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    WebSocket,
    Plain,
}

/// What was tried for one request.
#[derive(Debug)]
pub(crate) struct Tries {
    client: IpAddr,
    proxied: ProxiedConnection,
    purpose: Purpose,
    started: Instant,
    /// Servers that did not take it.
    failed: Vec<usize>,
    /// How often the server of the moment has not processed it.
    unprocessed: u32,
}

/// A request that a server has not processed goes to the same server so often, on other connections: those before may
/// have been full, or about to end.
const SAME_SERVER: u32 = 2;

impl Tries {
    pub(crate) fn new(client: IpAddr, proxied: ProxiedConnection, purpose: Purpose) -> Self {
        Self {
            client,
            proxied,
            purpose,
            started: Instant::now(),
            failed: Vec::new(),
            unprocessed: 0,
        }
    }
}

impl Pool {
    /// Takes a place on a server and connects to it for a WebSocket. If that fails, another server is tried, as
    /// often and for as long as the settings allow; nothing has been sent yet, so that nothing is done
    /// twice.
    pub(crate) async fn connect(
        &self,
        client: IpAddr,
        proxied: ProxiedConnection,
    ) -> Result<Connected, UpstreamError> {
        let tries = Tries::new(client, proxied, Purpose::WebSocket);
        self.connect_from(self.place(client)?, tries).await
    }

    /// Connects to the server that `lease` has a place on, or else to another, as
    /// [`Pool::connect`] does.
    pub(crate) async fn connect_from(
        &self,
        mut lease: Lease,
        mut tries: Tries,
    ) -> Result<Connected, UpstreamError> {
        loop {
            let error = match self.connect_to(&lease, &tries).await {
                Ok(connection) => {
                    return Ok(Connected {
                        lease,
                        connection,
                        tries,
                    });
                }
                Err(error) => error,
            };
            let Some(next) = self.next(&lease, &mut tries, error.is_everywhere()) else {
                // Without another server, the failure of this one says more than that.
                return Err(lease.at_fault(error.rejection(), error.failure(), Some(&error)));
            };
            lease.log_failure(error.failure(), error.message(), &error);
            lease = next;
        }
    }

    /// Connects again for a request that its server has not processed: to the same server, and to another one if
    /// it goes on like that.
    pub(crate) async fn connect_again(
        &self,
        lease: Lease,
        mut tries: Tries,
        error: impl Error + Send + Sync + 'static,
    ) -> Result<Connected, UpstreamError> {
        tries.unprocessed += 1;
        if tries.unprocessed < SAME_SERVER {
            return self.connect_from(lease, tries).await;
        }
        let Some(next) = self.next(&lease, &mut tries, false) else {
            let rejection = Rejection::UpstreamRefused;
            return Err(lease.at_fault(rejection, ServerFailure::Connect, Some(&error)));
        };
        lease.log_failure(ServerFailure::Connect, "request not taken", &error);
        drop(lease);
        self.connect_from(next, tries).await
    }

    /// A place on another server, if there is one and it may be tried.
    fn next(&self, lease: &Lease, tries: &mut Tries, is_everywhere: bool) -> Option<Lease> {
        let settings = self.settings();
        let gives_up = is_everywhere
            || !settings.retries.allow(tries.failed.len())
            || tries.started.elapsed() >= settings.retry_timeout;
        tries.failed.push(lease.index());
        tries.unprocessed = 0;
        if gives_up {
            return None;
        }
        self.lease(tries.client, &tries.failed).ok()
    }

    /// Connects to one server.
    async fn connect_to(
        &self,
        lease: &Lease,
        tries: &Tries,
    ) -> Result<ServerConnection, ConnectError> {
        let settings = self.settings();
        let limit = settings.connect_timeout;
        let header = lease.proxy_header(tries.proxied);
        let connecting = (self.connector()).connect(lease.target(), header, lease.tls(), limit);
        match settings.http {
            UpstreamHttp::H1 => Ok(ServerConnection::Http1(connecting.await?)),
            UpstreamHttp::H2 => {
                let way = Way {
                    tls: lease.tls().cloned(),
                    head_size: settings.head_size,
                    is_websocket: tries.purpose == Purpose::WebSocket,
                };
                // Behind pointers, so that a connection of HTTP/1.1 does not hold the room for one of HTTP/2.
                let connecting = Box::pin(connecting);
                let place = Box::pin(lease.http2().place(&way, limit, connecting)).await?;
                Ok(ServerConnection::Http2(place))
            }
        }
    }
}
