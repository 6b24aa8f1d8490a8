//! What sessions and events are about.

use http::Version;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::Object;

use super::library::SessionInfo;
use crate::server::api::schema::one_of;
use crate::server::api::timestamp::timestamp;

/// The part that an entry of the list of sessions and the data of an event have in common.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionMetadata {
    /// Its number in this process, as in the log.
    id: u64,
    /// Its name among all gates, for those who publish to it.
    name: String,
    route: String,
    /// The client's address, behind trusted proxies.
    client: String,
    /// The address and port of the socket, or `unix`.
    peer: String,
    /// The version of TLS of the client's connection, such as 1.3; null without TLS.
    tls: Option<&'static str>,
    /// The version of HTTP in which the client opened it.
    #[schema(schema_with = http_versions)]
    http_version: &'static str,
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
            name: session.name.to_string(),
            route: session.route.to_string(),
            client: session.client.to_string(),
            peer: session.peer.to_string(),
            tls: session.tls,
            http_version: http_version(session.http_version),
            upstream: session.upstream.to_string(),
            server: session.server.to_string(),
            opened: timestamp(session.opened),
        }
    }
}

/// HTTP/1.1 and 1.0 are `h1`, as in the log and in the settings.
pub(super) fn http_version(version: Version) -> &'static str {
    match version < Version::HTTP_2 {
        true => "h1",
        false => "h2",
    }
}

pub(super) fn http_versions() -> Object {
    one_of(HTTP_VERSIONS)
}

pub(super) const HTTP_VERSIONS: [&str; 2] = ["h1", "h2"];
