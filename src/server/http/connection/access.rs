//! Who may connect by a listener, and the end of the connections that others could open.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use crate::tls::ServerTls;

/// Who may connect by a listener. The connections that came by it share it until a reload changes that, whatever else
/// reloads change.
#[derive(Debug)]
pub(crate) struct Access {
    /// None if the listener requests no client certificate.
    verified: Option<VerifiedClients>,
    /// Closes all connections that were opened under this.
    closing: OnceLock<CancellationToken>,
    is_over: AtomicBool,
}

/// Clients that show certificates.
#[derive(Debug, PartialEq, Eq)]
struct VerifiedClients {
    /// The authorities, as the file has them.
    ca: Vec<u8>,
    is_required: bool,
}

impl Access {
    /// As this TLS has it; without TLS everybody may connect.
    pub(super) fn of(tls: Option<&ServerTls>) -> Self {
        let verified = tls.and_then(ServerTls::verified_clients);
        Self {
            verified: verified.map(|(ca, is_required)| VerifiedClients {
                ca: ca.to_vec(),
                is_required,
            }),
            closing: OnceLock::new(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Whether the same clients may connect.
    pub(super) fn admits_as(&self, other: &Self) -> bool {
        self.verified == other.verified
    }

    /// What ends the connections of this: with the token of their listener, and when others may connect.
    pub(crate) fn closing(&self, listener: &CancellationToken) -> CancellationToken {
        let closing = self.closing.get_or_init(|| listener.child_token());
        closing.clone()
    }

    /// Others may connect from now on. The connections of this take no further request, and their sessions stay.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        self.closing.get_or_init(CancellationToken::new).cancel();
    }

    /// Whether others may connect by now.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_comes_behind_the_end_is_closed_at_once() {
        let (access, listener) = (Access::of(None), CancellationToken::new());
        access.end();
        assert!(access.closing(&listener).is_cancelled());
        assert!(!listener.is_cancelled());
    }

    #[test]
    fn a_listener_that_goes_closes_its_connections_and_ends_no_access() {
        let (access, listener) = (Access::of(None), CancellationToken::new());
        let closing = access.closing(&listener);
        listener.cancel();
        assert!(closing.is_cancelled() && !access.is_over());
    }
}
