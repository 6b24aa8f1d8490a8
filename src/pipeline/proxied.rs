//! What a handshake or a plain request says of its client's connection.

use crate::request::Handshake;
use crate::types::LocalAddr;
use crate::upstream::ProxiedConnection;

/// The connection of this client, for a server that gets a PROXY header.
pub(super) fn proxied_connection(handshake: &Handshake) -> ProxiedConnection {
    let local = handshake.extensions().get::<LocalAddr>();
    ProxiedConnection {
        source: handshake.client_identity().address(),
        destination: local.map(|LocalAddr(address)| *address),
    }
}
