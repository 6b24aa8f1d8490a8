//! `GET /config`: what the process goes by.

use http::StatusCode;

use super::AdminService;
use super::answer::{Answer, answer_json};

pub(super) fn show(admin: &AdminService) -> Answer {
    answer_json(StatusCode::OK, &admin.inner.handle.resolved_settings())
}
