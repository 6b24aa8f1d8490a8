//! Names of headers that the settings may change.

use http::HeaderName;

use super::error::ValueError;

/// A name that `set` may hold: not one by which the gate runs the connection itself, nor one that
/// it writes itself.
pub(in crate::config) fn parse_set(text: &str) -> Result<HeaderName, ValueError> {
    let name = parse_changed(text)?;
    // Backends that turn headers into variables cannot tell `_` from `-`.
    let alias = parse_changed(&text.replace('_', "-"))?;
    let own = |help| {
        let problem = ValueError::new(format!("`{name}` belongs to the gate, and cannot be set"));
        Err(problem.help(help))
    };
    if alias == http::header::VIA {
        return own(
            "each request has this gate in its `Via`; `remove` takes out the other proxies",
        );
    }
    match is_forwarding(&alias) {
        true => own("`forwarded` says which forwarding headers are sent"),
        false => Ok(name),
    }
}

/// A name that `remove` may hold: one that the connection does not need, and not `Host`, without
/// which there is no request. Forwarding headers may be removed where the gate sends none.
pub(in crate::config) fn parse_removed(
    text: &str,
    sends_forwarding: bool,
) -> Result<HeaderName, ValueError> {
    let name = parse_changed(text)?;
    if name == http::header::HOST {
        return Err(ValueError::new(
            "a request has a `host` (RFC 9112 §3.2): set another one instead",
        ));
    }
    match sends_forwarding && is_forwarding(&name) {
        true => Err(
            ValueError::new(format!("`{name}` is sent by the gate itself"))
                .help("`forwarded` says which forwarding headers are sent"),
        ),
        false => Ok(name),
    }
}

fn parse_changed(text: &str) -> Result<HeaderName, ValueError> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| ValueError::new(format!("`{}` is not a header name", text.escape_debug())))?;
    match CONNECTION.contains(&name.as_str()) || name.as_str().starts_with("sec-websocket-") {
        true => Err(ValueError::new(format!(
            "`{name}` belongs to the connection, and cannot be changed"
        ))),
        false => Ok(name),
    }
}

/// Whether the gate writes this header when `forwarded` asks for it.
fn is_forwarding(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "forwarded" | "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto"
    )
}

/// The headers that say how this one connection works (RFC 9110 §7.6.1, RFC 9112 §6).
const CONNECTION: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

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
            "Via",
            "a b",
            "",
        ] {
            assert!(parse_set(name).is_err(), "{name}");
        }
        for name in ["Host", "x-gate", "authorization", "x_id", "x-real-ip"] {
            assert!(parse_set(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_run_the_connection_cannot_be_changed() {
        for name in ["Connection", "TE", "Sec-WebSocket-Key", "content-length"] {
            assert!(parse_set(name).is_err(), "{name}");
            assert!(parse_removed(name, false).is_err(), "{name}");
        }
        assert!(parse_removed("Host", false).is_err());
        assert!(parse_removed("X-Forwarded-For", true).is_err());
        assert_eq!(parse_removed("Forwarded", false).unwrap(), "forwarded");
        assert_eq!(parse_removed("X-Debug", true).unwrap(), "x-debug");
        assert_eq!(parse_removed("Via", true).unwrap(), "via");
    }
}
