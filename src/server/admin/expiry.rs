//! `PATCH /sessions/ID`: when the right to a session ends.

use std::time::SystemTime;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::interface::Shared;
use super::library::SessionId;
use crate::server::api::body::{Described, JsonBody, WrongBody};
use crate::server::api::query::{NoKeys, Query};
use crate::server::api::response::{Error, Refusal};
use crate::server::api::timestamp::{self, timestamp};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionChange {
    /// When the session ends, in RFC 3339; null is never. A moment that has passed ends it now.
    #[serde(deserialize_with = "timestamp::optional")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<SystemTime>,
}

impl Described for SessionChange {
    const FORM: &'static str = "an object with the one key `expires`: a time of RFC 3339 such as \
                                \"2026-07-01T12:00:00Z\", or null";
}

/// Changes when a session ends.
#[utoipa::path(patch, path = "/sessions/{id}", operation_id = "changeSession",
    params(("id" = String, Path, description = "The number of a session.")),
    request_body = SessionChange,
    responses(
        (status = 204, description = "It ends then."),
        WrongBody,
        (status = 404, description = "There is no such session.", body = Error),
    ))]
pub(super) async fn change(
    State(interface): Shared,
    id: Result<Path<u64>, PathRejection>,
    _: Query<NoKeys>,
    JsonBody(change): JsonBody<SessionChange>,
) -> Result<StatusCode, Refusal> {
    let handle = &interface.handle;
    match id.map(|Path(id)| SessionId::from(id)) {
        Ok(id) if handle.set_expiry(id, change.expires) => {
            let expires = change.expires.map(timestamp);
            let expires = expires.as_deref().unwrap_or("never");
            tracing::info!(session = %id, expires, "expiry of a session set through the admin interface");
            Ok(StatusCode::NO_CONTENT)
        }
        _ => Err(Refusal::new(StatusCode::NOT_FOUND, "no such session")),
    }
}
