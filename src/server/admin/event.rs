//! The data of events.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::Object;

use super::library::{CloseCode, Closed, Event, Forwarded, RecordedEvent, RequestKind};
use super::metadata::{HTTP_VERSIONS, SessionMetadata, http_version, http_versions};
use crate::server::api::schema::{one_of, one_of_or_null};
use crate::server::api::timestamp::timestamp;

/// The data of an event `open`.
#[derive(Serialize, ToSchema)]
pub(super) struct OpenEvent {
    /// When it happened.
    #[schema(format = DateTime)]
    time: String,
    #[serde(flatten)]
    session: SessionMetadata,
}

/// The data of an event `close`.
#[derive(Serialize, ToSchema)]
pub(super) struct CloseEvent {
    /// When it happened.
    #[schema(format = DateTime)]
    time: String,
    #[serde(flatten)]
    session: SessionMetadata,
    duration_ms: u64,
    messages_from_client: u64,
    bytes_from_client: u64,
    messages_from_upstream: u64,
    bytes_from_upstream: u64,
    #[schema(schema_with = closed_by)]
    closed_by: &'static str,
    /// The close code that the client has, if it has one.
    code: Option<u16>,
    /// The word that the log has for it.
    reason: &'static str,
}

/// The data of an event `reject`.
#[derive(Serialize, ToSchema)]
pub(super) struct RejectEvent {
    /// When it happened.
    #[schema(format = DateTime)]
    time: String,
    /// The word that the log has for it.
    reason: &'static str,
    status: Option<u16>,
    /// Whether it is a handshake; none where not even the head could be read.
    #[schema(schema_with = kind)]
    kind: Option<&'static str>,
    route: Option<String>,
    method: Option<String>,
    /// Without the query.
    path: Option<String>,
    /// The header that it was refused for.
    header: Option<String>,
    /// The key of the rule that refused it, in the table of its route.
    rule: Option<&'static str>,
    /// The line of that rule in the file of settings.
    line: Option<usize>,
    client: Option<String>,
    peer: Option<String>,
    /// The version of HTTP that the client speaks; null where not even the head could be read.
    #[schema(schema_with = http_versions_or_null)]
    http_version: Option<&'static str>,
    upstream: Option<String>,
    server: Option<String>,
    error: Option<String>,
}

/// The data of an event `forward`.
#[derive(Serialize, ToSchema)]
pub(super) struct ForwardEvent {
    /// When it happened.
    #[schema(format = DateTime)]
    time: String,
    /// The word that the log has for it.
    reason: &'static str,
    /// The status that the client got, if it got one.
    status: Option<u16>,
    route: String,
    method: String,
    /// Without the query.
    path: String,
    client: String,
    peer: String,
    /// The version of TLS of the client's connection, such as 1.3; null without TLS.
    tls: Option<&'static str>,
    /// The version of HTTP that the client speaks.
    #[schema(schema_with = http_versions)]
    http_version: &'static str,
    upstream: String,
    server: Option<String>,
    duration_ms: u64,
    /// Until the head of the response.
    response_head_ms: Option<u64>,
    bytes_from_client: u64,
    bytes_from_upstream: u64,
    error: Option<String>,
}

/// The data of an event `lost`: so many events were lost here.
#[derive(Serialize, ToSchema)]
pub(super) struct LostEvent {
    #[schema(minimum = 1)]
    count: u64,
}

/// The data of an event in JSON, of the schema that its kind has.
pub(super) fn data(recorded: &RecordedEvent) -> serde_json::Result<String> {
    let time = timestamp(recorded.time);
    match &recorded.event {
        Event::Opened(opened) => serde_json::to_string(&OpenEvent {
            time,
            session: (&opened.session).into(),
        }),
        Event::Closed(closed) => serde_json::to_string(&CloseEvent::new(time, closed)),
        Event::Refused(refused) => serde_json::to_string(&RejectEvent {
            time,
            reason: refused.reason,
            status: refused.status.map(|status| status.as_u16()),
            kind: refused.kind.map(RequestKind::as_str),
            route: text(&refused.route),
            method: refused.method.clone(),
            path: refused.path.clone(),
            header: refused.header.clone(),
            rule: refused.rule,
            line: refused.line,
            client: text(&refused.client),
            peer: text(&refused.peer),
            http_version: refused.http_version.map(http_version),
            upstream: text(&refused.upstream),
            server: text(&refused.server),
            error: refused.error.clone(),
        }),
        Event::Forwarded(forwarded) => serde_json::to_string(&ForwardEvent::new(time, forwarded)),
        // Nobody can subscribe to these.
        Event::Abandoned { .. } => Ok("{}".to_owned()),
    }
}

impl ForwardEvent {
    fn new(time: String, forwarded: &Forwarded) -> Self {
        Self {
            time,
            reason: forwarded.reason,
            status: forwarded.status.map(|status| status.as_u16()),
            route: forwarded.route.to_string(),
            method: forwarded.method.clone(),
            path: forwarded.path.clone(),
            client: forwarded.client.to_string(),
            peer: forwarded.peer.to_string(),
            tls: forwarded.tls,
            http_version: http_version(forwarded.http_version),
            upstream: forwarded.upstream.to_string(),
            server: text(&forwarded.server),
            duration_ms: milliseconds(forwarded.duration),
            response_head_ms: forwarded.response_head.map(milliseconds),
            bytes_from_client: forwarded.bytes_from_client,
            bytes_from_upstream: forwarded.bytes_from_upstream,
            error: forwarded.error.clone(),
        }
    }
}

impl CloseEvent {
    fn new(time: String, closed: &Closed) -> Self {
        let session = &closed.session;
        Self {
            time,
            session: session.into(),
            duration_ms: milliseconds(session.age),
            messages_from_client: session.messages_from_client,
            bytes_from_client: session.bytes_from_client,
            messages_from_upstream: session.messages_from_upstream,
            bytes_from_upstream: session.bytes_from_upstream,
            closed_by: closed.closed_by,
            code: closed.code.map(CloseCode::get),
            reason: closed.reason,
        }
    }
}

/// The data of an event `lost`.
pub(super) fn lost(count: u64) -> serde_json::Result<String> {
    serde_json::to_string(&LostEvent { count })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn text(value: &Option<impl ToString>) -> Option<String> {
    value.as_ref().map(ToString::to_string)
}

fn closed_by() -> Object {
    one_of(["client", "upstream", "gate"])
}

fn http_versions_or_null() -> Object {
    one_of_or_null(HTTP_VERSIONS)
}

fn kind() -> Object {
    one_of_or_null(["websocket", "plain"])
}
