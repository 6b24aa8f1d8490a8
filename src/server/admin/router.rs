//! Which request is answered by whom, and the document that describes it.

use std::sync::Arc;

use axum::Router;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::interface::Interface;
use super::openapi::{Description, complete};
use super::{
    channels, drain, events, expiry, logout, probes, reload, sessions, settings, tickets, upstreams,
};
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
        .routes(routes!(api::probes::alive))
        .routes(routes!(probes::ready))
        .routes(routes!(probes::metrics))
        .routes(routes!(sessions::list, sessions::close_selected))
        .routes(routes!(sessions::close, expiry::change))
        .routes(routes!(channels::list))
        .routes(routes!(channels::members))
        .routes(routes!(tickets::issue))
        .routes(routes!(logout::end_login))
        .routes(routes!(upstreams::list))
        .routes(routes!(upstreams::drain))
        .routes(routes!(upstreams::resume))
        .routes(routes!(events::events))
        .routes(routes!(settings::show))
        .routes(routes!(drain::drain))
        .routes(routes!(reload::reload))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::body::Body;
    use http::Request;
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::super::tests::{admin_of, gate};

    /// The status of a response, and its body.
    async fn ask(method: &str, target: &str) -> (u16, Value) {
        let request = Request::builder().method(method).uri(target);
        let request = request.header("host", "localhost").body(Body::empty());
        let admin = admin_of(gate(), None);
        let (head, body) = admin.respond(request.unwrap()).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        (head.status.as_u16(), body)
    }

    /// The names of the parameters that stand there, in their order.
    fn parameters<'a>(operation: &'a Value, place: &str) -> Vec<&'a str> {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let there = parameters.filter(|parameter| parameter["in"] == place);
        there
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect()
    }

    #[tokio::test]
    async fn what_an_endpoint_takes_is_what_is_described() {
        let (_, document) = ask("GET", "/openapi.json").await;
        for (path, methods) in document["paths"].as_object().unwrap() {
            let braces = path.split(['{', '}']).skip(1).step_by(2);
            let braces: Vec<_> = braces.collect();
            for (method, operation) in methods.as_object().unwrap() {
                let named = format!("{method} {path}");
                assert_eq!(parameters(operation, "path"), braces, "{named}");
                let keys = parameters(operation, "query").join(", ");
                let sentence = match (operation["responses"].get("400"), &*keys) {
                    // Only a query that is looked at can be wrong.
                    (None, keys) => keys.to_owned(),
                    (Some(_), "") => "it takes no keys".to_owned(),
                    (Some(_), keys) => format!("the keys are {keys}"),
                };
                let target = format!("{}?c4nary", path.replace(['{', '}'], ""));
                let (status, body) = ask(&method.to_uppercase(), &target).await;
                let error = body["error"].as_str().unwrap_or_default();
                assert_eq!(error.is_empty(), sentence.is_empty(), "{named}: {error}");
                assert!(error.ends_with(&sentence), "{named}: {error}");
                assert_eq!(status == 400, !error.is_empty(), "{named}: {status}");
                let is_open = matches!(&**path, "/healthz" | "/readyz" | "/logout/{issuer}");
                assert_eq!(operation.get("security").is_some(), is_open, "{named}");
            }
        }
    }

    #[tokio::test]
    async fn the_document_is_of_this_version_and_whole() {
        let (_, document) = ask("GET", "/openapi.json").await;
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let text = document.to_string();
        let named = text.split("\"$ref\":\"#/components/schemas/").skip(1);
        let named: BTreeSet<_> = named.map(|rest| rest.split('"').next().unwrap()).collect();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let events = [
            "OpenEvent",
            "CloseEvent",
            "RejectEvent",
            "ForwardEvent",
            "LostEvent",
        ];
        for name in schemas.keys().map(String::as_str) {
            assert!(named.contains(name) || events.contains(&name), "{name}");
        }
        assert!(named.iter().all(|name| schemas.contains_key(*name)));
    }
}
