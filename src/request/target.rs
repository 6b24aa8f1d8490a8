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
    authority: Authority,
    uri: Uri,
    /// The path, where it was not received in its normal form.
    normal_path: Option<Box<str>>,
}

impl Target {
    /// Reads the target of a request.
    ///
    /// # Errors
    /// [`Rejection::Host`] for a `Host` that is missing, doubled or not an authority,
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
        Ok(Self { authority, ..self })
    }

    /// The target of a request that is looked at for nothing else.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(parts: &Parts) -> Result<Self, Rejection> {
        let lines = Lines::read(&parts.headers);
        Self::read(&parts.uri, parts.version, &lines)
    }

    /// The host in lower case, without a trailing dot; an IPv6 address in brackets.
    pub(crate) fn host(&self) -> &str {
        &self.authority.text[..self.authority.host_length]
    }

    /// The port, where the request names one.
    pub(crate) fn port(&self) -> Option<u16> {
        self.authority.port
    }

    /// Host and port together, as `Host` has them.
    pub(crate) fn authority(&self) -> &str {
        &self.authority.text
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
            .field("authority", &self.authority.text)
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

fn authority_of(uri: &Uri, version: Version, host: Line<'_>) -> Result<Authority, Rejection> {
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
        (None, Some(host)) => Ok(host),
        (Some(named), Some(host)) if named == host => Ok(named),
        (Some(_), Some(_)) => Err(Rejection::AuthorityMismatch),
        // From HTTP/2 on, the request line's own authority stands alone (RFC 9113 §8.3.1).
        (Some(named), None) if version > Version::HTTP_11 => Ok(named),
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
mod tests {
    use http::Request;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn target(uri: &str, hosts: &[&str]) -> Result<Target, Rejection> {
        let mut request = Request::get(uri);
        for host in hosts {
            request = request.header("host", *host);
        }
        Target::of(&request.body(()).unwrap().into_parts().0)
    }

    #[rstest]
    #[case("example.com", "example.com", "example.com", None)]
    #[case("EXAMPLE.com.", "example.com", "example.com", None)]
    #[case("example.com:8080", "example.com:8080", "example.com", Some(8080))]
    #[case("example.com.:80", "example.com:80", "example.com", Some(80))]
    #[case("example.com:", "example.com", "example.com", None)]
    #[case("my_app:1", "my_app:1", "my_app", Some(1))]
    #[case("192.0.2.1:65535", "192.0.2.1:65535", "192.0.2.1", Some(65535))]
    #[case("[::1]", "[::1]", "[::1]", None)]
    #[case("[2001:DB8:0::1]:443", "[2001:db8::1]:443", "[2001:db8::1]", Some(443))]
    fn an_authority_has_one_form(
        #[case] host: &str,
        #[case] authority: &str,
        #[case] name: &str,
        #[case] port: Option<u16>,
    ) {
        let target = target("/ws", &[host]).unwrap();
        assert_eq!(target.authority(), authority);
        assert_eq!(target.host(), name);
        assert_eq!(target.port(), port);
    }

    #[rstest]
    #[case(&[])]
    #[case(&["a.example", "a.example"])]
    #[case(&[""])]
    #[case(&["a.example,b.example"])]
    #[case(&["a.example b.example"])]
    #[case(&["user@a.example"])]
    #[case(&["user:secret@a.example"])]
    #[case(&["a.example:0"])]
    #[case(&["a.example:65536"])]
    #[case(&["a.example:99999"])]
    #[case(&["a.example:+80"])]
    #[case(&["a.example:80:80"])]
    #[case(&["a.example:http"])]
    #[case(&["a.example/ws"])]
    #[case(&[".example"])]
    #[case(&["a..example"])]
    #[case(&["."])]
    #[case(&["%61.example"])]
    #[case(&["::1"])]
    #[case(&["[::1"])]
    #[case(&["[::1]8080"])]
    #[case(&["[fe80::1%25eth0]"])]
    #[case(&["[example.com]"])]
    #[case(&["a\u{e9}.example"])]
    fn a_wrong_host_is_refused(#[case] hosts: &[&str]) {
        assert_eq!(target("/ws", hosts), Err(Rejection::Host));
    }

    #[test]
    fn a_host_name_has_an_end() {
        let long = |length| "a".repeat(length);
        assert!(target("/", &[&long(253)]).is_ok());
        assert_eq!(target("/", &[&long(254)]), Err(Rejection::Host));
    }

    #[test]
    fn an_absolute_target_and_its_host_are_one_authority() {
        let same = target("http://A.example:80/ws?x", &["a.example.:80"]).unwrap();
        assert_eq!(same.authority(), "a.example:80");
        assert_eq!((same.path(), same.query()), ("/ws", Some("x")));
        for (uri, host) in [
            ("http://b.example/ws", "a.example"),
            ("http://a.example:81/ws", "a.example"),
            ("http://a.example:81/ws", "a.example:80"),
        ] {
            assert_eq!(
                target(uri, &[host]),
                Err(Rejection::AuthorityMismatch),
                "{uri}"
            );
        }
        let user = target("http://a.example@b.example/ws", &["b.example"]);
        assert_eq!(user, Err(Rejection::Host));
        assert_eq!(target("http://a.example/ws", &[]), Err(Rejection::Host));
    }

    #[test]
    fn a_forwarded_host_is_one_authority() {
        let with_host = |host| target("/ws", &["a.example"]).unwrap().with_host(host);
        let found = with_host("App.example:8443").unwrap();
        assert_eq!(
            (found.authority(), found.path()),
            ("app.example:8443", "/ws")
        );
        for wrong in [
            "",
            "a.example, b.example",
            "a.example/",
            "a.example:0",
            "-\t",
        ] {
            assert_eq!(with_host(wrong), Err(Rejection::Header), "{wrong}");
        }
    }

    #[test]
    fn the_authority_of_an_http_2_request_stands_alone() {
        let request = Request::get("https://A.example/").version(Version::HTTP_2);
        let parts = request.body(()).unwrap().into_parts().0;
        assert_eq!(Target::of(&parts).unwrap().authority(), "a.example");
    }

    #[rstest]
    #[case("/../admin")]
    #[case("/ws/..")]
    #[case("/ws/./x")]
    #[case("/ws/.")]
    #[case("/ws/%2e%2e/admin")]
    #[case("/ws/.%2E/admin")]
    #[case("/ws/..;/admin")]
    #[case("/ws/..;x=1/admin")]
    #[case("/ws/.%2e%3b/admin")]
    #[case("/ws/.;/admin")]
    #[case("/ws%2f..%2fadmin")]
    #[case("/ws/..%2Fadmin")]
    #[case("/ws/a%2F%2e")]
    #[case("/ws%5c..%5cadmin")]
    #[case("/ws\\admin")]
    #[case("/ws/%00")]
    #[case("/ws/%0d%0ax")]
    #[case("/ws/%7f")]
    #[case("/ws/%")]
    #[case("/ws/%2")]
    #[case("/ws/%+1")]
    #[case("/ws/%zz")]
    #[case("/ws/%c0%ae%C0%AE/admin")]
    #[case("/ws/%c1%bf")]
    #[case("/ws%e0%80%afadmin")]
    #[case("/ws%f0%80%80%afadmin")]
    #[case("/ws/\u{e9}")]
    #[case("/ws/\"a\"")]
    #[case("*")]
    fn a_path_that_could_mean_two_things_is_refused(#[case] path: &str) {
        assert_eq!(target(path, &["a.example"]), Err(Rejection::Path));
    }

    #[rstest]
    #[case("/", None)]
    #[case("//ws//x/", None)]
    #[case("/ws/...", None)]
    #[case("/ws/..x/.y", None)]
    #[case("/ws/a%20b;v=1", None)]
    #[case("/ws/%252e%252e", None)]
    #[case("/WS/%C3%A9", None)]
    #[case("/ws?a=../..&b=%2f%00%61", Some("a=../..&b=%2f%00%61"))]
    #[case("/ws?q={[a|b]}^`\\'", Some("q={[a|b]}^`\\'"))]
    #[case("/ws?", Some(""))]
    fn any_other_path_stays_as_it_is(#[case] uri: &str, #[case] query: Option<&str>) {
        let target = target(uri, &["a.example"]).unwrap();
        assert_eq!(target.path(), uri.split('?').next().unwrap());
        assert_eq!(target.query(), query);
    }

    #[rstest]
    #[case("/ws/%61dmin", "/ws/admin")]
    #[case("/caf%c3%a9/%7euser", "/caf%C3%A9/~user")]
    #[case("/ws/a|b", "/ws/a%7Cb")]
    #[case("http://a.example/%77s?%77", "/ws")]
    #[case("/ws%2fadmin/%2F", "/ws%2Fadmin/%2F")]
    fn a_path_has_one_form(#[case] uri: &str, #[case] path: &str) {
        assert_eq!(target(uri, &["a.example"]).unwrap().path(), path);
    }

    #[rstest]
    #[case("/ws?\u{e9}")]
    #[case("http://a.example/ws?\u{e9}")]
    #[case("http://a.example/\u{e9}")]
    #[case("ftp://a.example/ws")]
    #[case("file://a.example/ws")]
    #[case("httpx://a.example/ws")]
    fn a_target_that_is_none_of_http_is_refused(#[case] uri: &str) {
        assert_eq!(target(uri, &["a.example"]), Err(Rejection::Path));
    }

    #[rstest]
    #[case("http")]
    #[case("HTTPS")]
    #[case("ws")]
    #[case("Wss")]
    fn an_absolute_target_has_a_scheme_of_http(#[case] scheme: &str) {
        let uri = format!("{scheme}://a.example/ws");
        assert!(target(&uri, &["a.example"]).is_ok());
    }

    #[test]
    fn a_target_does_not_show_its_query() {
        let target = target("/ws?token=canary", &["a.example"]).unwrap();
        assert!(!format!("{target:?}").contains("canary"));
    }

    proptest! {
        #[test]
        fn an_authority_is_its_own_normal_form(text in "[a-zA-Z0-9.:\\[\\]_%@, -]{0,24}") {
            if let Some(authority) = Authority::parse(text.as_bytes()) {
                let again = Authority::parse(authority.text.as_bytes());
                prop_assert_eq!(again, Some(authority));
            }
        }

        #[test]
        fn no_host_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..16)) {
            if let Some(authority) = Authority::parse(&text) {
                let again = Authority::parse(authority.text.as_bytes());
                prop_assert_eq!(again, Some(authority));
            }
        }
    }
}
