//! Whether the process is alive. A query is not looked at, because a load balancer may write there what it likes.

use serde::Serialize;
use utoipa::ToSchema;

use super::response::Json;

#[derive(Serialize, ToSchema)]
pub(crate) struct Alive {
    alive: bool,
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/healthz", operation_id = "alive", security(),
    responses((status = 200, description = "It is alive.", body = Alive)))]
pub(crate) async fn alive() -> Json<Alive> {
    Json(Alive { alive: true })
}
