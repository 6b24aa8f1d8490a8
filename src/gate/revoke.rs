//! An operator takes the right away from sessions.

use std::time::SystemTime;

use tokio::time::Instant;

use crate::close::CloseReason;
use crate::pipeline::Core;
use crate::session::Revocation;
use crate::shared::Question;

impl Core {
    /// Closes the sessions that a revocation takes, and returns how many there are here. What was revoked is let in no more,
    /// by other gates either.
    pub(super) fn revoke(&self, revocation: &Revocation) -> usize {
        if self.shared.is_used() {
            self.shared.tell_all(question(revocation));
        }
        self.revoke_here(revocation)
    }

    /// The same on this gate alone.
    pub(super) fn revoke_here(&self, revocation: &Revocation) -> usize {
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

/// What other gates are to do.
fn question(revocation: &Revocation) -> Question {
    let (kind, issuer, value, issued_until) = revocation.parts();
    let since = issued_until.map(|moment| moment.duration_since(SystemTime::UNIX_EPOCH));
    let since = since.map(|since| since.unwrap_or_default().as_millis());
    Question::Revoke {
        kind: kind.to_owned(),
        issuer: issuer.map(str::to_owned),
        value: value.to_owned(),
        issued_until: since.map(|since| u64::try_from(since).unwrap_or(u64::MAX)),
    }
}
