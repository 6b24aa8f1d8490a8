//! Schemas of what no type here describes.

use serde_json::Value;
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{Object, ObjectBuilder, Type};

/// One of these words.
pub(crate) fn one_of<const N: usize>(words: [&'static str; N]) -> Object {
    let word = ObjectBuilder::new().schema_type(Type::String);
    word.enum_values(Some(words)).build()
}

/// One of these words, or null.
pub(crate) fn one_of_or_null<const N: usize>(words: [&'static str; N]) -> Object {
    let types = SchemaType::Array(vec![Type::String, Type::Null]);
    let word = ObjectBuilder::new().schema_type(types);
    let words = words.map(Value::from).into_iter().chain([Value::Null]);
    word.enum_values(Some(words)).build()
}

/// An object of any properties.
pub(crate) fn any_object() -> Object {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    let any = AdditionalProperties::FreeForm(true);
    object.additional_properties(Some(any)).build()
}
