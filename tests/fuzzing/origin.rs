//! An `Origin` and what is let in, against a plain comparison of RFC 6454's tuples.

use http::{HeaderMap, HeaderValue, header};

use super::Ways;
use crate::config::OriginRules;
use crate::policy::origin::check;
use crate::rejection::Rejection;
use crate::request::{Lines, SingleLine};

/// Three kinds of lines: the host that was asked for and its port, the `Origin`, and the entries
/// of `allow`.
///
/// Ways: 0 over TLS, 1 without an `Origin` it is let in, 2 with `null` it is, 3 there are two
/// `Origin` headers.
pub fn origin(data: &[u8]) {
    let Some((ways, rest)) = Ways::split(data) else {
        return;
    };
    let mut lines = rest.split(|&byte| byte == b'\n');
    let asked = lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let (Some(asked), Some(origin)) = (asked, lines.next()) else {
        return;
    };
    let Some((host, port)) = asked_for(asked) else {
        return;
    };
    let Ok(origin) = HeaderValue::from_bytes(origin) else {
        return;
    };
    let allow: Vec<&str> = lines
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    let patterns = allow.iter().filter_map(|entry| entry.parse().ok());
    let rules = OriginRules {
        allow: patterns.collect(),
        allow_missing: ways.has(1),
        allow_null: ways.has(2),
    };
    for pattern in &rules.allow {
        // What is printed for `check` has to mean what was read.
        assert_eq!(pattern.to_string().parse().as_ref(), Ok(pattern));
    }
    let mut headers = HeaderMap::new();
    let missing = check(&origin_of(&headers), &rules, Some(&host), port, ways.has(0));
    assert_eq!(missing.is_ok(), ways.has(1));
    headers.append(header::ORIGIN, origin.clone());
    if ways.has(3) {
        headers.append(header::ORIGIN, origin.clone());
    }
    let verdict = check(&origin_of(&headers), &rules, Some(&host), port, ways.has(0));
    if ways.has(3) {
        assert_eq!(verdict, Err(Rejection::OriginInvalid));
        return;
    }
    let allowed = rules.allow.iter().any(|pattern| {
        let text = pattern.to_string();
        let allows = |origin: &str| allows(&text, origin, (&host, port), ways.has(0));
        text == "*" || origin.to_str().is_ok_and(allows)
    });
    match origin.as_bytes() {
        b"null" => assert_eq!(verdict.is_ok(), ways.has(2)),
        _ if verdict.is_ok() => assert!(allowed, "{origin:?} is not in {:?}", rules.allow),
        _ => assert!(!allowed, "{origin:?} is in {:?}", rules.allow),
    }
}

/// As one pass over the lines finds it.
fn origin_of(headers: &HeaderMap) -> SingleLine {
    Lines::read(headers).into_kept().0
}

/// What [`Target`](crate::request::Target) would make of a `Host`: lower case, and no
/// shorthand.
fn asked_for(text: &str) -> Option<(String, Option<u16>)> {
    let uri: http::uri::Authority = text.parse().ok()?;
    let request = http::Request::get("/").header(header::HOST, uri.as_str());
    let parts = request.body(()).ok()?.into_parts().0;
    let target = crate::request::Target::of(&parts).ok()?;
    Some((target.host()?.to_owned(), target.port()))
}

/// An origin as RFC 6454 §4 compares it: a scheme, a host and a port.
#[derive(PartialEq, Eq)]
struct Tuple {
    scheme: String,
    host: String,
    port: Option<u16>,
}

/// Reads a serialized origin; `None` for what is none.
fn tuple(text: &str) -> Option<Tuple> {
    let lower = text.to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://")?;
    let mut letters = scheme.chars();
    let first = letters.next()?;
    if !first.is_ascii_lowercase()
        || letters.any(|c| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))
    {
        return None;
    }
    let colon = match authority.rfind(']') {
        Some(end) => authority[end..].find(':').map(|colon| end + colon),
        None => authority.find(':'),
    };
    let (host, port) = match colon {
        Some(colon) => {
            let digits = &authority[colon + 1..];
            if !digits.chars().all(|c| c.is_ascii_digit()) || digits.starts_with('0') {
                return None;
            }
            (&authority[..colon], Some(digits.parse().ok()?))
        }
        None => (authority, None),
    };
    let default = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let is_host = match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._~%*".contains(c)),
    };
    let named = !host.is_empty() || default.is_none() && port.is_none();
    (is_host && named).then(|| Tuple {
        scheme: scheme.to_owned(),
        host: host.to_owned(),
        port: port.or(default),
    })
}

/// Whether an entry of `allow` lets a page of this origin in.
fn allows(entry: &str, origin: &str, asked: (&str, Option<u16>), secure: bool) -> bool {
    let Some(page) = tuple(origin).filter(|page| !page.host.contains('*')) else {
        return false;
    };
    if entry == "same-origin" {
        let known = page.scheme == "https" || page.scheme == "http" && !secure;
        let default = if page.scheme == "https" { 443 } else { 80 };
        return known
            && page.host == asked.0.to_ascii_lowercase()
            && page.port == Some(asked.1.unwrap_or(default));
    }
    if let Some(scheme) = entry.strip_suffix("://*") {
        return page.scheme == scheme;
    }
    let (entry, any_port) = match entry.strip_suffix(":*") {
        Some(entry) => (entry, true),
        None => (entry, false),
    };
    let Some(mut entry) = tuple(entry) else {
        return false;
    };
    if any_port {
        entry.port = page.port;
    }
    match entry.host.strip_prefix('*') {
        None => entry == page,
        Some(suffix) => {
            let name = page.host.strip_suffix(suffix);
            let name = name.filter(|name| !name.is_empty());
            entry.scheme == page.scheme
                && entry.port == page.port
                && name.is_some_and(|name| !name.starts_with('.') && !name.ends_with('.'))
        }
    }
}
