//! Whether a request is let in: by the policies of its route, and by what was revoked.

use tokio::time::Instant;

use super::core::Core;
use super::refusal::Refusal;
use super::snapshot::Snapshot;
use crate::policy::Places;
use crate::rejection::{Rejection, TokenFault};
use crate::request::{Handshake, Identity};

/// Lets a request in by every policy of its route, unless what it has shown was revoked.
pub(super) async fn admit(
    core: &Core,
    settings: &Snapshot,
    handshake: &mut Handshake,
) -> Result<Places, Refusal> {
    let policies = settings.policies(handshake.settings());
    let admitted = policies.admit(handshake, &settings.rates).await;
    let name = &handshake.settings().name;
    let places = admitted.map_err(|refusal| Refusal::by_policy(name, refusal, &settings.config))?;
    match handshake.identity() {
        Some(identity) if core.is_revoked(identity) => {
            Err(Refusal::on(name, Rejection::Token(TokenFault::Revoked)))
        }
        Some(_) | None => Ok(places),
    }
}

impl Core {
    /// Whether the right of this client was taken away.
    pub(super) fn is_revoked(&self, identity: &Identity) -> bool {
        self.revocations.is_revoked(identity, Instant::now())
    }
}
