//! The interface as OpenAPI 3.1 describes it, but for what the handlers and their types say.

use utoipa::openapi::OpenApi;

use super::event::{CloseEvent, ForwardEvent, LostEvent, OpenEvent, RejectEvent};
use crate::server::api::openapi::{self, Words};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "wsgate admin interface",
        description = "What an operator sees of a running wsgate, and does to it. It speaks http://, or https:// \
                       with [admin.tls].",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(OpenEvent, CloseEvent, RejectEvent, ForwardEvent, LostEvent)),
    security(("token" = []), ()),
)]
pub(super) struct Description;

/// Adds to a document with all handlers what holds for the whole of it.
pub(super) fn complete(document: &mut OpenApi) {
    openapi::complete(
        document,
        &Words {
            token: "Where `admin.token` is set.",
            refused: "Not let in (401, 403, 421), no such resource (404, 405), or not now (503).",
        },
    );
    // Its properties are in the schemas that take it in.
    let components = document.components.get_or_insert_default();
    components.schemas.remove("SessionMetadata");
}
