//! What sessions and events are about.

use serde::Serialize;
use utoipa::ToSchema;

use super::library::SessionInfo;
use super::timestamp::timestamp;

/// The part that an entry of the list of sessions and the data of an event have in common.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionMetadata {
    /// Its number in this process, as in the log.
    id: u64,
    route: String,
    /// The client's address, behind trusted proxies.
    client: String,
    /// The address and port of the socket, or `unix`.
    peer: String,
    /// The version of TLS of the client's connection, such as 1.3; null without TLS.
    tls: Option<&'static str>,
    upstream: String,
    /// The server, as the settings write it.
    server: String,
    /// When it was opened.
    #[schema(format = DateTime)]
    opened: String,
}

impl From<&SessionInfo> for SessionMetadata {
    fn from(session: &SessionInfo) -> Self {
        Self {
            id: session.id.get(),
            route: session.route.to_string(),
            client: session.client.to_string(),
            peer: session.peer.to_string(),
            tls: session.tls,
            upstream: session.upstream.to_string(),
            server: session.server.to_string(),
            opened: timestamp(session.opened),
        }
    }
}
