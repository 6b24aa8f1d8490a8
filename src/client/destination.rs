//! Where a request goes.

use std::net::IpAddr;

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Uri};

use super::error::ClientError;

/// Which servers may be asked without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlainHttp {
    /// None.
    Never,
    /// Those on this machine: `localhost`, 127.0.0.0/8 and ::1. The name must lead there, too.
    Loopback,
    /// All whose URL says so.
    Always,
}

/// A server, and what it is asked for.
#[derive(Debug)]
pub(super) struct Destination {
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_tls: bool,
    /// Whether it must be on this machine.
    pub(super) is_local: bool,
    /// The value of `Host` (RFC 9110 §7.2).
    pub(super) authority: HeaderValue,
    /// The request target in origin form (RFC 9112 §3.2.1).
    pub(super) target: Uri,
}

impl Destination {
    /// # Errors
    /// [`ClientError::Url`] for what is neither https:// nor http://, or has user information, and
    /// [`ClientError::NotTls`] if the server must not be asked without TLS.
    pub(super) fn of(url: &Uri, plain: PlainHttp) -> Result<Self, ClientError> {
        let (Some(scheme), Some(authority)) = (url.scheme(), url.authority()) else {
            return Err(ClientError::Url);
        };
        let is_tls = *scheme == Scheme::HTTPS;
        let host = authority.host().trim_matches(['[', ']']);
        if !is_tls && *scheme != Scheme::HTTP || host.is_empty() {
            return Err(ClientError::Url);
        }
        let is_allowed = match plain {
            PlainHttp::Never => is_tls,
            PlainHttp::Loopback => is_tls || names_loopback(host),
            PlainHttp::Always => true,
        };
        if !is_allowed {
            return Err(ClientError::NotTls {
                host: host.to_owned(),
            });
        }
        let text = authority.as_str();
        let value = HeaderValue::from_str(text).ok();
        let path = url.path_and_query().cloned();
        Ok(Self {
            host: host.to_owned(),
            port: (authority.port_u16()).unwrap_or(if is_tls { 443 } else { 80 }),
            is_tls,
            is_local: !is_tls && plain == PlainHttp::Loopback,
            authority: (value.filter(|_| !text.contains('@'))).ok_or(ClientError::Url)?,
            target: Uri::from(path.unwrap_or(PathAndQuery::from_static("/"))),
        })
    }
}

/// Whether the host is this machine by its name.
fn names_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str, plain: PlainHttp) -> Result<Destination, ClientError> {
        Destination::of(&url.parse().unwrap(), plain)
    }

    #[test]
    fn a_url_says_whom_to_ask_for_what() {
        for (url, host, port, authority, target) in [
            ("https://a.test", "a.test", 443, "a.test", "/"),
            ("https://a.test/x?y=1", "a.test", 443, "a.test", "/x?y=1"),
            ("https://[::1]:81/", "::1", 81, "[::1]:81", "/"),
            ("http://a.test:81?q", "a.test", 81, "a.test:81", "/?q"),
            ("http://a.test/", "a.test", 80, "a.test", "/"),
        ] {
            let found = of(url, PlainHttp::Always).unwrap();
            assert_eq!((&*found.host, found.port), (host, port), "{url}");
            assert_eq!(found.authority, authority, "{url}");
            assert_eq!(found.target, target, "{url}");
            assert_eq!(found.is_tls, url.starts_with("https"), "{url}");
        }
        for url in ["/x", "ws://a.test/", "https://me:canary@a.test/", "a.test"] {
            let error = of(url, PlainHttp::Always).unwrap_err();
            assert!(matches!(error, ClientError::Url), "{url}: {error:?}");
        }
    }

    #[test]
    fn only_this_machine_is_asked_without_tls_where_that_is_the_rule() {
        for (url, is_local) in [
            ("http://localhost:1/", true),
            ("http://LOCALHOST/", true),
            ("http://127.8.0.1/", true),
            ("http://[::1]/", true),
            ("http://a.test/?canary", false),
            ("http://localhost.a.test/", false),
            ("http://10.0.0.1/", false),
            ("http://[::2]/", false),
        ] {
            let found = of(url, PlainHttp::Loopback);
            assert_eq!(found.is_ok(), is_local, "{url}");
            assert!(found.map_or(true, |found| found.is_local), "{url}");
            let error = of(url, PlainHttp::Never).unwrap_err();
            assert!(matches!(error, ClientError::NotTls { .. }), "{url}");
            assert!(!format!("{error:?}").contains("canary"));
        }
        assert!(!of("https://a.test/", PlainHttp::Loopback).unwrap().is_local);
    }
}
