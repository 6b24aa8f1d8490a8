//! `POST /drain`.

use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use http::StatusCode;
use serde_json::json;

use super::AdminService;
use super::answer::{Answer, answer_json};

pub(super) fn drain(admin: &AdminService) -> Answer {
    let inner = &admin.inner;
    if !inner.drain_asked.swap(true, Ordering::Relaxed) {
        tracing::info!("drain asked for through the admin interface");
        let (handle, deadline) = (inner.handle.clone(), inner.handle.drain_deadline());
        let mut drain = Box::pin(async move {
            handle.drain(deadline).await;
        });
        // It begins before the answer does: whoever has that finds the gate not ready.
        if (&mut drain).now_or_never().is_none() {
            inner.tasks.spawn(drain);
        }
    }
    let sessions = inner.handle.open_sessions();
    answer_json(
        StatusCode::ACCEPTED,
        &json!({ "draining": true, "sessions": sessions }),
    )
}
