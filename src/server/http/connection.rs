//! One client connection, until it ends or is upgraded.

mod access;
mod context;
mod early_bytes;
mod end;
mod guard;
mod head_deadline;
mod http1;
pub(crate) mod http2;
mod lingering_close;
mod listener_settings;
mod opening;
mod service;
mod version;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::LocalAddr;
use context::{ClientConnection, ConnectionContext};
use end::Limits;
use head_deadline::HeadLimits;
use lingering_close::RefusedConnection;
pub(crate) use listener_settings::ListenerSettings;
pub(crate) use opening::Opening;
use opening::{Opened, Openings, opening_of};
pub(crate) use service::GatedForward;

use super::health::HealthPage;
use super::limiter::ConnectionPermit;
use crate::Gate;
use crate::config;
use crate::config::{HttpVersion, ListenAddress};
use crate::server::listener::accept::Accepted;
use crate::tls::Tickets;

/// Serves connections, by the settings that all of them share.
#[derive(Clone)]
pub(crate) struct Connections {
    context: Arc<ConnectionContext>,
    /// By the addresses of the listeners in the settings.
    openings: Openings,
}

impl Connections {
    /// By these settings, behind those of the `former` ones.
    pub(crate) fn new(
        gate: Gate,
        settings: &config::Server,
        listeners: &ListenerSettings,
        tickets: &Arc<Tickets>,
        health: Arc<HealthPage>,
        former: Option<&Self>,
    ) -> Self {
        let context = ConnectionContext {
            gate,
            http1: http1::builder(settings),
            http2: http2::builder(settings),
            limits: Limits {
                head_size: settings.head_size,
                head: HeadLimits {
                    handshake_timeout: settings.handshake_timeout,
                    keepalive_timeout: settings.keepalive_timeout,
                },
            },
            health,
        };
        Self {
            context: Arc::new(context),
            openings: listeners.openings(tickets, former.map(|former| &former.openings)),
        }
    }

    /// Ends what was open by listeners that let others in by now than they did by the `former` settings. The connections
    /// take no further request, and sessions stay.
    pub(crate) fn end_former_access(&self, former: &Self) {
        for (listener, opening) in former.openings.iter() {
            // A listener that goes closes all of its connections itself.
            let now = self.opening_of(listener);
            if now.is_some_and(|now| !Arc::ptr_eq(&now.access, &opening.access)) {
                opening.access.end();
            }
        }
    }

    /// What the connections of this listener begin with; none if it is one that a reload has just removed.
    pub(crate) fn opening_of(&self, listener: &ListenAddress) -> Option<Arc<Opening>> {
        opening_of(&self.openings, listener).cloned()
    }

    /// Serves one connection to its end, or until it becomes a session. When `closing` is cancelled it
    /// finishes the current requests and takes no other.
    pub(crate) async fn serve(
        self,
        accepted: Accepted,
        opening: Arc<Opening>,
        permit: ConnectionPermit,
        handler: GatedForward,
        closing: CancellationToken,
    ) {
        let (socket, peer) = accepted.into_transport();
        let context = self.context;
        let (limits, gate) = (&context.limits, &context.gate);
        let opened = opening.open(socket, peer, &permit, limits, gate, &closing);
        let Some(opened) = opened.await else {
            return;
        };
        let Opened {
            mut socket,
            client,
            http,
        } = opened;
        let local = client
            .destination
            .or_else(|| socket.tcp()?.local_addr().ok());
        let chosen = version::choose(&mut socket, http, permit.state(), limits, &closing).await;
        let connection = ClientConnection {
            socket,
            early: chosen.early,
            client,
            local: local.map(LocalAddr),
            permit,
            handler,
            access: Arc::clone(&opening.access),
            closing,
        };
        match chosen.version {
            HttpVersion::H1 => http1::serve(&context, connection).await,
            // Behind a pointer, so that a connection of HTTP/1.1 does not hold the room for one of HTTP/2.
            HttpVersion::H2 => Box::pin(http2::serve(&context, connection)).await,
        }
    }

    /// Refuses a connection over the limit; the answer is still to be sent.
    pub(crate) fn refuse(&self, accepted: Accepted) -> RefusedConnection {
        let (socket, client) = accepted.into_transport();
        self.context
            .gate
            .handle()
            .report_malformed(client, "overload");
        RefusedConnection::new(socket)
    }
}
