//! `/sessions`: who is connected, and sending them away.

use http::StatusCode;
use serde_json::{Value, json};

use super::AdminService;
use super::answer::{Answer, answer_json, error, no_content};
use super::query::{BadQuery, Query};
use super::router::Asked;
use super::timestamp::timestamp;
use crate::proxy::{Selection, SessionInfo};
use crate::types::SessionId;

/// Sessions on a page of the list, where nothing is said.
const PAGE: u64 = 100;

/// The most of them: an answer is made at once, and the worker has sessions to serve meanwhile.
const LONGEST_PAGE: u64 = 1000;

/// `GET /sessions`
pub(super) fn list(admin: &AdminService, asked: &Asked<'_>) -> Result<Answer, BadQuery> {
    let query = &asked.query;
    let selection = selection(query)?;
    let form = "a number from 1 to 1000";
    let most = query.number("limit", 1..=LONGEST_PAGE, form)?;
    let most = usize::try_from(most.unwrap_or(PAGE)).unwrap_or(usize::MAX);
    let after = query.number("after", 0..=u64::MAX, "the id of a session")?;
    let after = SessionId::from(after.unwrap_or(0));
    let page = admin.inner.handle.page(&selection, after, most);
    let last = page.sessions.last().map(|last| last.id.get());
    let sessions: Vec<_> = page.sessions.iter().map(describe).collect();
    let answer = json!({
        "sessions": sessions,
        "total": page.total,
        "next": last.filter(|_| page.has_more),
    });
    Ok(answer_json(StatusCode::OK, &answer))
}

/// `DELETE /sessions/ID`
pub(super) fn close(admin: &AdminService, asked: &Asked<'_>) -> Result<Answer, BadQuery> {
    let (code, reason) = asked.query.farewell()?;
    let id = asked.segments.first().and_then(|id| id.parse::<u64>().ok());
    let handle = &admin.inner.handle;
    Ok(match id.map(SessionId::from) {
        Some(id) if handle.close(id, code, reason) => {
            tracing::info!(session = %id, %code, "session closed through the admin interface");
            no_content()
        }
        _ => error(StatusCode::NOT_FOUND, "no such session"),
    })
}

/// `DELETE /sessions`
pub(super) fn close_selected(admin: &AdminService, asked: &Asked<'_>) -> Result<Answer, BadQuery> {
    let query = &asked.query;
    let selection = selection(query)?;
    match (selection.is_all(), query.flag("all")?) {
        (true, true) | (false, false) => {}
        (true, false) => {
            let which = "say which sessions, by route, client or upstream, or all=true";
            return Err(BadQuery::Together(which));
        }
        (false, true) => {
            let which = "all=true means every session: leave route, client and upstream out";
            return Err(BadQuery::Together(which));
        }
    }
    let (code, reason) = query.farewell()?;
    let closed = admin.inner.handle.close_selected(&selection, code, reason);
    tracing::info!(sessions = closed, %code, "sessions closed through the admin interface");
    Ok(answer_json(StatusCode::OK, &json!({ "closed": closed })))
}

fn selection(query: &Query) -> Result<Selection, BadQuery> {
    Ok(Selection {
        route: query.name("route")?,
        client: query.network("client")?,
        upstream: query.name("upstream")?,
    })
}

/// One session of the list.
fn describe(session: &SessionInfo) -> Value {
    json!({
        "id": session.id.get(),
        "route": &*session.route,
        "client": session.client,
        "peer": session.peer.to_string(),
        "upstream": &*session.upstream,
        "server": &*session.server,
        "opened": timestamp(session.opened),
        "age_seconds": session.age.as_secs(),
        "idle_seconds": session.idle.as_secs(),
        "messages_from_client": session.messages_from_client,
        "bytes_from_client": session.bytes_from_client,
        "messages_from_upstream": session.messages_from_upstream,
        "bytes_from_upstream": session.bytes_from_upstream,
    })
}
