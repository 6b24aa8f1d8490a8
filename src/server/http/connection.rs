//! One client connection: HTTP/1.1 until it ends or is upgraded.

mod end;
mod guard;
mod head_deadline;
mod lingering_close;
mod listener_settings;
mod opening;
mod service;

use std::sync::Arc;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

use crate::{ClientAddr, ErrorReport, LocalAddr, WrappedSocket};
use end::{End, Limits, MAX_HEADERS};
use guard::Guard;
use head_deadline::HeadLimits;
use lingering_close::{Linger, RefusedConnection, linger_until_evicted};
pub(crate) use listener_settings::ListenerSettings;
use opening::Opened;
pub(crate) use opening::Opening;
pub(crate) use service::GatedForward;
use service::RefusedUpgrade;
use service::RequestService;

use super::health::HealthPage;
use super::limiter::{ConnectionPermit, PeerState};
use super::request_lines::RequestLines;
use crate::Gate;
use crate::config;
use crate::config::ListenAddress;
use crate::server::listener::accept::Accepted;
use crate::server::listener::proxy_header::Client;
use crate::tls::Tickets;

/// Serves connections, by the settings that all of them share.
#[derive(Clone)]
pub(crate) struct Connections {
    gate: Gate,
    http: http1::Builder,
    limits: Limits,
    health: Arc<HealthPage>,
    /// By the addresses of the listeners in the settings.
    openings: Arc<[(ListenAddress, Arc<Opening>)]>,
}

/// The smallest buffer that hyper takes.
const SMALLEST_BUFFER: usize = 8 * 1024;

impl Connections {
    pub(crate) fn new(
        gate: Gate,
        settings: &config::Server,
        listeners: &ListenerSettings,
        tickets: &Arc<Tickets>,
        health: Arc<HealthPage>,
    ) -> Self {
        let mut http = http1::Builder::new();
        // The timeouts of heads are ours: `HeadDeadline`.
        http.header_read_timeout(None)
            .max_header_size(settings.head_size)
            .max_buf_size(settings.head_size.max(SMALLEST_BUFFER))
            .max_headers(MAX_HEADERS);
        Self {
            gate,
            http,
            limits: Limits {
                head_size: settings.head_size,
                head: HeadLimits {
                    handshake_timeout: settings.handshake_timeout,
                    keepalive_timeout: settings.keepalive_timeout,
                },
            },
            health,
            openings: listeners.openings(tickets),
        }
    }

    /// What the connections of this listener begin with; none if it is one that a reload has just removed.
    pub(crate) fn opening_of(&self, listener: &ListenAddress) -> Option<Arc<Opening>> {
        let mut openings = self.openings.iter();
        let found = openings.find(|(address, _)| address == listener);
        found.map(|(_, opening)| Arc::clone(opening))
    }

    /// Serves one connection to its end, or until it becomes a session. When `closing` is cancelled it
    /// finishes the current request and takes no other.
    pub(crate) async fn serve(
        self,
        accepted: Accepted,
        opening: Arc<Opening>,
        permit: ConnectionPermit,
        handler: GatedForward,
        closing: CancellationToken,
    ) {
        let (socket, peer) = accepted.into_transport();
        let (limits, gate) = (&self.limits, &self.gate);
        let opened = opening.open(socket, peer, &permit, limits, gate, &closing);
        let Some(Opened { socket, client }) = opened.await else {
            return;
        };
        let Client {
            address: client,
            destination,
            over_tls,
        } = client;
        let local = destination.or_else(|| socket.tcp()?.local_addr().ok());
        let (limiter, state) = (permit.limiter().clone(), permit.state().clone());
        let refused = RefusedUpgrade::default();
        let lines = Arc::<RequestLines>::default();
        let service = RequestService {
            gate: self.gate.clone(),
            handler,
            health: Arc::clone(&self.health),
            client,
            local: local.map(LocalAddr),
            over_tls,
            limiter: limiter.clone(),
            state: state.clone(),
            lines: Arc::clone(&lines),
            refused: refused.clone(),
        };
        let guard = Guard::new(socket, state.clone(), Arc::clone(&lines), self.limits.head);
        let guard: Box<dyn WrappedSocket> = Box::new(guard);
        let mut connection = self
            .http
            .serve_connection(TokioIo::new(guard), service)
            .with_upgrades();
        let mut is_closing = false;
        let ended = loop {
            tokio::select! {
                // First, so that every response from now on says `connection: close`.
                biased;
                () = closing.cancelled(), if !is_closing => {
                    // Hyper would wait for the rest of a head. It may wait for that of a body whose answer came early.
                    if state.is_idle() && !lines.is_in_body() {
                        break Ended::ByUs(End::shut_down);
                    }
                    is_closing = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
                ended = &mut connection => break Ended::ByItself(ended),
                () = state.evicted() => break Ended::ByUs(match state.had_request() {
                    true => End::evicted,
                    false => End::evicted_at_first,
                }),
            }
        };
        let (mut socket, end) = match connection.into_parts() {
            Some(parts) => {
                let unread = &*parts.read_buf;
                let mut socket = parts.io.into_inner().into_transport();
                let end = match &ended {
                    Ended::ByItself(ended) => End::of(ended, &state, unread, &self.limits),
                    // What comes is the rest of a body that is answered already.
                    Ended::ByUs(end) if lines.is_in_body() => end(false),
                    Ended::ByUs(end) => end(end::has_begun(unread, &mut socket).await),
                };
                (socket, end)
            }
            // Hyper has given the socket away: to a session, or at the end of a refused upgrade.
            None => match refused.into_socket() {
                Some(socket) => (socket, End::Normal),
                None => return,
            },
        };
        end.count(&limiter);
        if !(end == End::SlowReader && state.is_slow_response_told()) {
            self.report(end, client, ended);
        }
        if state.requires_reset() {
            return lingering_close::reset(socket);
        }
        let status = end.status();
        if status.is_some() || (end.lingers() && state.peer() == PeerState::Present) {
            let linger = match lines.is_in_body() {
                true => Linger::UPLOAD,
                false => Linger::SHORT,
            };
            linger_until_evicted(&mut socket, status, linger, &state, &closing).await;
        }
    }

    /// Logs the end of a connection that did not end well. Breaking HTTP is a rejected request; leaving, or
    /// never sending anything, is not worth a line.
    fn report(&self, end: End, client: ClientAddr, ended: Ended) {
        if let Some(reason) = end.reason() {
            self.gate.handle().report_malformed(client, reason);
        } else if let Ended::ByItself(Err(error)) = ended {
            tracing::debug!(%client, error = %ErrorReport(&error), "connection ended");
        }
    }

    /// Refuses a connection over the limit; the answer is still to be sent.
    pub(crate) fn refuse(&self, accepted: Accepted) -> RefusedConnection {
        let (socket, client) = accepted.into_transport();
        self.gate.handle().report_malformed(client, "overload");
        RefusedConnection::new(socket)
    }
}

/// Which side ended a connection.
enum Ended {
    ByItself(hyper::Result<()>),
    /// While it was idle.
    ByUs(fn(bool) -> End),
}
