//! One client connection: HTTP/1.1 until it ends or is upgraded.

mod answer;
mod end;
mod guard;
mod leave;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;

use answer::Answer;
pub(crate) use answer::Answerer;
use answer::RefusedUpgrade;
use end::{End, Limits, MAX_HEADERS};
use guard::Guard;
use leave::Refusal;

use super::limiter::{Fault, Place, Room};
use crate::Gate;
use crate::config;
use crate::error_report::ErrorReport;
use crate::server::listener::accept::Accepted;
use crate::transport::WrappedSocket;
use crate::types::ClientAddr;

/// What every connection of the process has in common.
#[derive(Clone)]
pub(crate) struct Connections {
    gate: Gate,
    http: http1::Builder,
    limits: Limits,
}

/// The smallest buffer that hyper takes.
const SMALLEST_BUFFER: usize = 8 * 1024;

impl Connections {
    pub(crate) fn new(gate: Gate, settings: &config::Server) -> Self {
        let mut http = http1::Builder::new();
        // Without the timer the time-out would be off. It counts from the accept, or the end of
        // the request before, to the end of the head.
        http.timer(TokioTimer::new())
            .header_read_timeout(settings.handshake_timeout)
            .max_header_size(settings.head_size)
            .max_buf_size(settings.head_size.max(SMALLEST_BUFFER))
            .max_headers(MAX_HEADERS);
        Self {
            gate,
            http,
            limits: Limits {
                head_size: settings.head_size,
                handshake_timeout: settings.handshake_timeout,
            },
        }
    }

    /// Serves one connection to its end, or until it becomes a session. When `closing` is
    /// cancelled it finishes the request that it is in, and takes no other.
    pub(crate) async fn serve(
        self,
        accepted: Accepted,
        place: Place,
        answerer: Answerer,
        closing: CancellationToken,
    ) {
        let (socket, client) = accepted.into_transport();
        let (room, watch) = (place.room().clone(), place.watch().clone());
        let refused = RefusedUpgrade::default();
        let service = Answer {
            gate: self.gate.clone(),
            answerer,
            client,
            room: room.clone(),
            watch: watch.clone(),
            refused: refused.clone(),
        };
        let guard: Box<dyn WrappedSocket> = Box::new(Guard::new(socket, place));
        let mut connection = self
            .http
            .serve_connection(TokioIo::new(guard), service)
            .with_upgrades();
        let mut is_closing = false;
        let ended = loop {
            tokio::select! {
                // First, so that a response that goes out from now on says that it is the last.
                biased;
                () = closing.cancelled(), if !is_closing => {
                    // Hyper would wait for the rest of a head that began.
                    if watch.is_waiting() {
                        break Ended::ByUs(End::stopped);
                    }
                    is_closing = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
                ended = &mut connection => break Ended::ByItself(ended),
                () = watch.told_to_go() => break Ended::ByUs(End::reclaimed),
            }
        };
        let (mut guard, end) = match connection.into_parts() {
            Some(parts) => {
                let (unread, mut guard) = (&*parts.read_buf, parts.io.into_inner());
                let end = match &ended {
                    Ended::ByItself(ended) => End::of(ended, &watch, unread, &self.limits),
                    Ended::ByUs(end) => end(end::has_begun(unread, guard.transport()).await),
                };
                (guard, end)
            }
            // Hyper has handed the socket on. That of a session is no longer ours.
            None => match refused.into_socket() {
                Some(guard) => (guard, End::Usual),
                None => return,
            },
        };
        self.tell(end, &room, client, ended);
        let status = end.status();
        if status.is_some() || (end.lingers() && watch.fault() == Fault::None) {
            leave::leave_in_place(guard.transport(), status, &watch).await;
        }
    }

    /// Logs and counts the end of a connection that did not end well. What a client did to HTTP is
    /// a rejected request; that it left, or never said anything, is not worth a line.
    fn tell(&self, end: End, room: &Room, client: ClientAddr, ended: Ended) {
        end.count(room);
        if let Some(reason) = end.reason() {
            self.gate.handle().report_malformed(client, reason);
        } else if let Ended::ByItself(Err(error)) = ended {
            tracing::debug!(%client, error = %ErrorReport(&error), "connection ended");
        }
    }

    /// Refuses a connection that there is no place for; the client has its answer still to come.
    pub(crate) fn refuse(&self, accepted: Accepted) -> Refusal {
        let (socket, client) = accepted.into_transport();
        self.gate.handle().report_malformed(client, "overload");
        Refusal::new(socket)
    }
}

/// Who ended a connection.
enum Ended {
    ByItself(hyper::Result<()>),
    /// While it waited for a request.
    ByUs(fn(bool) -> End),
}
