//! What those ask who only watch: is it alive, is it ready, what has it counted.

use http::StatusCode;
use serde_json::json;

use super::answer::{Answer, answer, answer_json};
use super::{AdminService, exposition, metrics};
use crate::server::process::Process;

pub(super) fn alive() -> Answer {
    answer_json(StatusCode::OK, &json!({"alive": true}))
}

pub(super) fn ready(admin: &AdminService) -> Answer {
    let ready = admin.inner.handle.is_ready();
    let status = match ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    answer_json(status, &json!({ "ready": ready }))
}

pub(super) fn metrics(admin: &AdminService) -> Answer {
    let inner = &admin.inner;
    let of_program = metrics::Program {
        connections_open: inner.connections.len(),
        connections_closed: inner.room.counts(),
        reloads: inner.reload_counts.counted(),
        process: Process::look(inner.started),
    };
    let text = metrics::text(&inner.handle.metrics(), &of_program);
    answer(StatusCode::OK, exposition::CONTENT_TYPE, text)
}
