//! `[route.headers]`, checked against the headers that nobody but the gate may touch.

use http::HeaderName;

use crate::config::error::Problem;
use crate::config::file::HeadersTable;
use crate::config::reader::{Reader, Setting};
use crate::config::{Forwarded, Headers, PathPattern, Template};

pub(super) fn headers(
    table: &HeadersTable,
    path: &PathPattern,
    reader: &mut Reader<'_>,
) -> Headers {
    let forwarded = table.forwarded.or(Forwarded::default());
    Headers {
        set: set(table, path, reader),
        remove: remove(table, forwarded, reader),
        forwarded,
    }
}

fn set(
    table: &HeadersTable,
    path: &PathPattern,
    reader: &mut Reader<'_>,
) -> Vec<(HeaderName, Template)> {
    let entries = table.set.get().map_or(&[][..], |named| &named.0);
    let mut set: Vec<(HeaderName, Template)> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let name = match set_name(key.get_ref()) {
            Ok(name) => name,
            Err(problem) => {
                reader.error(key.span(), problem);
                continue;
            }
        };
        if set.iter().any(|(other, _)| *other == name) {
            reader.error(key.span(), Problem::new(format!("`{name}` is set twice")));
        }
        let Some(value) = value.given() else {
            continue;
        };
        match Template::parse(value.get_ref(), path) {
            Ok(template) => set.push((name, template)),
            Err(error) => reader.error(value.span(), error),
        }
    }
    set
}

fn set_name(text: &str) -> Result<HeaderName, Problem> {
    let name = Headers::parse_set_name(text)?;
    // Backends that turn headers into variables cannot tell `_` from `-`.
    let alias = Headers::parse_set_name(&text.replace('_', "-"))?;
    match is_forwarding(&alias) {
        true => Err(
            Problem::new(format!("`{name}` belongs to the gate, and cannot be set"))
                .help("`forwarded` says which forwarding headers are sent"),
        ),
        false => Ok(name),
    }
}

fn remove(table: &HeadersTable, forwarded: Forwarded, reader: &mut Reader<'_>) -> Vec<HeaderName> {
    let names = table.remove.table();
    let mut remove = Vec::with_capacity(names.len());
    for text in names.iter().filter_map(Setting::given) {
        match Headers::parse_removed_name(text.get_ref()) {
            Ok(name) if is_forwarding(&name) && forwarded != Forwarded::Off => {
                let problem = Problem::new(format!("`{name}` is sent by the gate itself"))
                    .help("`forwarded` says which forwarding headers are sent");
                reader.error(text.span(), problem);
            }
            Ok(name) => remove.push(name),
            Err(error) => reader.error(text.span(), error),
        }
    }
    remove
}

/// Whether the gate writes this header when `forwarded` asks for it.
fn is_forwarding(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "forwarded" | "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gates_own_headers_are_left_alone_in_every_spelling() {
        for name in [
            "Connection",
            "content-length",
            "sec-websocket-key",
            "Sec_WebSocket_Protocol",
            "X-Forwarded-For",
            "x_forwarded_proto",
            "forwarded",
            "a b",
            "",
        ] {
            assert!(set_name(name).is_err(), "{name}");
        }
        for name in ["Host", "x-gate", "authorization", "x_id", "x-real-ip"] {
            assert!(set_name(name).is_ok(), "{name}");
        }
    }
}
