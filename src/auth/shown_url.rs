//! A URL as logs may have it.

use http::Uri;

/// The URL without its query, which may be a secret.
pub(super) fn shown(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or_default();
    let authority = url.authority().map_or("", |authority| {
        let authority = authority.as_str();
        authority.rsplit('@').next().unwrap_or(authority)
    });
    format!("{scheme}://{authority}{}", url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, expected) in [
            ("https://a.test/keys?canary=1", "https://a.test/keys"),
            ("http://me:canary@[::1]:81/x", "http://[::1]:81/x"),
            ("https://a.test", "https://a.test/"),
        ] {
            assert_eq!(shown(&url.parse().unwrap()), expected);
        }
    }
}
