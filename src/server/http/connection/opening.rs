//! What comes before the first request of a connection: who its client is.

use std::sync::Arc;

use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use super::end::{End, Limits};
use crate::config::ProxyProtocol;
use crate::server::http::limiter::ConnectionPermit;
use crate::server::listener::proxy_header::{self, Client, ProxyHeaderError};
use crate::{ClientAddr, Gate, Transport};

/// Finds the client of a new connection within the time for its first head; none if the connection ends here.
/// A connection that ends is counted, and logged where it was wrong.
pub(super) async fn open(
    socket: &mut Transport,
    peer: ClientAddr,
    proxies: Arc<ProxyProtocol>,
    permit: &ConnectionPermit,
    limits: &Limits,
    gate: &Gate,
    closing: &CancellationToken,
) -> Option<Client> {
    if *proxies == ProxyProtocol::Off {
        return Some(Client::of(peer));
    }
    let state = permit.state();
    let deadline = state.idle_since() + limits.head.handshake_timeout;
    let read = tokio::select! {
        biased;
        () = closing.cancelled() => return None,
        () = state.evicted() => {
            End::evicted(false).count(permit.limiter());
            return None;
        }
        read = timeout_at(deadline, proxy_header::read(&proxies, socket, peer)) => read,
    };
    let reason = match read {
        Ok(Ok(client)) => return Some(client),
        Err(_late) => {
            End::Silent.count(permit.limiter());
            return None;
        }
        // Checks of a load balancer connect and go.
        Ok(Err(ProxyHeaderError::Ended(_))) => return None,
        Ok(Err(ProxyHeaderError::UnknownPeer)) => "proxy_denied",
        Ok(Err(ProxyHeaderError::Malformed)) => "bad_proxy_header",
    };
    gate.handle().report_malformed(peer, reason);
    None
}
