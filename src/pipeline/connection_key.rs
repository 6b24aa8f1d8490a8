//! Which connections to servers plain requests may share.

use std::hash::{Hash, Hasher};

use crate::config::ServerAddress;
use crate::tls::ClientTls;
use crate::upstream::Lease;

/// What connections to servers have in common that plain requests may share: the address, and how TLS is
/// made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionKey {
    address: ServerAddress,
    tls: Option<ClientTls>,
}

impl ConnectionKey {
    pub(super) fn of(lease: &Lease) -> Self {
        Self {
            address: lease.address().clone(),
            tls: lease.tls().cloned(),
        }
    }
}

impl Hash for ConnectionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Two ways of TLS to one address are rare.
        self.address.hash(state);
    }
}
