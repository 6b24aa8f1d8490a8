//! The log lines of what goes wrong with an upstream's servers.

use std::error::Error;

use crate::chain::Chain;
use crate::sample::Sample;

/// Logs the failures of one upstream: each of them, until there are too many, and then a sample
/// with a count of what was left out. A dead server fails as fast as clients come back to it.
#[derive(Debug, Default)]
pub(super) struct Failures {
    sample: Sample,
}

impl Failures {
    /// Logs that this went wrong with a server of the upstream.
    pub(super) fn log(
        &self,
        upstream: &str,
        server: &str,
        what: &str,
        error: &(dyn Error + 'static),
    ) {
        if !self.sample.takes() {
            return;
        }
        self.report(upstream);
        tracing::warn!(
            upstream,
            server,
            error = %Chain(error),
            "{what}"
        );
    }

    /// Tells how many were left out since this was last told, if any.
    pub(super) fn report(&self, upstream: &str) {
        if let Some(left_out) = self.sample.take_left_out() {
            tracing::warn!(
                reason = "log_suppressed",
                upstream,
                left_out,
                "more failures of an upstream than are logged"
            );
        }
    }
}
