//! `[route.headers]`, and the headers that nobody but the gate may touch.

use http::{HeaderName, header};

use crate::config::error::Problem;
use crate::config::file::HeadersTable;
use crate::config::reader::{FromText, Reader, Setting};
use crate::config::{Forwarded, Headers, PathPattern, Template};

pub(super) fn headers(
    table: &HeadersTable,
    path: &PathPattern,
    reader: &mut Reader<'_>,
) -> Headers {
    Headers {
        set: set(table, path, reader),
        remove: remove(table, reader),
        forwarded: table.forwarded.or(Forwarded::default()),
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
        let name = match <HeaderName as FromText>::from_text(key.get_ref()) {
            Ok(name) => name,
            Err(problem) => {
                reader.error(key.span(), problem);
                continue;
            }
        };
        if let Some(why) = owned_by_the_gate(&name) {
            reader.error(
                key.span(),
                Problem::new(format!("`{name}` cannot be set: {why}")),
            );
        }
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

fn remove(table: &HeadersTable, reader: &mut Reader<'_>) -> Vec<HeaderName> {
    let names = table.remove.table();
    let mut remove = Vec::with_capacity(names.len());
    for name in names.iter().filter_map(Setting::given) {
        let why = match *name.get_ref() == header::HOST {
            true => Some("a request without it is not HTTP/1.1"),
            false => owned_by_the_gate(name.get_ref()),
        };
        if let Some(why) = why {
            let problem = format!("`{}` cannot be removed: {why}", name.get_ref());
            reader.error(name.span(), Problem::new(problem));
        }
        remove.push(name.get_ref().clone());
    }
    remove
}

/// Why the settings may not touch a header.
///
/// Servers that turn headers into variables cannot tell `_` from `-`, so it counts as one.
fn owned_by_the_gate(name: &HeaderName) -> Option<&'static str> {
    let name = name.as_str().replace('_', "-");
    match name.as_str() {
        "connection"
        | "keep-alive"
        | "proxy-authenticate"
        | "proxy-authorization"
        | "proxy-connection"
        | "te"
        | "trailer"
        | "upgrade" => Some("it belongs to a single connection"),
        "content-length" | "transfer-encoding" => Some("a handshake has no body"),
        "forwarded" | "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto" => {
            Some("`forwarded` says which of these are sent")
        }
        name if name.starts_with("sec-websocket-") => Some("it belongs to the handshake"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gates_own_headers_are_left_alone() {
        for name in [
            "connection",
            "upgrade",
            "te",
            "transfer-encoding",
            "content-length",
            "sec-websocket-key",
            "sec_websocket_protocol",
            "x-forwarded-for",
            "x_forwarded_for",
            "forwarded",
        ] {
            let name = HeaderName::from_static(name);
            assert!(owned_by_the_gate(&name).is_some(), "{name}");
        }
        for name in ["host", "x-gate", "authorization", "origin", "x-real-ip"] {
            let name = HeaderName::from_static(name);
            assert!(owned_by_the_gate(&name).is_none(), "{name}");
        }
    }
}
