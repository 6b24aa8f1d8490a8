//! What monitoring reads: is the process ready, what has it counted. A query is not
//! looked at, because a load balancer may write there what it likes.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::interface::Shared;
use super::{exposition, metrics};
use crate::server::api::response::{Json, with_type};

#[derive(Serialize, ToSchema)]
pub(super) struct Ready {
    ready: bool,
}

/// Whether the gate takes new sessions.
#[utoipa::path(get, path = "/readyz", operation_id = "ready", security(),
    responses(
        (status = 200, description = "It does.", body = Ready),
        (status = 503, description = "It is draining.", body = Ready),
    ))]
pub(super) async fn ready(State(interface): Shared) -> (StatusCode, Json<Ready>) {
    let ready = interface.handle.is_ready();
    let status = match ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(Ready { ready }))
}

/// All counts, for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics",
    responses((status = 200, description = "In the text format, 0.0.4.", body = String)))]
pub(super) async fn metrics(State(interface): Shared) -> Response {
    with_type(exposition::CONTENT_TYPE, metrics::text(&interface))
}
