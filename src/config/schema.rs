//! The JSON Schema of the settings, for editors.

use serde_json::{Map, Value, json};
use toml::de::DeValue;

use super::file::File;
use super::reader::FromToml;
use super::table::{KeyDescription, Table};

/// The JSON Schema (draft 2020-12) of a settings file: every key with its description, its type
/// and its default.
pub fn schema() -> Value {
    let mut schema = File::schema();
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("wsgate");
    schema
}

/// The schema of a table.
pub(super) fn table_schema<T: Table>() -> Value {
    let mut required = Vec::new();
    let mut properties = Map::new();
    for key in T::describe() {
        if key.default == Some("required") {
            required.push(key.name);
        }
        properties.insert(key.name.to_owned(), key_schema(key));
    }
    json!({
        "type": "object",
        "description": prose(T::ABOUT),
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn key_schema(key: KeyDescription) -> Value {
    let mut schema = key.schema;
    schema["description"] = Value::String(prose(key.about));
    if let Some(default) = key.default.filter(|default| *default != "required") {
        schema["default"] = match DeValue::parse(default) {
            Ok(default) => json_value(default.get_ref()),
            Err(_) => Value::Null,
        };
    }
    schema
}

/// The lines of a doc comment as one line.
fn prose(comment: &str) -> String {
    let lines: Vec<_> = comment.lines().map(str::trim).collect();
    lines.join(" ").trim().to_owned()
}

fn json_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Boolean(boolean) => json!(boolean),
        DeValue::Integer(integer) => integer
            .as_str()
            .parse::<u64>()
            .map_or(Value::Null, Value::from),
        DeValue::Array(array) => Value::Array(
            array
                .iter()
                .map(|entry| json_value(entry.get_ref()))
                .collect(),
        ),
        DeValue::Table(table) => {
            let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                (key.to_string(), json_value(value.get_ref()))
            };
            Value::Object(table.iter().map(entry).collect())
        }
        // No default is one of these.
        DeValue::Float(_) | DeValue::Datetime(_) => Value::Null,
    }
}
