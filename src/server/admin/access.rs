//! Who is behind an admin request, as far as its head tells.

use std::hint::black_box;
use std::net::IpAddr;

use http::{HeaderMap, header, uri::Authority};

use crate::config::Secret;

/// Whether a page of another site is behind the request, as far as its browser says so.
pub(super) fn is_cross_site(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let other_site = sites.any(|site| site != "same-origin" && site != "none");
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let other_origin = origins.any(|origin| {
        let origin = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.strip_prefix("http://"));
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        origin.is_none() || origin != host
    });
    other_site || other_origin
}

/// Whether the one `Host` is an address or `localhost`, which no page of another site can have as its own.
pub(super) fn names_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(authority) = Authority::try_from(host.as_bytes()) else {
        return false;
    };
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
}

/// Whether the request has the token (RFC 6750 §2.1).
pub(super) fn bears(headers: &HeaderMap, token: &Secret) -> bool {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let (scheme, given) = match value.as_bytes().split_at_checked(b"Bearer ".len()) {
        Some(parts) => parts,
        None => return false,
    };
    scheme.eq_ignore_ascii_case(b"Bearer ") && same(given, token.expose().as_bytes())
}

/// Compares in a time that tells nothing of where two values differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let different = one.iter().zip(other).fold(0, |different, (one, other)| {
        black_box(different | (one ^ other))
    });
    one.len() == other.len() && different == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_same_only_if_all_of_them_is() {
        for (one, other, expected) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "b", false),
            ("a", "ab", false),
            ("", "a", false),
        ] {
            assert_eq!(same(one.as_bytes(), other.as_bytes()), expected);
            assert_eq!(same(other.as_bytes(), one.as_bytes()), expected);
        }
    }
}
