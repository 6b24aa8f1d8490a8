//! A plain request on its way, from the gate to the end of its response.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::core::Core;
use super::counts::PlainTraffic;
use super::plain_body::{Undelivered, WhyUndelivered};
use super::refusal::Refusal;
use super::shown::{shown_method, shown_path};
use crate::observe::{ABANDONED, Forwarded, PlainTrace, SpanParents};
use crate::rejection::Rejection;
use crate::request::Handshake;
use crate::types::Side;

/// A plain request that has a route. It is logged and counted once: when it is refused, when its response is
/// over, or when it is dropped before.
pub(super) struct Forwarding {
    core: Arc<Core>,
    handshake: Handshake,
    began: Instant,
    traffic: Arc<PlainTraffic>,
    /// The server that it was sent to last.
    server: Mutex<Option<Arc<str>>>,
    answer: OnceLock<Answer>,
    trace: PlainTrace,
    /// Gives the reason of a request that is dropped.
    why: Option<WhyUndelivered>,
    is_over: AtomicBool,
}

/// The head of the response.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    after: Duration,
}

/// All of the response was passed on.
pub(super) const FORWARDED: &str = "forwarded";

/// The server broke the response off, or what came of it is malformed.
pub(super) const UPSTREAM_LOST: &str = "upstream_lost";

/// The server was silent for too long in the middle of the response.
pub(super) const UPSTREAM_IDLE: &str = "upstream_idle";

impl Forwarding {
    pub(super) fn begin(core: &Arc<Core>, handshake: Handshake) -> Self {
        let counts = core.counts.route(&handshake.settings().name);
        counts.plain.begin();
        Self {
            core: Arc::clone(core),
            trace: core.observers.tracing.begin_plain(&handshake),
            handshake,
            began: Instant::now(),
            traffic: Arc::new(PlainTraffic::new(counts)),
            server: Mutex::default(),
            answer: OnceLock::new(),
            why: None,
            is_over: AtomicBool::new(false),
        }
    }

    pub(super) fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    pub(super) fn handshake_mut(&mut self) -> &mut Handshake {
        &mut self.handshake
    }

    /// Calls `why` if it is dropped before its end.
    pub(super) fn set_cause(&mut self, why: WhyUndelivered) {
        self.why = Some(why);
    }

    pub(super) fn traffic(&self) -> &Arc<PlainTraffic> {
        &self.traffic
    }

    /// Where further spans join its own.
    pub(super) fn parents(&self) -> SpanParents {
        self.trace.parents()
    }

    /// It goes to this server now.
    pub(super) fn set_server(&self, server: &Arc<str>) {
        *self.lock_server() = Some(Arc::clone(server));
    }

    fn lock_server(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        // The name is whole at every moment, whatever panicked elsewhere.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The head of its response has come.
    pub(super) fn answered(&self, status: StatusCode) {
        let after = self.began.elapsed();
        if self.answer.set(Answer { status, after }).is_ok() {
            self.traffic.counts().heads.add(after);
        }
    }

    /// Refuses it. Returns the rejection to answer with.
    pub(super) fn refuse(&self, refusal: impl Into<Refusal>) -> Rejection {
        let refusal = Refusal::on(&self.handshake.settings().name, refusal);
        if !self.take_end() {
            return refusal.rejection;
        }
        let rejection = &refusal.rejection;
        self.trace.refused(rejection.status(), rejection.reason());
        let refusal = refusal.by(*self.handshake.client_identity());
        let refusal = refusal.to(self.handshake.target().clone());
        let refusal = refusal.known_as(self.handshake.identity());
        self.core.refuse_plain(self.handshake.parts(), refusal)
    }

    /// Its response is over, in a way that the log has this word for. False if it was over before.
    pub(super) fn end(&self, reason: &'static str, error: Option<&dyn fmt::Display>) -> bool {
        if !self.take_end() {
            return false;
        }
        let duration = self.began.elapsed();
        let counts = self.traffic.counts();
        counts.durations.add(duration);
        let status = self.answer.get().map(|answer| answer.status);
        let server = self.lock_server().clone();
        let bytes = [Side::Client, Side::Upstream].map(|side| self.traffic.from(side));
        self.trace
            .ended(reason, error.is_some(), status, server.as_ref(), bytes);
        let route = &self.handshake.settings().name;
        let observers = &self.core.observers;
        observers.forwarded(route, reason, status, || {
            self.forwarded(reason, duration, error.map(ToString::to_string), server)
        });
        true
    }

    /// The client is gone, unless the host knows better.
    pub(super) fn abandon(&self) {
        if self.is_over.load(Ordering::Acquire) {
            return;
        }
        let why = self.why.as_ref().map(|why| why());
        let reason = match why.unwrap_or(Undelivered::ClientLost) {
            Undelivered::ClientLost if self.answer.get().is_none() => ABANDONED,
            why => why.as_str(),
        };
        self.end(reason, None);
    }

    /// True for the first who asks: there is one end.
    fn take_end(&self) -> bool {
        let is_first = !self.is_over.swap(true, Ordering::AcqRel);
        if is_first {
            self.traffic.counts().end();
        }
        is_first
    }

    fn forwarded(
        &self,
        reason: &'static str,
        duration: Duration,
        error: Option<String>,
        server: Option<Arc<str>>,
    ) -> Forwarded {
        let handshake = &self.handshake;
        let route = handshake.settings();
        let answer = self.answer.get();
        Forwarded {
            reason,
            status: answer.map(|answer| answer.status),
            route: Arc::clone(&route.name),
            method: shown_method(handshake.method()),
            path: shown_path(handshake.path()),
            http_version: handshake.parts().version,
            client: handshake.client(),
            peer: handshake.peer(),
            tls: handshake.tls(),
            identity: handshake.identity().cloned(),
            upstream: Arc::clone(&route.upstream.name),
            server,
            duration,
            response_head: answer.map(|answer| answer.after),
            bytes_from_client: self.traffic.from(Side::Client),
            bytes_from_upstream: self.traffic.from(Side::Upstream),
            error,
        }
    }
}

/// A client that is gone takes its request along.
impl Drop for Forwarding {
    fn drop(&mut self) {
        self.abandon();
    }
}
