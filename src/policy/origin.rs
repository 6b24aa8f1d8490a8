//! Which web pages may open a session (RFC 6454, RFC 6455 §10.2).
//!
//! A browser lets every page open a WebSocket to every host, with the user's cookies, and leaves
//! it to the server to look at `Origin`.

use crate::config::{Origin, OriginPattern, OriginRules, Rule};
use crate::rejection::Rejection;
use crate::request::SingleLine;

/// Checks the request's `Origin` against a route's rules.
///
/// `host` (an IPv6 address with or without its brackets) and `port` are the request's authority,
/// the one that it was routed by. `secure` says that the client is known to speak TLS; where it
/// is not, something in front of the gate may still have taken the TLS off.
pub(crate) fn check(
    origin: &SingleLine,
    rules: &OriginRules,
    host: Option<&str>,
    port: Option<u16>,
    secure: bool,
) -> Result<(), Rejection> {
    let value = match origin {
        SingleLine::Missing => return allow_if(rules.allow_missing, Rejection::OriginMissing),
        SingleLine::Once(value) => value,
        SingleLine::Repeated => return Err(Rejection::OriginInvalid),
    };
    if value == NULL {
        return allow_if(rules.allow_null, Rejection::OriginDenied);
    }
    // `*` allows every page, so that a value that is no origin is allowed too: some devices send one.
    if rules.allow.contains(&OriginPattern::Any) {
        return Ok(());
    }
    let value = value.to_str().map_err(|_| Rejection::OriginInvalid)?;
    let origin = Origin::parse(value).ok_or(Rejection::OriginInvalid)?;
    let allowed = rules.allow.iter().any(|pattern| match pattern {
        // No page is of the same origin as a request that names no host.
        OriginPattern::SameOrigin => host.is_some_and(|host| is_same(&origin, host, port, secure)),
        _ => pattern.matches(&origin),
    });
    allow_if(allowed, Rejection::OriginDenied)
}

/// The rule that refuses this `Origin` with this rejection; none where it is malformed, which no
/// list of origins lets in.
pub(crate) fn rule(origin: &SingleLine, rejection: &Rejection) -> Option<Rule> {
    match (rejection, origin) {
        (Rejection::OriginMissing, _) => Some(Rule::OriginMissing),
        (Rejection::OriginDenied, SingleLine::Once(value)) if value == NULL => {
            Some(Rule::OriginNull)
        }
        (Rejection::OriginDenied, _) => Some(Rule::OriginAllow),
        _ => None,
    }
}

/// The Origin of a page that has none to tell (RFC 6454 §7.1).
const NULL: &str = "null";

fn allow_if(allowed: bool, otherwise: Rejection) -> Result<(), Rejection> {
    match allowed {
        true => Ok(()),
        false => Err(otherwise),
    }
}

/// Whether the page came from the authority that it opens a session to.
///
/// An authority without a port has the default one of the origin's scheme: behind a proxy that
/// takes the TLS off, a page of `https://example.com` comes with `Host: example.com`.
fn is_same(origin: &Origin<'_>, host: &str, port: Option<u16>, secure: bool) -> bool {
    let default = match origin.scheme {
        scheme if scheme.eq_ignore_ascii_case("https") => 443,
        // A page that anybody on the way may have written is not the same as one that came by TLS.
        scheme if scheme.eq_ignore_ascii_case("http") && !secure => 80,
        _ => return false,
    };
    origin.port == Some(port.unwrap_or(default))
        && without_brackets(origin.host).eq_ignore_ascii_case(without_brackets(host))
}

fn without_brackets(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use rstest::rstest;

    use super::*;

    const PLAIN: bool = false;
    const TLS: bool = true;

    fn rules(allow: &[&str]) -> OriginRules {
        OriginRules {
            allow: allow.iter().map(|text| text.parse().unwrap()).collect(),
            ..OriginRules::default()
        }
    }

    fn line(origins: &[&str]) -> SingleLine {
        let value = |origin: &str| HeaderValue::from_bytes(origin.as_bytes()).unwrap();
        match origins {
            [] => SingleLine::Missing,
            [origin] => SingleLine::Once(value(origin)),
            _ => SingleLine::Repeated,
        }
    }

    #[rstest]
    #[case::http("http://a.test", "a.test", None, PLAIN, true)]
    #[case::behind_a_tls_proxy("https://a.test", "a.test", None, PLAIN, true)]
    #[case::tls("https://a.test", "a.test", None, TLS, true)]
    #[case::http_page_for_a_tls_entry("http://a.test", "a.test", None, TLS, false)]
    #[case::http_page_on_the_tls_port("http://a.test:443", "a.test", Some(443), TLS, false)]
    #[case::case("HTTPS://A.Test", "a.tEST", None, TLS, true)]
    #[case::default_port_in_host("https://a.test", "a.test", Some(443), TLS, true)]
    #[case::default_port_in_origin("https://a.test:443", "a.test", None, TLS, true)]
    #[case::http_default_port("http://a.test", "a.test", Some(80), PLAIN, true)]
    #[case::same_port("http://a.test:8080", "a.test", Some(8080), PLAIN, true)]
    #[case::other_port("http://a.test:8080", "a.test", None, PLAIN, false)]
    #[case::port_of_host_only("http://a.test", "a.test", Some(8080), PLAIN, false)]
    #[case::https_page_on_the_http_port("https://a.test", "a.test", Some(80), PLAIN, false)]
    #[case::http_page_on_443("http://a.test", "a.test", Some(443), PLAIN, false)]
    #[case::other_host("https://b.test", "a.test", None, TLS, false)]
    #[case::below("https://x.a.test", "a.test", None, TLS, false)]
    #[case::above("https://test", "a.test", None, TLS, false)]
    #[case::ipv6("http://[::1]:80", "[::1]", None, PLAIN, true)]
    #[case::ipv6_without_brackets("http://[::1]", "::1", None, PLAIN, true)]
    #[case::no_web_page("capacitor://a.test", "a.test", None, PLAIN, false)]
    fn same_origin_is_host_and_effective_port_of_the_authority(
        #[case] origin: &str,
        #[case] host: &str,
        #[case] port: Option<u16>,
        #[case] secure: bool,
        #[case] allowed: bool,
    ) {
        let result = check(
            &line(&[origin]),
            &rules(&["same-origin"]),
            Some(host),
            port,
            secure,
        );
        let expected = allow_if(allowed, Rejection::OriginDenied);
        assert_eq!(result, expected);
    }

    #[test]
    fn no_page_is_of_the_same_origin_as_a_request_without_a_host() {
        let same = rules(&["same-origin", "https://b.test"]);
        for (origin, expected) in [
            ("http://a.test", Err(Rejection::OriginDenied)),
            ("http://localhost", Err(Rejection::OriginDenied)),
            ("https://b.test", Ok(())),
        ] {
            let result = check(&line(&[origin]), &same, None, None, PLAIN);
            assert_eq!(result, expected, "{origin}");
        }
    }

    #[rstest]
    #[case::exact(&["https://b.test"], &["https://b.test"], Ok(()))]
    #[case::second_entry(&["same-origin", "https://b.test"], &["https://b.test"], Ok(()))]
    #[case::other_port(&["https://b.test"], &["https://b.test:1"], Err(Rejection::OriginDenied))]
    #[case::other_scheme(&["https://b.test"], &["http://b.test"], Err(Rejection::OriginDenied))]
    #[case::wildcard(&["https://*.b.test"], &["https://x.b.test"], Ok(()))]
    #[case::app(&["capacitor://localhost"], &["capacitor://localhost"], Ok(()))]
    #[case::any(&["*"], &["https://evil.test"], Ok(()))]
    #[case::none_listed(&[], &["https://a.test"], Err(Rejection::OriginDenied))]
    #[case::null(&["*"], &["null"], Err(Rejection::OriginDenied))]
    #[case::any_and_none(&["*"], &[""], Ok(()))]
    #[case::any_with_path(&["https://b.test", "*"], &["https://a.test/"], Ok(()))]
    #[case::any_without_scheme(&["*"], &["localhost"], Ok(()))]
    #[case::any_not_ascii(&["*"], &["https://bücher.test"], Ok(()))]
    #[case::null_in_capitals(&["https://a.test"], &["NULL"], Err(Rejection::OriginInvalid))]
    #[case::two(&["*"], &["https://a.test", "https://a.test"], Err(Rejection::OriginInvalid))]
    #[case::list(&["https://a.test"], &["https://a.test https://b.test"], Err(Rejection::OriginInvalid))]
    #[case::comma_list(&["https://a.test"], &["https://a.test, null"], Err(Rejection::OriginInvalid))]
    #[case::empty(&["https://a.test"], &[""], Err(Rejection::OriginInvalid))]
    #[case::path(&["https://a.test"], &["https://a.test/"], Err(Rejection::OriginInvalid))]
    #[case::not_ascii(&["https://a.test"], &["https://bücher.test"], Err(Rejection::OriginInvalid))]
    #[case::user(&["https://a.test"], &["https://a.test@evil.test"], Err(Rejection::OriginInvalid))]
    fn an_origin_is_on_the_list_or_refused(
        #[case] allow: &[&str],
        #[case] origins: &[&str],
        #[case] expected: Result<(), Rejection>,
    ) {
        let result = check(&line(origins), &rules(allow), Some("a.test"), None, TLS);
        assert_eq!(result, expected);
    }

    #[test]
    fn a_missing_origin_is_for_the_route_to_decide() {
        let mut rules = rules(&[]);
        let none = line(&[]);
        assert_eq!(check(&none, &rules, Some("a.test"), None, TLS), Ok(()));
        rules.allow_missing = false;
        let refused = Err(Rejection::OriginMissing);
        assert_eq!(check(&none, &rules, Some("a.test"), None, TLS), refused);
    }

    #[test]
    fn a_null_origin_is_let_in_only_where_the_route_says_so() {
        let mut rules = rules(&[]);
        rules.allow_null = true;
        let null = line(&["null"]);
        assert_eq!(check(&null, &rules, Some("a.test"), None, TLS), Ok(()));
        let other = line(&["https://b.test"]);
        let refused = Err(Rejection::OriginDenied);
        assert_eq!(check(&other, &rules, Some("a.test"), None, TLS), refused);
    }
}
