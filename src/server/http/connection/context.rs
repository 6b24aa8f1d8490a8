//! What serving a connection takes.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::end::{End, Limits};
use super::service::GatedForward;
use crate::server::http::health::HealthPage;
use crate::server::http::limiter::ConnectionPermit;
use crate::server::listener::proxy_header::Client;
use crate::{ClientAddr, Gate, LocalAddr, Transport};

/// What all connections share.
pub(super) struct ConnectionContext {
    pub(super) gate: Gate,
    pub(super) http1: hyper::server::conn::http1::Builder,
    pub(super) http2: h2::server::Builder,
    pub(super) limits: Limits,
    pub(super) health: Arc<HealthPage>,
}

/// A connection whose client is known.
pub(super) struct ClientConnection {
    pub(super) socket: Transport,
    /// What was read of it to find out which version of HTTP it speaks.
    pub(super) early: Vec<u8>,
    pub(super) client: Client,
    /// What it connected to; none on a unix socket.
    pub(super) local: Option<LocalAddr>,
    pub(super) permit: ConnectionPermit,
    pub(super) handler: GatedForward,
    pub(super) access: Arc<Access>,
    pub(super) closing: CancellationToken,
}

impl ConnectionContext {
    /// Logs the end of a connection that broke HTTP, or took too long.
    pub(super) fn report(&self, end: End, client: ClientAddr) {
        if let Some(reason) = end.reason() {
            self.gate.handle().report_malformed(client, reason);
        }
    }
}
