//! TLS with clients of an interface.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::library::{ErrorReport, TlsAcceptor, Transport};
use super::places::Place;
use crate::server::http::last_answer::plain_on_tls;

/// From accept to the end of the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// For so long a client without TLS may take to read its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The connection after its TLS handshake; none if it ends here. The socket's peer is told why, as far as it can
/// understand it.
pub(super) async fn secured(
    acceptor: &TlsAcceptor,
    socket: Transport,
    place: &Place,
    closing: &CancellationToken,
    interface: &str,
) -> Option<Transport> {
    let accepted = tokio::select! {
        biased;
        () = closing.cancelled() => return None,
        () = place.evicted() => return None,
        accepted = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket)) => accepted.ok()?,
    };
    match accepted {
        Ok(secured) => Some(secured.socket),
        Err(error) => {
            tracing::debug!(error = %ErrorReport(&error), "{interface} connection not opened");
            if let Some(socket) = error.into_plain_socket() {
                let _client_is_gone_or_late = timeout(ANSWER_TIMEOUT, refuse(socket)).await;
            }
            None
        }
    }
}

/// Answers a request without TLS, and reads the rest of it: unread bytes would reset the connection.
async fn refuse(mut socket: Transport) {
    let mut rest = [0; 1024];
    let sent = socket.write_all(plain_on_tls().as_bytes()).await;
    if sent.is_ok() && socket.shutdown().await.is_ok() {
        while matches!(socket.read(&mut rest).await, Ok(1..)) {}
    }
}
