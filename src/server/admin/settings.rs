//! `GET /config`: the settings in force.

use axum::extract::State;
use serde_json::Value;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{Array, ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::interface::Shared;
use crate::server::api::query::{NoKeys, Query};
use crate::server::api::response::{Json, WrongQuery};
use crate::server::api::schema::any_object;

/// The tables of the settings. What they hold, `wsgate schema` prints.
pub(super) struct Settings;

/// The settings in force, with every default and without secrets.
#[utoipa::path(get, path = "/config", operation_id = "settings",
    responses((status = 200, description = "In the form of the file.", body = Settings), WrongQuery))]
pub(super) async fn show(State(interface): Shared, _: Query<NoKeys>) -> Json<Value> {
    Json(interface.handle.config().resolved())
}

impl PartialSchema for Settings {
    fn schema() -> RefOr<Schema> {
        let description = "The settings in the form of the file, without `defaults`; `wsgate \
                           schema` prints their schema. `***` stands in the place of a secret.";
        let optional = || {
            let mut table = any_object();
            table.schema_type = SchemaType::from_iter([Type::Object, Type::Null]);
            table
        };
        let settings = ObjectBuilder::new()
            .description(Some(description))
            .property("listen", Array::new(any_object()))
            .property("acme", any_object())
            .property("issuer", any_object())
            .property("client_ip", any_object())
            .property("admin", optional())
            .property("publish", optional())
            .property("shared", optional())
            .property("log", any_object())
            .property("drain", any_object())
            .property("server", any_object())
            .property("upstream", any_object())
            .property("route", Array::new(any_object()));
        settings.into()
    }
}

impl ToSchema for Settings {}
