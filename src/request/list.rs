//! Tokens and comma-separated lists (RFC 9110 §5.6).

use http::{HeaderMap, HeaderName, HeaderValue};

/// An element of a list is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAToken;

/// The elements of a list of tokens, over all of its lines; empty ones do not count
/// (RFC 9110 §5.6.1.2).
pub(super) fn tokens<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
) -> Result<Vec<&'a str>, NotAToken> {
    elements(lines)
        .filter(|element| !element.is_empty())
        .map(|element| token(element).ok_or(NotAToken))
        .collect()
}

/// Whether a list holds the token, in any case; what else it holds does not matter.
pub(crate) fn has_token<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>, token: &str) -> bool {
    elements(lines).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// The value of a header that may have one line only.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = headers.get_all(name).into_iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => Some(line),
        _ => None,
    }
}

/// The text, if it is a token (RFC 9110 §5.6.2).
pub(super) fn token(text: &[u8]) -> Option<&str> {
    match !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte)) {
        true => std::str::from_utf8(text).ok(),
        false => None,
    }
}

/// `tchar` (RFC 9110 §5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Takes the optional white space (RFC 9110 §5.6.3) off both ends.
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

pub(super) fn elements<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
) -> impl Iterator<Item = &'a [u8]> {
    let lines = lines.into_iter();
    lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b',').map(trim))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::CONNECTION;

    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        let lines = lines
            .iter()
            .map(|line| (CONNECTION, HeaderValue::from_static(line)));
        lines.collect()
    }

    #[test]
    fn a_list_runs_over_all_its_lines() {
        let headers = headers(&["keep-alive ,\tUPGRADE", "", ", x,"]);
        assert_eq!(
            tokens(headers.get_all(CONNECTION)),
            Ok(vec!["keep-alive", "UPGRADE", "x"])
        );
        assert!(has_token(headers.get_all(CONNECTION), "upgrade"));
        assert!(!has_token(headers.get_all(CONNECTION), "keep"));
    }

    #[test]
    fn what_is_not_a_token_spoils_the_list() {
        for line in ["a b", "a;b", "\"a\"", "a/b", "a=b"] {
            assert_eq!(
                tokens(headers(&["x", line]).get_all(CONNECTION)),
                Err(NotAToken),
                "{line}"
            );
        }
    }
}
