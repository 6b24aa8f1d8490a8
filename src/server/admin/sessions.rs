//! `/sessions`: who is connected, and closing sessions.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::interface::Shared;
use super::library::{CloseCode, Identity, Network, Selection, SessionId, SessionInfo};
use super::metadata::SessionMetadata;
use crate::server::api::query::Query;
use crate::server::api::response::{Error, Json, Refusal, WrongQuery};
use crate::server::api::timestamp::timestamp;
use crate::server::api::value;

#[derive(Deserialize, IntoParams)]
pub(super) struct ListQuery {
    /// The name of a route.
    #[serde(default, deserialize_with = "value::name")]
    #[param(nullable = false)]
    route: Option<String>,
    /// The client's address, or a network such as 10.0.0.0/8.
    #[serde(default, deserialize_with = "value::network")]
    #[param(value_type = String, required = false)]
    client: Option<Network>,
    /// The name of an upstream.
    #[serde(default, deserialize_with = "value::name")]
    #[param(nullable = false)]
    upstream: Option<String>,
    /// The subject of clients' identities.
    #[serde(default, deserialize_with = "value::name")]
    #[param(nullable = false)]
    subject: Option<String>,
    /// The name of the issuer of clients' tokens.
    #[serde(default, deserialize_with = "value::name")]
    #[param(nullable = false)]
    issuer: Option<String>,
    /// The `jti` of a token.
    #[serde(default, deserialize_with = "value::name")]
    #[param(nullable = false)]
    token_id: Option<String>,
    /// Sessions on the page.
    #[serde(default = "page_size", deserialize_with = "value::page_size")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: usize,
    /// Only sessions with a higher id.
    #[serde(default, deserialize_with = "value::session")]
    after: u64,
}

#[derive(Deserialize, IntoParams)]
pub(super) struct CloseSessionsQuery {
    /// The name of a route.
    #[serde(default, deserialize_with = "value::name")]
    #[param(nullable = false)]
    route: Option<String>,
    /// The client's address, or a network such as 10.0.0.0/8.
    #[serde(default, deserialize_with = "value::network")]
    #[param(value_type = String, required = false)]
    client: Option<Network>,
    /// The name of an upstream.
    #[serde(default, deserialize_with = "value::name")]
    #[param(nullable = false)]
    upstream: Option<String>,
    /// The subject of clients' identities.
    #[serde(default, deserialize_with = "value::name")]
    #[param(nullable = false)]
    subject: Option<String>,
    /// The name of the issuer of clients' tokens.
    #[serde(default, deserialize_with = "value::name")]
    #[param(nullable = false)]
    issuer: Option<String>,
    /// The `jti` of a token.
    #[serde(default, deserialize_with = "value::name")]
    #[param(nullable = false)]
    token_id: Option<String>,
    /// `true` means every session, and goes with no other selection.
    #[serde(default, deserialize_with = "value::flag")]
    #[param(default = false)]
    all: bool,
    /// The close code for the client: 1000 to 1003, 1007 to 1014 or 3000 to 4999. By default 4403 where a
    /// user or a token is revoked, otherwise 1001.
    #[serde(default, deserialize_with = "value::optional_close_code")]
    #[param(value_type = u16, required = false)]
    code: Option<CloseCode>,
    /// The reason for the client, of at most 123 bytes. By default `access revoked` where a user or a token is
    /// revoked, otherwise `closed by an administrator`.
    #[serde(default, deserialize_with = "value::optional_close_reason")]
    #[param(value_type = String, required = false)]
    reason: Option<String>,
}

#[derive(Deserialize, IntoParams)]
pub(super) struct CloseQuery {
    /// The close code for the client: 1000 to 1003, 1007 to 1014 or 3000 to 4999.
    #[serde(default = "close_code", deserialize_with = "value::close_code")]
    #[param(value_type = u16, default = 1001)]
    code: CloseCode,
    /// The reason for the client, of at most 123 bytes.
    #[serde(default = "close_reason", deserialize_with = "value::close_reason")]
    #[param(default = "closed by an administrator")]
    reason: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Sessions {
    /// Oldest first.
    sessions: Vec<Session>,
    /// How many sessions the selection has.
    total: usize,
    /// The value of `after` for the next page; null on the last one.
    next: Option<u64>,
}

#[derive(Serialize, ToSchema)]
struct Session {
    #[serde(flatten)]
    metadata: SessionMetadata,
    /// When it ends; absent if its right to be there does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    expires: Option<String>,
    /// Who the client is; absent if no policy has found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    subject: Option<String>,
    /// Who has issued its token, by the name in the settings; absent without a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    issuer: Option<String>,
    /// The `jti` of its token; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_id: Option<String>,
    age_seconds: u64,
    /// For how long no data frame has passed, in either direction.
    idle_seconds: u64,
    messages_from_client: u64,
    bytes_from_client: u64,
    messages_from_upstream: u64,
    bytes_from_upstream: u64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Closed {
    /// How many sessions are being closed.
    closed: usize,
}

/// The sessions, page by page.
#[utoipa::path(get, path = "/sessions", operation_id = "listSessions", params(ListQuery),
    responses((status = 200, description = "A page.", body = Sessions), WrongQuery))]
pub(super) async fn list(
    State(interface): Shared,
    Query(query): Query<ListQuery>,
) -> Json<Sessions> {
    let selection = Selection {
        route: query.route,
        client: query.client,
        upstream: query.upstream,
        subject: query.subject,
        issuer: query.issuer,
        token_id: query.token_id,
    };
    let page = interface
        .handle
        .page(&selection, query.after.into(), query.limit);
    let last = page.sessions.last().map(|last| last.id.get());
    Json(Sessions {
        sessions: page.sessions.iter().map(Session::from).collect(),
        total: page.total,
        next: last.filter(|_| page.has_more),
    })
}

/// Closes every session of a selection, or all of them. By the subject or the token alone, with or without the
/// issuer, it also revokes: tokens that were issued until now are refused for a day.
#[utoipa::path(delete, path = "/sessions", operation_id = "closeSessions", params(CloseSessionsQuery),
    responses((status = 200, description = "They are being closed.", body = Closed), WrongQuery))]
pub(super) async fn close_selected(
    State(interface): Shared,
    Query(query): Query<CloseSessionsQuery>,
) -> Result<Json<Closed>, Refusal> {
    let selection = Selection {
        route: query.route,
        client: query.client,
        upstream: query.upstream,
        subject: query.subject,
        issuer: query.issuer,
        token_id: query.token_id,
    };
    let problem = match (selection.is_all(), query.all) {
        (true, true) | (false, false) => None,
        (true, false) => Some(
            "say which sessions, by route, client, upstream, subject, issuer or token_id, or all=true",
        ),
        (false, true) => Some("all=true means every session: leave the other keys out"),
    };
    if let Some(problem) = problem {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, problem));
    }
    let handle = &interface.handle;
    let revocation = selection.revocation();
    let has_frame = query.code.is_some() || query.reason.is_some();
    let code = query.code.unwrap_or(match revocation {
        Some(_) => CloseCode::FORBIDDEN,
        None => close_code(),
    });
    let mut closed = 0;
    if revocation.is_none() || has_frame {
        // The first close stands: the one of the revocation is then for sessions that come meanwhile.
        let reason = query.reason.unwrap_or_else(close_reason);
        closed = handle.close_selected(&selection, code, &reason);
    }
    match &revocation {
        Some(revocation) => {
            closed = closed.max(handle.revoke(revocation));
            tracing::info!(sessions = closed, %code, "access revoked through the admin interface");
        }
        None => {
            tracing::info!(sessions = closed, %code, "sessions closed through the admin interface");
        }
    }
    Ok(Json(Closed { closed }))
}

/// Closes one session.
#[utoipa::path(delete, path = "/sessions/{id}", operation_id = "closeSession",
    params(("id" = String, Path, description = "The number of a session."), CloseQuery),
    responses(
        (status = 204, description = "It is being closed."),
        WrongQuery,
        (status = 404, description = "There is no such session.", body = Error),
    ))]
pub(super) async fn close(
    State(interface): Shared,
    id: Result<Path<u64>, PathRejection>,
    Query(query): Query<CloseQuery>,
) -> Result<StatusCode, Refusal> {
    let (code, handle) = (query.code, &interface.handle);
    match id.map(|Path(id)| SessionId::from(id)) {
        Ok(id) if handle.close(id, code, &query.reason) => {
            tracing::info!(session = %id, %code, "session closed through the admin interface");
            Ok(StatusCode::NO_CONTENT)
        }
        _ => Err(Refusal::new(StatusCode::NOT_FOUND, "no such session")),
    }
}

fn page_size() -> usize {
    100
}

fn close_code() -> CloseCode {
    CloseCode::GOING_AWAY
}

fn close_reason() -> String {
    "closed by an administrator".to_owned()
}

impl From<&SessionInfo> for Session {
    fn from(info: &SessionInfo) -> Self {
        let identity = info.identity.as_deref();
        let known = |value: Option<&str>| value.map(str::to_owned);
        Self {
            metadata: info.into(),
            expires: info.expires.map(timestamp),
            subject: known(identity.map(Identity::subject)),
            issuer: known(identity.and_then(Identity::issuer)),
            token_id: known(identity.and_then(Identity::token_id)),
            age_seconds: info.age.as_secs(),
            idle_seconds: info.idle.as_secs(),
            messages_from_client: info.messages_from_client,
            bytes_from_client: info.bytes_from_client,
            messages_from_upstream: info.messages_from_upstream,
            bytes_from_upstream: info.bytes_from_upstream,
        }
    }
}
