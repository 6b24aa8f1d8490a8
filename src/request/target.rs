//! Where a request wants to go: the authority and the path that everything after goes by.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

#[cfg(any(test, fuzzing))]
use http::request::Parts;
use http::{Uri, Version};

use super::lines::{Line, Lines};
use crate::config::normal_path;
use crate::rejection::Rejection;

/// A request's authority and path, each in one form.
///
/// Routing, the Origin check and the request sent upstream all take the authority from here, so
/// that they cannot be made to see different ones. The same goes for the path: one that could mean
/// two things is refused, and any other is matched, shown and sent on as one string, its normal form.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// None where a request of HTTP/1.0 names none.
    authority: Option<Authority>,
    uri: Uri,
    /// The path, where it was not received in its normal form.
    normal_path: Option<Box<str>>,
}

impl Target {
    /// Reads the target of a request.
    ///
    /// # Errors
    /// [`Rejection::Host`] for a `Host` that is missing from HTTP/1.1 on, doubled or not an authority,
    /// [`Rejection::AuthorityMismatch`] where the request line names another one
    /// (RFC 9112 §3.2), and [`Rejection::Path`] for a path with dot segments, encoded
    /// backslashes, overlong UTF-8 or control characters, or none at all (`*`, `CONNECT`), for a
    /// byte that no target has, and for a scheme that is none of HTTP's.
    pub(crate) fn read(uri: &Uri, version: Version, lines: &Lines<'_>) -> Result<Self, Rejection> {
        let authority = authority_of(uri, version, lines.host)?;
        if !is_of_http(uri.scheme_str()) || !is_plain_query(uri.query()) {
            return Err(Rejection::Path);
        }
        let normal_path = match normal_path(uri.path()) {
            Some(Cow::Borrowed(_)) => None,
            Some(Cow::Owned(normal)) => Some(normal.into_boxed_str()),
            None => return Err(Rejection::Path),
        };
        Ok(Self {
            authority,
            uri: uri.clone(),
            normal_path,
        })
    }

    /// The same target with the host that a trusted proxy forwards.
    ///
    /// # Errors
    /// [`Rejection::Header`] where that is not an authority.
    pub(crate) fn with_host(self, host: &str) -> Result<Self, Rejection> {
        let authority = Authority::parse(host.as_bytes()).ok_or(Rejection::Header)?;
        Ok(Self {
            authority: Some(authority),
            ..self
        })
    }

    /// The target of a request that is looked at for nothing else.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(parts: &Parts) -> Result<Self, Rejection> {
        let lines = Lines::read(&parts.headers);
        Self::read(&parts.uri, parts.version, &lines)
    }

    /// The host in lower case, without a trailing dot; an IPv6 address in brackets.
    pub(crate) fn host(&self) -> Option<&str> {
        let authority = self.authority.as_ref()?;
        Some(&authority.text[..authority.host_length])
    }

    /// The port, where the request names one.
    pub(crate) fn port(&self) -> Option<u16> {
        self.authority.as_ref()?.port
    }

    /// Host and port together, as `Host` has them.
    pub(crate) fn authority(&self) -> Option<&str> {
        let authority = self.authority.as_ref()?;
        Some(&authority.text)
    }

    /// The path in its normal form; it begins with `/`.
    pub(crate) fn path(&self) -> &str {
        let received = || self.uri.path();
        self.normal_path.as_deref().unwrap_or_else(received)
    }

    /// The query as received, without its `?`.
    pub(crate) fn query(&self) -> Option<&str> {
        self.uri.query()
    }
}

/// The query stays out: it may hold a token.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("authority", &self.authority())
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Authority {
    /// `host` or `host:port`.
    text: String,
    host_length: usize,
    port: Option<u16>,
}

impl Authority {
    /// `uri-host [ ":" port ]` (RFC 9110 §7.2), the host being a name or an IPv6 address.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (mut text, port) = match text.strip_prefix('[') {
            Some(bracketed) => {
                let (address, port) = bracketed.split_once(']')?;
                let address: Ipv6Addr = address.parse().ok()?;
                (format!("[{address}]"), port)
            }
            None => {
                let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
                let name = name.strip_suffix('.').unwrap_or(name);
                (is_host_name(name).then(|| name.to_ascii_lowercase())?, port)
            }
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return None,
            // An empty port is the scheme's own (RFC 3986 §3.2.3).
            Some("") => None,
            Some(digits) => Some(parse_port(digits)?),
        };
        let host_length = text.len();
        if let Some(port) = port {
            text.push(':');
            text.push_str(&port.to_string());
        }
        Some(Self {
            text,
            host_length,
            port,
        })
    }
}

/// The authority of a request; `None` where it names none and need not: HTTP/1.0 has no `Host`
/// (RFC 9112 §3.2, §3.3).
fn authority_of(
    uri: &Uri,
    version: Version,
    host: Line<'_>,
) -> Result<Option<Authority>, Rejection> {
    let parse = |text: &[u8]| Authority::parse(text).ok_or(Rejection::Host);
    let named = match uri.authority() {
        Some(text) => Some(parse(text.as_str().as_bytes())?),
        None => None,
    };
    let host = match host {
        Line::Missing => None,
        Line::Once(line) => Some(parse(line.as_bytes())?),
        Line::Repeated => return Err(Rejection::Host),
    };
    match (named, host) {
        (None, Some(host)) => Ok(Some(host)),
        (Some(named), Some(host)) if named == host => Ok(Some(named)),
        (Some(_), Some(_)) => Err(Rejection::AuthorityMismatch),
        (named, None) if version < Version::HTTP_11 => Ok(named),
        // From HTTP/2 on, the request line's own authority stands alone (RFC 9113 §8.3.1).
        (Some(named), None) if version > Version::HTTP_11 => Ok(Some(named)),
        (_, None) => Err(Rejection::Host),
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => digits.parse().ok().filter(|&port| port != 0),
        false => None,
    }
}

/// A DNS name or IPv4 address; underscores are no hostname's, but many a container's.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        !label.is_empty() && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Whether an absolute target is one of HTTP's, WebSockets included (RFC 9112 §3.2.2). It says nothing
/// of the connection: a proxy that terminates TLS sends on what its client has sent.
fn is_of_http(scheme: Option<&str>) -> bool {
    let is = |known: &str| scheme.is_none_or(|scheme| scheme.eq_ignore_ascii_case(known));
    ["http", "https", "ws", "wss"].into_iter().any(is)
}

/// Whether a query has no byte that has to be escaped there (RFC 3986 §3.4). Those that browsers send
/// as they are (`|`) pass (<https://url.spec.whatwg.org/#query-percent-encode-set>).
fn is_plain_query(query: Option<&str>) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>".contains(&byte);
    query.is_none_or(|query| query.bytes().all(is_plain))
}

#[cfg(test)]
mod tests;
