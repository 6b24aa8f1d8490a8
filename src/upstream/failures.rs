//! What goes wrong with an upstream's servers: the log lines, and the counts.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error_report::ErrorReport;
use crate::log_throttle::LogThrottle;
use crate::rejection::Rejection;

/// What went wrong with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerFailure {
    /// This machine could not connect to any server, which is not counted as a failure of this one.
    NotAttempted,
    /// It did not take the connection.
    Connect,
    /// It took the connection, and gave no right answer to the handshake.
    Handshake,
    /// It gave no right answer to a plain request, or not all of one.
    Plain,
}

/// Why an upstream gives no session, or no response.
#[derive(Debug)]
pub(crate) struct UpstreamError {
    /// The answer to the client.
    pub(crate) rejection: Rejection,
    /// What is logged with it.
    pub(crate) fault: Option<ServerFault>,
}

/// The server that was at fault.
#[derive(Debug)]
pub(crate) struct ServerFault {
    pub(crate) upstream: Arc<str>,
    pub(crate) server: Arc<str>,
    /// Down to its last cause, in one line.
    pub(crate) error: Option<String>,
}

impl From<Rejection> for UpstreamError {
    /// No server is at fault.
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            fault: None,
        }
    }
}

/// Logs the failures of one upstream after which the handshake went on to another server: all of
/// them, until there are too many, and then some with a count of the rest. A dead server fails as
/// fast as clients come back to it.
#[derive(Debug, Default)]
pub(super) struct FailureLog {
    throttle: LogThrottle,
    counts: Arc<FailureCounts>,
}

/// How often the servers of all upstreams failed. It outlives their pools, so that no count is
/// lost with one.
#[derive(Debug, Default)]
pub(crate) struct FailureCounts {
    servers: Mutex<ByServer>,
    left_out: AtomicU64,
}

/// By the names of upstream and server.
pub(crate) type ByServer = BTreeMap<(Arc<str>, Arc<str>), ServerFailures>;

/// How often one server failed, in each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerFailures {
    pub(crate) connects: u64,
    pub(crate) handshakes: u64,
    pub(crate) plain_requests: u64,
}

impl FailureLog {
    pub(super) fn new(counts: Arc<FailureCounts>) -> Self {
        let throttle = LogThrottle::default();
        Self { throttle, counts }
    }

    /// Counts that this went wrong with a server of the upstream.
    pub(super) fn count(&self, upstream: &Arc<str>, server: &Arc<str>, failure: ServerFailure) {
        self.counts.add(upstream, server, failure);
    }

    /// Counts that this went wrong with a server of the upstream, and logs it in these words.
    pub(super) fn log(
        &self,
        upstream: &Arc<str>,
        server: &Arc<str>,
        failure: ServerFailure,
        message: &str,
        error: &(dyn Error + 'static),
    ) {
        self.counts.add(upstream, server, failure);
        if !self.throttle.allows() {
            self.counts.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.report(upstream);
        tracing::warn!(
            upstream = &**upstream,
            server = &**server,
            error = %ErrorReport(error),
            "{message}"
        );
    }

    /// Logs how many were left out since the last call, if any.
    pub(super) fn report(&self, upstream: &str) {
        if let Some(left_out) = self.throttle.take_suppressed() {
            tracing::warn!(
                reason = "log_suppressed",
                upstream,
                left_out,
                "more failures of an upstream than are logged"
            );
        }
    }
}

impl FailureCounts {
    fn add(&self, upstream: &Arc<str>, server: &Arc<str>, failure: ServerFailure) {
        let server = (Arc::clone(upstream), Arc::clone(server));
        // A count is whole at every moment, whatever panicked elsewhere.
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = servers.entry(server).or_default();
        match failure {
            ServerFailure::NotAttempted => {}
            ServerFailure::Connect => failed.connects += 1,
            ServerFailure::Handshake => failed.handshakes += 1,
            ServerFailure::Plain => failed.plain_requests += 1,
        }
    }

    /// The counts of every server that ever failed.
    pub(crate) fn by_server(&self) -> ByServer {
        let servers = self.servers.lock();
        servers.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many failures have no line in the log.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_failure_is_counted_whether_or_not_it_is_logged() {
        let counts = Arc::new(FailureCounts::default());
        let (a, b) = ("a".into(), "b".into());
        let error = io::Error::other("gone");
        // A pool that took the place of another one goes on counting where that stopped.
        for _ in 0..2 {
            let failures = FailureLog::new(Arc::clone(&counts));
            for _ in 0..150 {
                failures.log(&a, &b, ServerFailure::Connect, "lost", &error);
            }
        }
        let failures = FailureLog::new(Arc::clone(&counts));
        failures.count(&a, &a, ServerFailure::Handshake);
        failures.log(&a, &a, ServerFailure::Plain, "lost", &error);
        assert_eq!(counts.left_out(), 2 * (150 - 100));
        let one = |connects, handshakes, plain_requests| ServerFailures {
            connects,
            handshakes,
            plain_requests,
        };
        let expected = [
            ((a.clone(), a.clone()), one(0, 1, 1)),
            ((a, b), one(300, 0, 0)),
        ];
        assert_eq!(counts.by_server(), expected.into());
    }
}
