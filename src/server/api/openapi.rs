//! What is in the OpenAPI document of every interface, beside what the handlers and their types say.

use utoipa::openapi::schema::{AdditionalProperties, SchemaType};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, Object, ObjectBuilder, OpenApi, Ref, RefOr, ResponseBuilder,
    Schema, Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::schema::any_object;

/// What is different in the document of each interface.
pub(crate) struct Words {
    /// Which requests need a token.
    pub(crate) token: &'static str,
    /// What it means that a request is not answered.
    pub(crate) refused: &'static str,
}

/// An OpenAPI document.
pub(crate) struct Document;

impl PartialSchema for Document {
    fn schema() -> RefOr<Schema> {
        let document = ObjectBuilder::new()
            .description(Some("This document."))
            .property("openapi", Object::with_type(Type::String))
            .property("info", any_object())
            .property("paths", any_object())
            .additional_properties(Some(AdditionalProperties::FreeForm(true)));
        document.into()
    }
}

impl ToSchema for Document {}

/// Adds to a document with all handlers what holds for the whole of it.
pub(crate) fn complete(document: &mut OpenApi, words: &Words) {
    for path in document.paths.paths.values_mut() {
        let operations = [
            &mut path.get,
            &mut path.post,
            &mut path.put,
            &mut path.patch,
            &mut path.delete,
        ];
        for operation in operations.into_iter().flatten() {
            let refused = RefOr::Ref(Ref::from_response_name("Refused"));
            let responses = &mut operation.responses.responses;
            responses.insert("default".to_owned(), refused);
        }
    }
    let components = document.components.get_or_insert_default();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(words.token))
        .build();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    let error = ContentBuilder::new().schema(Some(Ref::from_schema_name("Error")));
    let refused = ResponseBuilder::new()
        .description(words.refused)
        .content("application/json", error.build())
        .build();
    components
        .responses
        .insert("Refused".to_owned(), refused.into());
    close_schemas(components);
}

/// Has each object list its properties as those that it has, and no others; only one that is neither
/// required nor null may be absent. A schema that takes in another one gets its properties, because
/// neither could be closed beside the other.
fn close_schemas(components: &mut Components) {
    let parts = components.schemas.clone();
    for schema in components.schemas.values_mut() {
        if let RefOr::T(Schema::AllOf(all)) = schema {
            let mut whole = Object::with_type(Type::Object);
            whole.description = all.description.take();
            for part in &all.items {
                let part = match part {
                    RefOr::Ref(part) => part
                        .ref_location
                        .rsplit('/')
                        .next()
                        .and_then(|name| parts.get(name)),
                    part => Some(part),
                };
                if let Some(RefOr::T(Schema::Object(part))) = part {
                    whole.properties.extend(part.properties.clone());
                    whole.required.extend(part.required.clone());
                }
            }
            *schema = RefOr::T(Schema::Object(whole));
        }
        if let RefOr::T(Schema::Object(object)) = schema {
            let named = object.properties.iter();
            let there = named.filter(|(name, property)| {
                object.required.contains(*name) || !may_be_absent(property)
            });
            object.required = there.map(|(name, _)| name.clone()).collect();
            let closed = || Box::new(AdditionalProperties::FreeForm(false));
            object.additional_properties.get_or_insert_with(closed);
        }
    }
}

/// Whether a property that is not required is left out where it has no value: it is never null.
fn may_be_absent(property: &RefOr<Schema>) -> bool {
    let RefOr::T(Schema::Object(object)) = property else {
        return false;
    };
    matches!(&object.schema_type, SchemaType::Type(_))
}
