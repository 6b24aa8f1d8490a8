//! The JSON Schema of the settings, for editors.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Value, json};

use super::settings::OWN_KEYS;
use super::settings::Settings;
use super::values::{Name, Text};

/// The JSON Schema (draft 2020-12) of a settings file: every key with its description, its type
/// and its default.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        (settings.transforms).push(Box::new(RecursiveTransform(tidy)));
    });
    let mut schema = settings.into_generator().into_root_schema_for::<Settings>();
    schema.insert("$id".to_owned(), json!("urn:wsgate:settings"));
    schema.insert("title".to_owned(), json!("wsgate"));
    let mut schema = schema.to_value();
    // Without one of them, nothing would be served.
    schema["required"] = json!(["route"]);
    schema["properties"]["route"]["minItems"] = json!(1);
    let upstream = &mut schema["properties"]["upstream"];
    upstream["propertyNames"] = json!({ "pattern": Name::PATTERN });
    upstream["additionalProperties"]["properties"]["servers"]["minItems"] = json!(1);
    let acme = &mut schema["properties"]["acme"];
    acme["propertyNames"] = json!({ "pattern": r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$" });
    acme["additionalProperties"]["properties"]["names"]["minItems"] = json!(1);
    let issuer = &mut schema["properties"]["issuer"];
    issuer["propertyNames"] = json!({ "pattern": Name::PATTERN });
    issuer["additionalProperties"]["properties"]["audience"]["minItems"] = json!(1);
    schema["properties"]["publish"]["properties"]["tokens"]["minItems"] = json!(1);
    let route = &mut schema["properties"]["route"]["items"]["properties"];
    route["rewrite"]["pattern"] = json!(format!(r"^/[^?#*\s]*\*?$|{VARIABLE}"));
    let token = format!("{TOKEN}|{VARIABLE}");
    route["subprotocols"]["items"]["pattern"] = json!(token);
    route["channels"]["properties"]["join"]["items"]["pattern"] =
        json!(format!(r"^{SEGMENT}(\.{SEGMENT})*$|{VARIABLE}"));
    let headers = &mut route["headers"]["properties"];
    headers["set"]["propertyNames"] = json!({ "pattern": TOKEN });
    for key in ["remove", "remove_untrusted"] {
        headers[key]["items"]["pattern"] = json!(token);
    }
    schema["properties"]["defaults"] = defaults(&schema["properties"]["route"]["items"]);
    schema
}

/// A token of HTTP (RFC 9110 §5.6.2): the name of a header or of a subprotocol.
const TOKEN: &str = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";

/// A segment of a channel with a placeholder at most.
const SEGMENT: &str =
    r"([A-Za-z0-9_~@:+=-]+(\{[^{}]+\}[A-Za-z0-9_~@:+=-]*)?|\{[^{}]+\}[A-Za-z0-9_~@:+=-]*)";

/// An environment variable, which may hold anything.
const VARIABLE: &str = r"\$\{";

/// `[defaults]`: a route without the keys that only a route has.
fn defaults(route: &Value) -> Value {
    let mut defaults = route.clone();
    defaults["description"] =
        json!("What holds for every route that does not say otherwise, key by key.");
    defaults["required"] = json!([]);
    if let Some(keys) = defaults["properties"].as_object_mut() {
        keys.retain(|key, _| !OWN_KEYS.contains(&key.as_str()));
    }
    defaults
}

/// Says of a schema what a file needs to know of it, and no more.
fn tidy(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
    if let Some(words) = words(schema) {
        // What each word means is said where the key is documented.
        schema.remove("oneOf");
        schema.insert("enum".to_owned(), words);
    }
    if schema.get("properties").is_none() {
        return;
    }
    let required = schema.get("required").cloned().unwrap_or(json!([]));
    for (name, key) in (schema.get_mut("properties"))
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten()
    {
        let is_required = required
            .as_array()
            .is_some_and(|keys| keys.contains(&json!(name)));
        if let Some(key) = key.as_object_mut()
            && (is_required || is_table(key) || key.get("default") == Some(&Value::Null))
        {
            key.remove("default");
        }
    }
    schema.insert("required".to_owned(), required);
}

/// The words of a schema that is one of a few.
fn words(schema: &Schema) -> Option<Value> {
    let branches = schema.get("oneOf")?.as_array()?;
    let words = branches.iter().map(|branch| branch.get("const").cloned());
    words.collect::<Option<_>>().map(Value::Array)
}

/// Whether the keys of a value have their own defaults.
fn is_table(key: &serde_json::Map<String, Value>) -> bool {
    let inner = [key.get("items"), key.get("additionalProperties")];
    key.contains_key("properties")
        || (inner.into_iter().flatten()).any(|inner| inner.get("properties").is_some())
}
