//! A hint in the log, now and then.

use std::time::Duration;

use crate::log_throttle::LogThrottle;
use crate::request::ClientIdentity;

/// Warns of a peer that sends forwarding headers without being a trusted proxy.
///
/// It may be a client that forges its address, and then nothing is wrong. Or it is a load balancer
/// that is not listed, and then all its clients have its address and share its limits.
#[derive(Debug)]
pub(super) struct UntrustedHint {
    throttle: LogThrottle,
}

const INTERVAL: Duration = Duration::from_secs(60);

impl UntrustedHint {
    /// Looks at a request with such a header. Only the header's name is logged.
    pub(super) fn look(&self, client: &ClientIdentity, header: Option<&'static str>) {
        if client.trusted.is_some() {
            return;
        }
        let Some(header) = header.filter(|_| self.throttle.allows()) else {
            return;
        };
        let left_out = self.throttle.take_suppressed();
        tracing::warn!(
            reason = "untrusted_xff",
            peer = %client.peer,
            header,
            left_out = left_out.map(|count| count.get()),
            "a forwarding header was ignored: if the peer is a proxy of yours, list it in \
             client_ip.trusted_proxies, or all its clients count as one"
        );
    }
}

impl Default for UntrustedHint {
    fn default() -> Self {
        Self {
            throttle: LogThrottle::one_in(INTERVAL),
        }
    }
}
