//! An operator takes the right away from sessions.

use tokio::time::Instant;

use crate::close::CloseReason;
use crate::pipeline::Core;
use crate::session::Revocation;

impl Core {
    /// Closes the sessions that a revocation takes, and returns how many there are. What was revoked is
    /// let in no more.
    pub(super) fn revoke(&self, revocation: &Revocation) -> usize {
        // Before the search: a handshake on its way is registered before it looks here.
        let wall = self.registry.wall_clock().now();
        let now = Instant::now();
        self.revocations.add(revocation, wall, now);
        let mut entries = self.registry.list();
        entries.retain(|entry| {
            let identity = entry.metadata.identity.as_deref();
            identity.is_some_and(|identity| revocation.takes(identity))
        });
        // The clock of an issuer may be ahead, and the token of a session that is closed must not come back.
        let issued = entries.iter().filter_map(|entry| {
            let identity = entry.metadata.identity.as_deref();
            identity.and_then(|identity| identity.issued_at())
        });
        if let Some(latest) = issued.max().filter(|latest| *latest > wall) {
            self.revocations.add(revocation, latest, now);
        }
        for entry in &entries {
            entry.request_close(CloseReason::Revoked);
        }
        entries.len()
    }
}
