//! Bearer tokens of requests (RFC 6750 §2.1).

use std::hint::black_box;

use http::{HeaderMap, header};

use super::library::Secret;

/// The token of a request; `None` if there is none, or more than one.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, given) = value.as_bytes().split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(given)
}

/// Compares in a time that says nothing about where the two differ.
pub(crate) fn is_same(given: &[u8], token: &Secret) -> bool {
    let token = token.expose().as_bytes();
    let different = given.iter().zip(token).fold(0, |different, (one, other)| {
        black_box(different | (one ^ other))
    });
    given.len() == token.len() && different == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_same_only_if_all_of_them_is() {
        for (one, other, expected) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "b", false),
            ("a", "ab", false),
            ("", "a", false),
        ] {
            for (given, token) in [(one, other), (other, one)] {
                let token = Secret::new(token.to_owned());
                assert_eq!(is_same(given.as_bytes(), &token), expected);
            }
        }
    }

    #[test]
    fn a_request_has_one_token_or_none() {
        for (values, expected) in [
            (&[][..], None),
            (&["Bearer a"], Some("a")),
            (&["bEARER a b"], Some("a b")),
            (&["Bearer"], None),
            (&["Basic a"], None),
            (&["Bearer a", "Bearer a"], None),
        ] {
            let value = |value: &&str| (header::AUTHORIZATION, value.parse().unwrap());
            let headers: HeaderMap = values.iter().map(value).collect();
            assert_eq!(bearer(&headers), expected.map(str::as_bytes), "{values:?}");
        }
    }
}
