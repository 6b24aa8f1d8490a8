//! YAML as JSON has it.

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

/// The documents of a file.
#[track_caller]
pub(crate) fn parse(text: &str) -> Vec<Value> {
    let documents = YamlLoader::load_from_str(text).expect("YAML");
    documents.iter().map(value).collect()
}

fn value(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::String(text) => text.as_str().into(),
        Yaml::Integer(number) => (*number).into(),
        Yaml::Boolean(flag) => (*flag).into(),
        Yaml::Array(items) => items.iter().map(value).collect(),
        Yaml::Hash(entries) => {
            let entries = entries.iter().map(|(key, entry)| {
                let key = key.as_str().expect("a text for a key");
                (key.to_owned(), value(entry))
            });
            entries.collect()
        }
        Yaml::Null => Value::Null,
        other => panic!("{other:?} is nothing that these files have"),
    }
}
