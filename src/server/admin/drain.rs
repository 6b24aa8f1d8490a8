//! `POST /drain`.

use std::sync::atomic::Ordering;

use axum::extract::State;
use futures_util::FutureExt;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::interface::Shared;
use crate::server::api::query::{NoKeys, Query};
use crate::server::api::response::{Json, WrongQuery};

#[derive(Serialize, ToSchema)]
pub(super) struct Draining {
    draining: bool,
    /// Sessions that are open.
    sessions: usize,
}

/// Closes every session, and admits no new ones.
#[utoipa::path(post, path = "/drain", operation_id = "drain",
    responses((status = 202, description = "The drain has begun.", body = Draining), WrongQuery))]
pub(super) async fn drain(
    State(interface): Shared,
    _: Query<NoKeys>,
) -> (StatusCode, Json<Draining>) {
    if !interface.drain_requested.swap(true, Ordering::Relaxed) {
        tracing::info!("drain requested through the admin interface");
        let handle = interface.handle.clone();
        let deadline = handle.drain_deadline();
        let mut drain = Box::pin(async move {
            handle.drain(deadline).await;
        });
        // It begins before the response does, so that its reader finds the gate not ready.
        if (&mut drain).now_or_never().is_none() {
            interface.tasks.spawn(drain);
        }
    }
    let draining = Draining {
        draining: true,
        sessions: interface.handle.open_sessions(),
    };
    (StatusCode::ACCEPTED, Json(draining))
}
