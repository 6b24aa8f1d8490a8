//! The OpenAPI document of an interface, held to what is really answered.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Response;

/// The document, and what of it was seen.
pub(crate) struct Document {
    pub(crate) document: Value,
    /// Method, path and status.
    seen: BTreeSet<(String, String, u16)>,
}

impl Document {
    /// The document that is served.
    pub(crate) fn new(document: Value) -> Self {
        let seen = BTreeSet::new();
        Self { document, seen }
    }

    /// Checks the answer to a request on this path of the document.
    pub(crate) fn check(&mut self, method: &str, path: &str, answer: &Response) {
        let status = answer.status();
        let responses = &self.document["paths"][path][method.to_lowercase()]["responses"];
        let known = responses.get(status.to_string());
        let response = self.resolved(known.unwrap_or(&responses["default"]));
        assert!(response.is_object(), "{method} {path} is answered {status}");
        let named = format!("{method} {path} {status}");
        match response["content"].as_object() {
            None => assert_eq!(answer.body, b"", "{named}"),
            Some(content) => {
                let (media, schema) = content.iter().next().expect("a media type");
                let found = answer.head.one("content-type");
                assert_eq!(found.split(';').next(), Some(media.as_str()), "{named}");
                if media == "application/json" {
                    self.fits(&answer.json(), &schema["schema"], &named);
                }
            }
        }
        self.seen
            .insert((method.to_owned(), path.to_owned(), status));
    }

    /// Checks a value against a schema of the document: as much of JSON Schema as it uses.
    pub(crate) fn fits(&self, value: &Value, schema: &Value, at: &str) {
        let schema = self.resolved(schema);
        let known = [
            "type",
            "description",
            "required",
            "properties",
            "additionalProperties",
            "items",
            "enum",
            "minimum",
            "maximum",
            "default",
            "format",
        ];
        for key in schema.as_object().expect("a schema").keys() {
            assert!(known.contains(&key.as_str()), "{at}: nobody checks {key}");
        }
        let kinds = match &schema["type"] {
            Value::Array(kinds) => kinds
                .iter()
                .map(|kind| kind.as_str().expect("a type"))
                .collect(),
            kind => vec![kind.as_str().unwrap_or_else(|| panic!("{at}: no type"))],
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_u64() => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        assert!(
            kinds.contains(&kind),
            "{at} is {value}, and not of {kinds:?}"
        );
        if let Some(words) = schema["enum"].as_array() {
            assert!(
                words.contains(value),
                "{at} is {value}, and none of {words:?}"
            );
        }
        if let (Some(least), Some(number)) = (schema["minimum"].as_u64(), value.as_u64()) {
            assert!(number >= least, "{at} is {number}");
        }
        if let Value::Array(items) = value {
            for item in items {
                self.fits(item, &schema["items"], &format!("{at}[]"));
            }
        }
        if let Value::Object(entries) = value {
            self.object_fits(entries, schema, at);
        }
    }

    fn object_fits(&self, entries: &Map<String, Value>, schema: &Value, at: &str) {
        let others = schema["additionalProperties"].as_bool();
        let others = others.unwrap_or_else(|| panic!("{at}: are there others?"));
        for (key, value) in entries {
            match schema["properties"].get(key) {
                Some(known) => self.fits(value, known, &format!("{at}.{key}")),
                None => assert!(others, "{at}.{key} is not described"),
            }
        }
        for key in schema["required"].as_array().into_iter().flatten() {
            let key = key.as_str().expect("a key");
            assert!(entries.contains_key(key), "{at}.{key} is not there");
        }
    }

    fn resolved<'a>(&'a self, part: &'a Value) -> &'a Value {
        match part["$ref"].as_str() {
            None => part,
            Some(path) => {
                let path = path.strip_prefix('#').expect("in this document");
                self.document
                    .pointer(path)
                    .unwrap_or_else(|| panic!("no {path}"))
            }
        }
    }

    /// What the document has and was not seen: method, path and status.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let mut unseen = Vec::new();
        for (path, methods) in self.document["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                let statuses = operation["responses"].as_object().expect("responses");
                for status in statuses.keys().filter_map(|status| status.parse().ok()) {
                    let seen = (method.to_uppercase(), path.clone(), status);
                    if !self.seen.contains(&seen) {
                        unseen.push(format!("{} {path} {status}", seen.0));
                    }
                }
            }
        }
        unseen
    }
}

/// A path of the document with these in the place of what stands in braces.
pub(crate) fn target(path: &str, given: &[&str]) -> String {
    let mut target = path.to_owned();
    for given in given {
        let (start, end) = (target.find('{'), target.find('}'));
        let (start, end) = start.zip(end).expect("braces");
        target.replace_range(start..=end, given);
    }
    target
}
