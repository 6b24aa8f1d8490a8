//! `/sessions`: who is connected, and sending them away.

use http::StatusCode;
use serde_json::{Value, json};

use super::AdminService;
use super::answer::{Answer, answer_json, error, no_content};
use super::router::Asked;
use crate::close::CloseCode;
use crate::proxy::SessionInfo;
use crate::types::SessionId;

pub(super) fn list(admin: &AdminService, _: &Asked<'_>) -> Answer {
    let sessions: Vec<_> = admin.inner.handle.sessions().iter().map(describe).collect();
    answer_json(StatusCode::OK, &json!({ "sessions": sessions }))
}

pub(super) fn close(admin: &AdminService, asked: &Asked<'_>) -> Answer {
    let id = asked.segments.first().and_then(|id| id.parse::<u64>().ok());
    let reason = "closed by an administrator";
    let handle = &admin.inner.handle;
    match id.map(SessionId::from) {
        Some(id) if handle.close(id, CloseCode::GOING_AWAY, reason) => {
            tracing::info!(session = %id, "session closed through the admin interface");
            no_content()
        }
        _ => error(StatusCode::NOT_FOUND, "no such session"),
    }
}

/// One session of the list.
fn describe(session: &SessionInfo) -> Value {
    json!({
        "id": session.id.get(),
        "route": &*session.route,
        "client": session.client,
        "upstream": &*session.upstream,
        "server": &*session.server,
        "age_seconds": session.age.as_secs(),
        "messages_from_client": session.messages_from_client,
        "bytes_from_client": session.bytes_from_client,
        "messages_from_upstream": session.messages_from_upstream,
        "bytes_from_upstream": session.bytes_from_upstream,
    })
}
