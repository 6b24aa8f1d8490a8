//! The URL of a server that is asked over HTTP: an identity provider, an authentication server.

use std::net::IpAddr;

use http::Uri;

use super::error::ValueError;

/// Parses a URL with https://, or with http:// for this machine.
pub(in crate::config) fn parse_secure_url(text: &str) -> Result<Uri, ValueError> {
    let url = parse_http_url(text)?;
    match url.scheme_str() == Some("http") && !is_local(url.host().unwrap_or_default()) {
        true => Err(
            ValueError::new("whoever is on the way could put in keys of its own")
                .help("use https://; http:// is for this machine: localhost, 127.0.0.1 and [::1]"),
        ),
        false => Ok(url),
    }
}

/// Parses a URL with http:// or https://.
pub(in crate::config) fn parse_http_url(text: &str) -> Result<Uri, ValueError> {
    let wrong = || {
        ValueError::new("this is no URL with http:// or https://")
            .help("write it with its host: \"https://id.example.com/keys\"")
    };
    let url: Uri = text.parse().map_err(|_| wrong())?;
    let authority = url.authority().ok_or_else(wrong)?;
    if !matches!(url.scheme_str(), Some("http" | "https")) || text.contains('#') {
        return Err(wrong());
    }
    match authority.as_str().contains('@') {
        true => Err(ValueError::new(
            "a user and a password in the URL are not sent",
        )),
        false => Ok(url),
    }
}

fn is_local(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for (text, any, secure) in [
            ("https://id.example.com/jwks.json?x=1", true, true),
            ("http://localhost:8080/jwks", true, true),
            ("http://127.0.0.2/jwks", true, true),
            ("http://[::1]:1/jwks", true, true),
            ("http://id.example.com/jwks", true, false),
            ("http://127.0.0.1.example.com/jwks", true, false),
            ("https://user:secret@id.example.com/", false, false),
            ("https://id.example.com/#part", false, false),
            ("ftp://id.example.com/", false, false),
            ("id.example.com/jwks", false, false),
            ("/etc/keys.json", false, false),
            ("https://", false, false),
        ] {
            assert_eq!(parse_http_url(text).is_ok(), any, "{text}");
            assert_eq!(parse_secure_url(text).is_ok(), secure, "{text}");
        }
    }
}
