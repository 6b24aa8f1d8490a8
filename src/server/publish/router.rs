//! Which request is answered by whom, and the document that describes it.

use std::sync::Arc;

use axum::Router;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::interface::Interface;
use super::openapi::{Description, complete};
use super::{batch, channels, members, publications, tickets};
use crate::server::api;
use crate::server::api::openapi::Document;
use crate::server::api::query::{NoKeys, Query};
use crate::server::api::response::{Json, WrongQuery};

/// Answers all requests.
pub(super) fn router(interface: Arc<Interface>) -> Router {
    api::router::router(endpoints(), interface)
}

/// Everything, in the order of the documentation.
fn endpoints() -> OpenApiRouter<Arc<Interface>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(publications::to_channel, channels::members))
        .routes(routes!(publications::to_session))
        .routes(routes!(publications::to_subject))
        .routes(routes!(batch::publish))
        .routes(routes!(channels::list))
        .routes(routes!(members::join, members::leave))
        .routes(routes!(channels::close))
        .routes(routes!(channels::forget))
        .routes(routes!(tickets::issue))
        .routes(routes!(api::probes::alive))
        .routes(routes!(document))
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "document",
    responses((status = 200, description = "OpenAPI 3.1.", body = Document), WrongQuery))]
async fn document(_: Query<NoKeys>) -> Json<OpenApi> {
    let mut document = endpoints().into_openapi();
    complete(&mut document);
    Json(document)
}
