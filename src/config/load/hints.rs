//! What was probably meant: keys as other programs call them, and other forms of the same settings.

mod tls_words;
mod words;

use toml::Spanned;
use toml::de::DeValue;

use self::tls_words::TLS_WORDS;
use self::words::{MISSING, Table, WORDS};
use super::reader::Step;
use crate::config::report::{Node, Report, joined};
use crate::config::values::{ListenAddress, Name, Text, ValueError};

/// The table that is merged into the routes: a key of files only.
pub(super) const DEFAULTS: &str = "defaults";

/// The key that another program calls so; one of a table within has its dots.
pub(super) fn meant(key: &str, path: &[Step], unknown: &str) -> Option<&'static str> {
    let table = table(key, path)?;
    let unknown = unknown.to_ascii_lowercase().replace('-', "_");
    let mut words = WORDS.iter().chain(&TLS_WORDS);
    let found = words.find(|(of, words, _)| *of == table && words.contains(&&*unknown));
    found.map(|(_, _, meant)| *meant)
}

/// What to do about a key for something that wsgate does not have.
pub(super) fn missing(unknown: &str) -> Option<&'static str> {
    let unknown = unknown.to_ascii_lowercase().replace('-', "_");
    let mut missing = MISSING.iter();
    let found = missing.find(|(words, _)| words.contains(&&*unknown));
    found.map(|(_, help)| *help)
}

/// What to write where a value is of another type, if its key says more than the types do.
pub(super) fn of_type(
    problem: ValueError,
    key: &str,
    path: &[Step],
    node: &Node<'_>,
    known: &[&str],
    report: &Report<'_>,
) -> ValueError {
    let Some(value) = node.value().filter(|_| !report.is_filled(node)) else {
        return problem;
    };
    let is_table = matches!(value, DeValue::Table(_));
    let names: Vec<_> = path.iter().filter_map(Step::key).collect();
    match (key, &*names) {
        ("", ["listen"]) if is_table => problem.help("its header has two brackets: [[listen]]"),
        ("", ["listen"]) => problem.help(listener(value, report)),
        ("", ["listen", "http"]) => problem.help("write [\"h1\", \"h2\"], or one of the two"),
        ("", ["route"]) => problem.help(route(value)),
        ("", ["upstream"]) => problem.help(pool(value, report)),
        (_, []) if key.starts_with("upstream.") => {
            let header = key.trim_start_matches("upstream.");
            problem.help(match value {
                DeValue::Array(_) => format!("its header has one bracket: [upstream.{header}]"),
                _ => pool(value, report),
            })
        }
        (_, ["path"]) if is_route(key) && matches!(value, DeValue::Array(_)) => {
            problem.help("a route has one path: write a [[route]] for each")
        }
        (_, ["headers", "set"]) => problem.help("write it as { \"X-Name\" = \"value\" }"),
        (_, ["tls"]) if key.starts_with("upstream.") => problem.help(format!(
            "TLS comes with `wss://` in the URL of a server; this is a table with the keys {}",
            known.join(", ")
        )),
        _ if !known.is_empty() => {
            problem.help(format!("it is a table with the keys {}", known.join(", ")))
        }
        _ => problem,
    }
}

fn listener(value: &DeValue<'_>, report: &Report<'_>) -> String {
    let first = match value {
        DeValue::Array(list) => list.iter().next().filter(|first| !report.fills(first)),
        _ => None,
    };
    let written = match first.map_or(value, Spanned::get_ref) {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(port) => Some(port.as_str().to_owned()),
        _ => None,
    };
    let address = written.and_then(|text| match text.parse::<ListenAddress>() {
        Ok(_) => Some(text),
        Err(_) => ListenAddress::meant(&text),
    });
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    format!("write [[listen]], and below it address = \"{address}\"")
}

fn route(value: &DeValue<'_>) -> String {
    let named = match value {
        DeValue::Table(routes) => routes.iter().find_map(|(name, route)| {
            let is_route = route.get_ref().get("path").is_some();
            is_route.then(|| name.get_ref().to_string())
        }),
        _ => None,
    };
    match named.filter(|name| Name::parse(name).is_ok()) {
        Some(name) => format!("its header is [[route]], and its name a key: name = \"{name}\""),
        None => "its header has two brackets: [[route]]".to_owned(),
    }
}

/// The header of a pool, with the name that stands in the value.
pub(super) fn pool(value: &DeValue<'_>, report: &Report<'_>) -> String {
    let table = match value {
        DeValue::Array(list) => list.iter().next().map(Spanned::get_ref),
        value => Some(value),
    };
    let name = table.and_then(|table| table.get("name"));
    let name = name.filter(|name| !report.fills(name));
    let name = name.and_then(|name| name.get_ref().as_str());
    match name.filter(|name| Name::parse(name).is_ok()) {
        Some(name) => format!("a pool has its name in its header: [upstream.{name}]"),
        None => {
            "a pool has its name in its header: [upstream.NAME], with a name of yours".to_owned()
        }
    }
}

fn table(key: &str, path: &[Step]) -> Option<Table> {
    let names: Vec<_> = path.iter().filter_map(Step::key).collect();
    Some(match (key, &*names) {
        ("", []) => Table::Settings,
        ("", ["listen"]) => Table::Listen,
        ("", ["listen" | "admin" | "publish", "tls"]) => Table::ListenTls,
        ("", ["listen" | "admin" | "publish", "tls", "certificates"]) => Table::Certificate,
        (_, []) if key.starts_with("acme.") => Table::Acme,
        ("", ["admin" | "publish"]) => Table::Admin,
        ("", ["log"]) => Table::Log,
        (_, []) if is_route(key) => Table::Route,
        (_, ["origin"]) if is_route(key) => Table::Origin,
        (_, []) if key.starts_with("upstream.") => Table::Upstream,
        (_, ["servers"]) if key.starts_with("upstream.") => Table::Server,
        (_, ["tls"]) if key.starts_with("upstream.") => Table::Tls,
        _ => return None,
    })
}

fn is_route(key: &str) -> bool {
    key.starts_with("route[") || key == DEFAULTS
}

/// The header of the table at `path` in the value of `key`, as a file has it.
pub(super) fn header(key: &str, path: &[Step]) -> String {
    let (table, is_entry) = match key.split_once('[') {
        Some((list, _)) => (list, path.is_empty()),
        None => (key, false),
    };
    let keys = path.iter().filter_map(Step::key);
    let name = keys.fold(table.to_owned(), |table, key| joined(&table, key));
    match is_entry {
        true => format!("[[{name}]]"),
        false => format!("[{name}]"),
    }
}
