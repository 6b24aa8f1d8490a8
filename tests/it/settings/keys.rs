//! The schema's keys, and that `config/full.toml` and `docs/configuration.md` have them all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wsgate::Config;

use super::{read, root};
use crate::kit::{Authority, Validity};

/// A key of the schema.
struct Key {
    /// The table's name as its header has it: `route.limits.per_ip`.
    table: String,
    name: String,
    /// As TOML.
    default: Option<String>,
    required: bool,
    description: String,
}

/// Every key that holds a value, table by table. `[defaults]` is left out: it has a route's keys.
fn keys() -> Vec<Key> {
    let schema = wsgate::config::schema();
    let mut keys = Vec::new();
    collect("", &schema, &mut keys);
    assert!(keys.len() > 60, "{} keys", keys.len());
    keys
}

fn collect(table: &str, schema: &Value, keys: &mut Vec<Key>) {
    for (name, value) in schema["properties"].as_object().unwrap() {
        let path = match table {
            "" => name.clone(),
            table => format!("{table}.{name}"),
        };
        if path == "defaults" {
            continue;
        }
        if !is_table(value) {
            keys.push(Key {
                table: table.to_owned(),
                name: name.clone(),
                // Entries of a list stand apart.
                default: (value.get("default"))
                    .map(|value| value.to_string().replace("\",\"", "\", \"")),
                required: (schema["required"].as_array().unwrap().iter())
                    .any(|required| required == name.as_str()),
                description: value["description"].as_str().unwrap_or_default().to_owned(),
            });
        }
        for (suffix, inner) in tables_in(value) {
            collect(&format!("{path}{suffix}"), inner, keys);
        }
    }
}

/// Whether the key is a header, `[key]` or `[[key]]`, and no value.
fn is_table(schema: &Value) -> bool {
    schema.get("properties").is_some()
        || schema["items"].get("properties").is_some()
        || schema["additionalProperties"].get("properties").is_some()
}

/// The tables that a value is or has in it.
fn tables_in(schema: &Value) -> Vec<(&'static str, &Value)> {
    let one_of = schema["anyOf"]
        .as_array()
        .or(schema["items"]["anyOf"].as_array());
    let candidates = [
        ("", schema),
        ("", &schema["items"]),
        (".NAME", &schema["additionalProperties"]),
    ];
    let mut tables = Vec::from(candidates);
    tables.extend(one_of.into_iter().flatten().map(|inner| ("", inner)));
    tables.retain(|(_, inner)| inner.get("properties").is_some());
    tables
}

#[test]
fn every_key_of_the_schema_is_described() {
    let schema = wsgate::config::schema();
    assert_eq!(schema["title"], "wsgate");
    for key in keys() {
        let (table, name) = (&key.table, &key.name);
        assert!(
            key.description.ends_with('.'),
            "{table} {name}: {:?}",
            key.description
        );
        assert_ne!(key.default.as_deref(), Some("null"), "{table} {name}");
        assert!(!(key.required && key.default.is_some()), "{table} {name}");
    }
}

#[test]
fn the_schema_knows_types_and_defaults() {
    let schema = wsgate::config::schema();
    let route = &schema["properties"]["route"]["items"];
    assert_eq!(
        route["required"],
        serde_json::json!(["name", "path", "upstream"])
    );
    assert_eq!(route["additionalProperties"], false);
    let limits = &route["properties"]["limits"]["properties"];
    assert_eq!(limits["message_size"]["default"], "16MiB");
    assert_eq!(
        limits["on_exceed"]["enum"],
        serde_json::json!(["close", "delay", "drop"])
    );
    let prefix = &schema["properties"]["client_ip"]["properties"]["ipv6_prefix"];
    assert_eq!(
        (&prefix["minimum"], &prefix["maximum"]),
        (&1.into(), &128.into())
    );
    assert_eq!(
        schema["properties"]["defaults"]["properties"]["http"]["default"],
        "refuse"
    );
}

/// A line of `full.toml`, with or without `# ` before it: a header or a key with its value.
enum Line<'a> {
    Header(&'a str),
    Entry { key: &'a str, value: &'a str },
}

fn parse(line: &str) -> Option<Line<'_>> {
    let code = line.strip_prefix("# ").unwrap_or(line);
    let code = code.split(" #").next().unwrap_or(code).trim();
    if let Some(header) = code.strip_prefix('[') {
        return Some(Line::Header(header.trim_matches(['[', ']'])));
    }
    let (key, value) = code.split_once(" = ")?;
    let is_key_byte = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    let is_key = key.bytes().all(is_key_byte);
    is_key.then_some(Line::Entry { key, value })
}

#[test]
fn the_full_settings_state_every_key_and_its_default() {
    let text = read(&root().join("config/full.toml"));
    let mut stated: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut table = String::new();
    for line in text.lines() {
        match parse(line) {
            Some(Line::Header(header)) => {
                let header = header.replace("upstream.chat", "upstream.NAME");
                let header = header.replace("acme.le", "acme.NAME");
                table = match header.split_once("issuer.") {
                    Some(_) => "issuer.NAME".to_owned(),
                    None => header,
                };
            }
            Some(Line::Entry { key, value }) => {
                let mut state = |table: String, key: &str, value: &str| {
                    stated
                        .entry((table, key.to_owned()))
                        .or_default()
                        .push(value.to_owned());
                };
                // An inline table has keys of its own.
                for inner in value.split(['{', ',']).filter(|_| value.contains('{')) {
                    if let Some((inner, value)) = inner.split_once(" = ") {
                        let value = value.trim_end();
                        let value = value.strip_suffix(" }]").unwrap_or(value);
                        let value = value.strip_suffix(" }").unwrap_or(value);
                        state(format!("{table}.{key}"), inner.trim(), value);
                    }
                }
                state(table.clone(), key, value);
            }
            None => {}
        }
    }
    for key in keys() {
        let values = stated.get(&(key.table.clone(), key.name.clone()));
        let bursts = key.table.ends_with("handshakes") || key.table.ends_with("messages");
        let elsewhere = bursts && stated.keys().any(|(_, name)| *name == key.name);
        let Some(values) = values else {
            assert!(
                elsewhere,
                "[{}] {} is not in full.toml",
                key.table, key.name
            );
            continue;
        };
        if let Some(default) = key.default {
            let (table, name) = (&key.table, &key.name);
            assert!(
                values.contains(&default),
                "[{table}] {name}: {values:?}, not {default}"
            );
        }
    }
}

#[test]
fn the_examples_of_the_full_settings_load() {
    let text = read(&root().join("config/full.toml"));
    let mut lines: Vec<String> = Vec::new();
    let mut examples = 0;
    let mut header = 0;
    for line in text.lines() {
        match parse(line) {
            Some(Line::Header(_)) => header = lines.len(),
            Some(Line::Entry { key, .. }) if line.starts_with("# ") => {
                examples += 1;
                // The example stands for the default above it.
                let start = format!("{key} = ");
                if let Some(default) =
                    (lines[header..].iter()).position(|line| line.starts_with(&start))
                {
                    lines.remove(header + default);
                }
            }
            Some(Line::Entry { .. }) => {}
            None => continue,
        }
        lines.push(line.strip_prefix("# ").unwrap_or(line).to_owned());
    }
    assert!(examples > 8, "{examples} examples");
    let text = lines
        .join("\n")
        .replace("${WSGATE_ADMIN_TOKEN}", "0123456789")
        .replace("${PUBLISH_TOKEN}", "9876543210")
        .replace("${JWT_SECRET}", "0123456789abcdef0123456789abcdef");
    let authority = Authority::new();
    authority.write_identity_as("fullchain", &authority.issue("a.test", Validity::Now));
    let (certificate, key) = (
        authority.file_of("fullchain.pem"),
        authority.file_of("fullchain.key"),
    );
    std::fs::rename(key, certificate.with_file_name("privkey.pem")).unwrap();
    std::fs::write(certificate.with_file_name("keys.txt"), "").unwrap();
    let file = certificate.with_file_name("full.toml");
    std::fs::write(&file, text).unwrap();
    let config = Config::from_file(&file);
    let config = config.unwrap_or_else(|errors| panic!("{}", errors.render(false)));
    assert!(config.summary().contains("chat.example.com"));
    assert_eq!(Vec::from_iter(config.warnings()), [""; 0]);
}

#[test]
fn the_documentation_has_every_key_with_its_default() {
    let text = read(&root().join("docs/configuration.md"));
    let mut rows: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut section = String::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix('#') {
            section = heading
                .trim_start_matches('#')
                .trim()
                .trim_matches('`')
                .to_owned();
        }
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        if let ["", key, default, meaning, ""] = cells[..] {
            if key == "key" || key.starts_with('-') {
                continue;
            }
            assert!(!meaning.is_empty(), "{section} {key}");
            let key = key.trim_matches('`').to_owned();
            rows.insert(
                (section.trim_matches(['[', ']']).to_owned(), key),
                default.to_owned(),
            );
        }
    }
    let mut documented = BTreeSet::new();
    for key in keys() {
        let (outer, last) = key.table.rsplit_once('.').unwrap_or(("", &key.table));
        let places = [
            (key.table.clone(), key.name.clone()),
            // An inline table stands in the section of the table that it is in.
            (outer.to_owned(), format!("{last}.{}", key.name)),
            ("Rates".to_owned(), key.name.clone()),
        ];
        let (table, name) = (&key.table, &key.name);
        let place = places.into_iter().find(|place| rows.contains_key(place));
        let place = place.unwrap_or_else(|| panic!("[{table}] {name} is not documented"));
        let expected = match &key.default {
            Some(default) => format!("`{default}`"),
            None if key.required => "required".to_owned(),
            None => "none".to_owned(),
        };
        assert_eq!(rows[&place], expected, "[{table}] {name}");
        documented.insert(place);
    }
    rows.retain(|place, _| place.0 != "Values" && !documented.contains(place));
    assert!(rows.is_empty(), "these are not settings: {rows:?}");
    assert!(documented.len() > 60, "{} keys", documented.len());
}
