//! Origins of web pages, and patterns of them.

use std::fmt;
use std::str::FromStr;

use super::error::ValueError;
use super::host::{HostPattern, is_below};
use super::text::text;

/// One entry of `allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginPattern {
    /// `"same-origin"`: host and port of the `Origin` are those of the request's authority.
    SameOrigin,
    /// `"*"`: any origin.
    Any,
    /// `"https://example.com"`: this one.
    Exact(ExactOrigin),
    /// `"https://*.example.com"`: the names below `example.com`, however deep.
    Below(ExactOrigin),
    /// `"moz-extension://*"`: every origin of a scheme that is not the web's.
    Scheme(String),
}

/// Scheme, host and port of a pattern. Of [`OriginPattern::Below`], the host begins with its dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactOrigin {
    scheme: String,
    host: String,
    port: Port,
}

/// The port of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    /// `:*`
    Any,
    /// This one, or none where the scheme has no default.
    Exactly(Option<u16>),
}

/// A serialized origin (RFC 6454 §6.2), as it stands in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    /// Compare it without regard to case.
    pub(crate) scheme: &'a str,
    /// Compare it without regard to case; an IPv6 address keeps its brackets.
    pub(crate) host: &'a str,
    /// As written, or else the scheme's default where it has one.
    pub(crate) port: Option<u16>,
}

impl OriginPattern {
    /// Whether the pattern names this origin, whatever the request; never so for
    /// [`OriginPattern::SameOrigin`].
    pub(crate) fn matches(&self, origin: &Origin<'_>) -> bool {
        match self {
            Self::SameOrigin => false,
            Self::Any => true,
            Self::Exact(exact) => {
                exact.has_scheme_and_port_of(origin) && exact.host.eq_ignore_ascii_case(origin.host)
            }
            Self::Below(above) => {
                above.has_scheme_and_port_of(origin) && is_below(origin.host, &above.host)
            }
            Self::Scheme(scheme) => scheme.eq_ignore_ascii_case(origin.scheme),
        }
    }
}

impl ExactOrigin {
    fn has_scheme_and_port_of(&self, origin: &Origin<'_>) -> bool {
        let port = match self.port {
            Port::Any => true,
            Port::Exactly(port) => port == origin.port,
        };
        port && self.scheme.eq_ignore_ascii_case(origin.scheme)
    }
}

impl<'a> Origin<'a> {
    /// Takes one serialized origin, and nothing else: no path, no list, no `null`.
    ///
    /// The web's origins have a host; those of other schemes (`file://`) may have none.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let (host, port) = split_port(authority)?;
        let scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        let name = match host.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .filter(|rest| is_ipv6(rest))
                .is_some(),
            None => host.bytes().all(host_byte),
        };
        let right = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(scheme_byte)
            && name
            && (!host.is_empty() || !is_web(scheme) && port.is_none());
        right.then(|| Self {
            scheme,
            host,
            port: port.or_else(|| default_port(scheme)),
        })
    }
}

impl FromStr for OriginPattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "same-origin" => return Ok(Self::SameOrigin),
            "*" => return Ok(Self::Any),
            "null" => {
                let message = "`null` is not listed: set `null = \"allow\"` to let it in";
                return Err(ValueError::new(message));
            }
            _ => (),
        }
        let Some((scheme, authority)) = text.split_once("://") else {
            return Err(ValueError::new(format!(
                "`{text}` is not an origin: write `same-origin`, `*`, `https://example.com` or \
                 `https://*.example.com`"
            )));
        };
        if authority.contains(['/', '?', '#']) {
            let host = authority.split(['/', '?', '#']).next().unwrap_or("");
            return Err(ValueError::new(format!(
                "`{text}` has a path or a slash at its end: an origin is scheme, host and port \
                 alone; write `{scheme}://{host}`"
            )));
        }
        match (is_web(scheme), authority) {
            (true, "*") => Err(ValueError::new(format!(
                "`{text}` names no host: write `*` for every page, or `{scheme}://example.com`"
            ))),
            (true, _) => parse_web(text, scheme, authority),
            (false, "*") => parse_scheme(text, scheme),
            (false, _) => parse_opaque(text),
        }
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (exact, star) = match self {
            Self::SameOrigin => return f.write_str("same-origin"),
            Self::Any => return f.write_str("*"),
            Self::Scheme(scheme) => return write!(f, "{scheme}://*"),
            Self::Exact(exact) => (exact, ""),
            Self::Below(exact) => (exact, "*"),
        };
        write!(f, "{}://{star}{}", exact.scheme, exact.host)?;
        match exact.port {
            Port::Any => f.write_str(":*"),
            Port::Exactly(Some(port)) if Some(port) != default_port(&exact.scheme) => {
                write!(f, ":{port}")
            }
            Port::Exactly(_) => Ok(()),
        }
    }
}

text!(
    OriginPattern,
    "an origin such as \"https://example.com\"",
    r"^(same-origin|\*|[A-Za-z][A-Za-z0-9+.-]*://[^/?#@\s]+)$"
);

fn parse_web(text: &str, scheme: &str, authority: &str) -> Result<OriginPattern, ValueError> {
    let (host, port) = match authority.strip_suffix(":*") {
        Some(host) => (host, Port::Any),
        None => match split_port(authority) {
            Some((host, port)) => (host, Port::Exactly(port.or_else(|| default_port(scheme)))),
            None => {
                return Err(ValueError::new(format!(
                    "`{text}`: the port is a number from 1 to 65535, or `*`"
                )));
            }
        },
    };
    // Printed back, the host is in lower case and an address in its shortest form, which are the
    // forms that browsers send.
    let host: HostPattern = host
        .parse()
        .map_err(|error: ValueError| ValueError::new(format!("`{text}`: {}", error.message())))?;
    let host = host.to_string();
    let scheme = scheme.to_ascii_lowercase();
    Ok(match host.strip_prefix('*') {
        Some(suffix) => OriginPattern::Below(ExactOrigin {
            host: suffix.to_owned(),
            scheme,
            port,
        }),
        None => OriginPattern::Exact(ExactOrigin { scheme, host, port }),
    })
}

/// An origin of a browser extension or an app shell: its host is whatever the shell made up.
fn parse_opaque(text: &str) -> Result<OriginPattern, ValueError> {
    let (without_port, any_port) = match text.strip_suffix(":*") {
        Some(without_port) => (without_port, true),
        None => (text, false),
    };
    let Some(origin) = Origin::parse(without_port) else {
        return Err(ValueError::new(format!(
            "`{text}` is not an origin: write an app's origin as the client sends it, like \
             `capacitor://localhost`, or `scheme://*` for all of its scheme"
        )));
    };
    Ok(OriginPattern::Exact(ExactOrigin {
        scheme: origin.scheme.to_ascii_lowercase(),
        host: origin.host.to_ascii_lowercase(),
        port: match any_port {
            true => Port::Any,
            false => Port::Exactly(origin.port),
        },
    }))
}

/// Every origin of an app shell's or an extension's scheme. Some make up a host for each installation.
fn parse_scheme(text: &str, scheme: &str) -> Result<OriginPattern, ValueError> {
    // The scheme is one exactly if an origin has it.
    match Origin::parse(&format!("{scheme}://host")) {
        Some(_) => Ok(OriginPattern::Scheme(scheme.to_ascii_lowercase())),
        None => Err(ValueError::new(format!("`{text}` has no scheme"))),
    }
}

/// Splits the port off an authority; `None` if it is not a port.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let host = match authority.starts_with('[') {
        true => authority.find(']').map_or(authority.len(), |end| end + 1),
        false => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(host);
    if port.is_empty() {
        return Some((host, None));
    }
    let digits = port.strip_prefix(':')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let port = digits.parse().ok().filter(|_| plain)?;
    Some((host, Some(port)))
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

fn is_web(scheme: &str) -> bool {
    default_port(scheme).is_some()
}

fn default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("https") {
        Some(443)
    } else if scheme.eq_ignore_ascii_case("http") {
        Some(80)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::exact("https://example.com", "https://example.com", true)]
    #[case::header_case("https://example.com", "HTTPS://EXAMPLE.com", true)]
    #[case::pattern_case("HTTPS://Example.COM", "https://example.com", true)]
    #[case::default_port_sent("https://example.com", "https://example.com:443", true)]
    #[case::default_port_listed("https://example.com:443", "https://example.com", true)]
    #[case::http_default_port("http://example.com:80", "http://example.com", true)]
    #[case::other_default_port("https://example.com:80", "https://example.com", false)]
    #[case::other_port("https://example.com", "https://example.com:8443", false)]
    #[case::listed_port("https://example.com:8443", "https://example.com:8443", true)]
    #[case::port_missing("https://example.com:8443", "https://example.com", false)]
    #[case::other_scheme("https://example.com", "http://example.com", false)]
    #[case::scheme_with_port("https://example.com", "http://example.com:443", false)]
    #[case::longer_host("https://example.com", "https://example.com.evil.test", false)]
    #[case::below_exact("https://example.com", "https://a.example.com", false)]
    #[case::below("https://*.example.com", "https://a.b.example.com", true)]
    #[case::below_not_apex("https://*.example.com", "https://example.com", false)]
    #[case::below_case("https://*.Example.com", "https://A.example.COM:443", true)]
    #[case::below_other_name("https://*.example.com", "https://evilexample.com", false)]
    #[case::below_other_scheme("https://*.example.com", "http://a.example.com", false)]
    #[case::below_port("https://*.example.com:8443", "https://a.example.com:8443", true)]
    #[case::below_other_port("https://*.example.com", "https://a.example.com:8443", false)]
    #[case::ipv6("http://[::1]:3000", "http://[::1]:3000", true)]
    #[case::ipv6_form("http://[0:0::1]", "http://[::1]", true)]
    #[case::extension("chrome-extension://abcdef", "chrome-extension://abcdef", true)]
    #[case::other_extension("chrome-extension://abcdef", "chrome-extension://abcdee", false)]
    #[case::app("capacitor://localhost", "capacitor://localhost", true)]
    #[case::app_port("capacitor://localhost", "capacitor://localhost:80", false)]
    #[case::file("file://", "file://", true)]
    #[case::any_port("http://localhost:*", "http://localhost:5173", true)]
    #[case::any_port_and_none("http://localhost:*", "http://localhost", true)]
    #[case::any_port_other_host("http://localhost:*", "http://localhost.evil.test:1", false)]
    #[case::any_port_other_scheme("http://localhost:*", "https://localhost:1", false)]
    #[case::any_port_below("https://*.a.test:*", "https://x.a.test:8443", true)]
    #[case::any_port_ipv6("http://[::1]:*", "http://[::1]:3000", true)]
    #[case::any_port_app("tauri://localhost:*", "tauri://localhost:1", true)]
    #[case::scheme("moz-extension://*", "moz-extension://5e2b", true)]
    #[case::scheme_case("VSCode-Webview://*", "vscode-webview://1a2b", true)]
    #[case::other_of_scheme("moz-extension://*", "chrome-extension://5e2b", false)]
    #[case::any("*", "https://example.com", true)]
    #[case::any_app("*", "capacitor://localhost", true)]
    #[case::same_origin_needs_the_request("same-origin", "https://example.com", false)]
    fn an_origin_matches_its_pattern(
        #[case] pattern: &str,
        #[case] origin: &str,
        #[case] matches: bool,
    ) {
        let pattern: OriginPattern = pattern.parse().unwrap();
        assert_eq!(pattern.matches(&Origin::parse(origin).unwrap()), matches);
    }

    #[rstest]
    #[case::empty("", "not an origin")]
    #[case::no_scheme("example.com", "not an origin")]
    #[case::null("null", "null = \"allow\"")]
    #[case::slash("https://example.com/", "write `https://example.com`")]
    #[case::path("https://example.com:8443/app", "write `https://example.com:8443`")]
    #[case::query("https://example.com?a", "path or a slash")]
    #[case::port("https://example.com:x", "1 to 65535")]
    #[case::port_zero("https://example.com:0", "1 to 65535")]
    #[case::port_too_high("https://example.com:65536", "1 to 65535")]
    #[case::no_port("https://example.com:", "1 to 65535")]
    #[case::any_host("https://*", "write `*` for every page")]
    #[case::any_host_and_port("https://*:*", "no host")]
    #[case::star_inside("https://a.*.com", "before the first dot")]
    #[case::not_ascii("https://bücher.example", "xn--")]
    #[case::user("https://me@example.com", "'@'")]
    #[case::no_host("https://", "empty")]
    #[case::opaque_wildcard("chrome-extension://a*", "`scheme://*`")]
    #[case::wildcard_scheme("*://*", "no scheme")]
    #[case::spaces("https://a.com https://b.com", "path or a slash")]
    fn a_wrong_origin_is_refused_with_its_reason(#[case] text: &str, #[case] reason: &str) {
        let error = text.parse::<OriginPattern>().unwrap_err();
        assert!(error.message().contains(reason), "{error}");
    }

    #[rstest]
    #[case::null("null")]
    #[case::empty("")]
    #[case::slash("https://example.com/")]
    #[case::path("https://example.com/a")]
    #[case::list("https://a.com https://b.com")]
    #[case::comma_list("https://a.com, https://b.com")]
    #[case::comma("https://a.com,b.com")]
    #[case::user("https://good.com@evil.com")]
    #[case::no_host("https://")]
    #[case::no_host_with_port("https://:443")]
    #[case::file_with_port("file://:1")]
    #[case::no_scheme("://a.com")]
    #[case::scheme_of_digits("1://a.com")]
    #[case::empty_port("https://a.com:")]
    #[case::zero_port("https://a.com:0")]
    #[case::signed_port("https://a.com:+443")]
    #[case::padded_port("https://a.com:0443")]
    #[case::two_ports("https://a.com:443:443")]
    #[case::bare_ipv6("https://::1")]
    #[case::open_bracket("https://[::1")]
    #[case::behind_bracket("https://[::1]a")]
    #[case::no_address("https://[a]")]
    #[case::space("https://a.com ")]
    fn what_is_not_one_origin_is_none(#[case] text: &str) {
        assert_eq!(Origin::parse(text), None);
    }

    #[rstest]
    #[case("same-origin", "same-origin")]
    #[case("*", "*")]
    #[case("HTTPS://Example.com:443", "https://example.com")]
    #[case("https://*.Example.com:80", "https://*.example.com:80")]
    #[case("http://[::1]:3000", "http://[::1]:3000")]
    #[case("app://a:1", "app://a:1")]
    #[case("http://localhost:*", "http://localhost:*")]
    #[case("Moz-Extension://*", "moz-extension://*")]
    fn a_pattern_prints_as_it_would_be_written(#[case] text: &str, #[case] printed: &str) {
        let pattern: OriginPattern = text.parse().unwrap();
        assert_eq!(pattern.to_string(), printed);
        assert_eq!(printed.parse::<OriginPattern>().unwrap(), pattern);
    }
}
