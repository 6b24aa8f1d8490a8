//! The URL of a WebSocket.

use std::fmt;

use http::Uri;

use super::error::ProbeError;

/// Where to connect, and what to ask for there.
#[derive(Debug)]
pub(super) struct ProbeUrl {
    pub(super) is_tls: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    /// The value of the `Host` header.
    pub(super) authority: String,
    pub(super) path_and_query: String,
}

impl ProbeUrl {
    /// No error repeats the text, which may hold credentials.
    pub(super) fn parse(text: &str) -> Result<Self, ProbeError> {
        const FORM: &str = "write ws://host:port/path or wss://host/path";
        // `Uri` cuts a fragment off, which a URL of a WebSocket has not (RFC 6455 §3).
        if text.contains('#') {
            return Err(ProbeError::Url("it has a fragment: write %23 for a #"));
        }
        let uri: Uri = text.parse().map_err(|_| ProbeError::Url(FORM))?;
        let is_tls = match uri.scheme_str() {
            Some("ws" | "http") => false,
            Some("wss" | "https") => true,
            _ => return Err(ProbeError::Url(FORM)),
        };
        let authority = uri.authority().ok_or(ProbeError::Url(FORM))?;
        if authority.as_str().contains('@') {
            let credentials = "it holds credentials: send them with --header";
            return Err(ProbeError::Url(credentials));
        }
        let host = authority.host().trim_matches(['[', ']']);
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if is_tls => 443,
            None => 80,
        };
        // A port that is empty or too large is no part of the host.
        let has_port = authority.as_str().len() > authority.host().len();
        if host.is_empty() || port == 0 || (has_port && authority.port_u16().is_none()) {
            return Err(ProbeError::Url(FORM));
        }
        let path_and_query = uri.path_and_query().map_or("/", |target| target.as_str());
        Ok(Self {
            is_tls,
            host: host.to_owned(),
            port,
            authority: authority.to_string(),
            path_and_query: path_and_query.to_owned(),
        })
    }
}

/// Without the query, which may hold credentials.
impl fmt::Display for ProbeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "wss" } else { "ws" };
        let path = self.path_and_query.split('?').next().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_and_a_host() {
        for (text, host, port, shown) in [
            (
                "ws://127.0.0.1:8080/ws/",
                "127.0.0.1",
                8080,
                "ws://127.0.0.1:8080/ws/",
            ),
            ("http://a.test", "a.test", 80, "ws://a.test/"),
            (
                "wss://a.test/x?token=c4nary",
                "a.test",
                443,
                "wss://a.test/x",
            ),
            ("https://[::1]:8443/", "::1", 8443, "wss://[::1]:8443/"),
        ] {
            let url = ProbeUrl::parse(text).unwrap();
            assert_eq!((&*url.host, url.port), (host, port), "{text}");
            assert_eq!(url.to_string(), shown);
        }
        for text in [
            "",
            "a.test",
            "127.0.0.1:8080/c4nary",
            "ftp://a.test/",
            "ws:///c4nary",
            "ws://a.test:0/",
            "ws://a.test:/",
            "ws://a.test:99999/",
            "ws://me:c4nary@a.test/",
            "ws://a.test/two words",
            "ws://a.test/#c4nary",
        ] {
            let wrong = ProbeUrl::parse(text).expect_err(text).to_string();
            assert!(wrong.starts_with("the URL is wrong: "), "{wrong}");
            assert!(!wrong.contains("c4nary"), "{wrong}");
        }
    }
}
