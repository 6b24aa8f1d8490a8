//! A connection of HTTP/1.1 or HTTP/1.0: one request after the other.

use std::sync::Arc;

use hyper::server::conn::http1::Builder;
use hyper_util::rt::TokioIo;

use super::context::{ClientConnection, ConnectionContext};
use super::early_bytes::EarlySocket;
use super::end::{self, End, MAX_HEADERS};
use super::guard::Guard;
use super::lingering_close::{self, Linger, linger_until_evicted};
use super::service::{RefusedUpgrade, RequestService};
use crate::config;
use crate::server::http::limiter::PeerState;
use crate::server::http::request_lines::RequestLines;
use crate::server::listener::proxy_header::Client;
use crate::{ErrorReport, WrappedSocket};

/// The smallest buffer that hyper takes.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// Which side ended a connection.
enum Ended {
    ByItself(hyper::Result<()>),
    /// While it was idle.
    ByUs(fn(bool) -> End),
}

/// Hyper's part of the settings.
pub(super) fn builder(settings: &config::Server) -> Builder {
    let mut http = Builder::new();
    // The timeouts of heads are ours: `HeadDeadline`.
    http.header_read_timeout(None)
        .max_header_size(settings.head_size)
        .max_buf_size(settings.head_size.max(SMALLEST_BUFFER))
        .max_headers(MAX_HEADERS);
    http
}

/// Serves the connection to its end, or until it becomes a session.
pub(super) async fn serve(context: &ConnectionContext, connection: ClientConnection) {
    let ClientConnection {
        socket,
        early,
        client,
        local,
        permit,
        handler,
        access: _,
        closing,
    } = connection;
    let Client {
        address: client,
        over_tls,
        ..
    } = client;
    let (limiter, state) = (permit.limiter().clone(), permit.state().clone());
    let refused = RefusedUpgrade::default();
    let lines = Arc::<RequestLines>::default();
    let service = RequestService {
        gate: context.gate.clone(),
        handler,
        health: Arc::clone(&context.health),
        client,
        local,
        over_tls,
        limiter: limiter.clone(),
        state: state.clone(),
        lines: Arc::clone(&lines),
        refused: refused.clone(),
    };
    let socket = EarlySocket::new(early, socket);
    let head_limits = context.limits.head;
    let guard = Guard::new(socket, state.clone(), Arc::clone(&lines), head_limits);
    let guard: Box<dyn WrappedSocket> = Box::new(guard);
    let mut connection = context
        .http1
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
                Ended::ByItself(ended) => End::of(ended, &state, unread, &context.limits),
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
    if !(end == End::SlowReader && state.client().is_slow_response_told()) {
        context.report(end, client);
    }
    // Leaving, or never sending anything, is not worth a line.
    if let (None, Ended::ByItself(Err(error))) = (end.reason(), &ended) {
        tracing::debug!(%client, error = %ErrorReport(error), "connection ended");
    }
    if state.requires_reset() {
        return lingering_close::reset(socket);
    }
    let status = end.status();
    if status.is_some() || (end.lingers() && state.client().peer() == PeerState::Present) {
        let linger = match lines.is_in_body() {
            true => Linger::UPLOAD,
            false => Linger::SHORT,
        };
        linger_until_evicted(&mut socket, status, linger, &state, &closing).await;
    }
}
