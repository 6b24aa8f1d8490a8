//! Which connections to servers plain requests may share.

use std::hash::{Hash, Hasher};

use crate::config::ServerAddress;
use crate::tls::ClientTls;
use crate::upstream::{Lease, ProxiedConnection, ProxyHeader};

/// What connections to servers have in common that plain requests may share: the address, how TLS is made, and
/// the client that a PROXY header has named, where servers get one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionKey {
    address: ServerAddress,
    tls: Option<ClientTls>,
    header: Option<ProxyHeader>,
}

impl ConnectionKey {
    pub(super) fn of(lease: &Lease, proxied: ProxiedConnection) -> Self {
        Self {
            address: lease.address().clone(),
            tls: lease.tls().cloned(),
            header: lease.proxy_header(proxied),
        }
    }
}

impl Hash for ConnectionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Two ways of TLS to one address are rare.
        (&self.address, self.header).hash(state);
    }
}
