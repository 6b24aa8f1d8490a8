//! The interface as OpenAPI 3.1 describes it, but for what the handlers and their types say.

use utoipa::openapi::OpenApi;

use super::batch::{Line, RefusedLine};
use super::publications::Outcome;
use crate::server::api::openapi::{self, Words};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "wsgate publish interface",
        description = "What an application does with the sessions of a running wsgate. It speaks http://, or https:// \
                       with [publish.tls].",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(Line<'_>, Outcome, RefusedLine)),
    security(("token" = [])),
)]
pub(super) struct Description;

/// Adds to a document with all handlers what holds for the whole of it.
pub(super) fn complete(document: &mut OpenApi) {
    openapi::complete(
        document,
        &Words {
            token: "One of `publish.tokens`.",
            refused: "Not let in or not allowed (401, 403, 421), no such resource (404, 405), a wrong path, header or \
                      body (400, 413, 415), or not now (503).",
        },
    );
}
