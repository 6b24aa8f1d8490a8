//! A path with a query, made of any values.

use std::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The target of a request.
#[derive(Debug)]
pub(crate) struct RequestTarget(String);

/// What RFC 3986 §2.3 leaves as it is.
const RESERVED: &AsciiSet = &(NON_ALPHANUMERIC.remove(b'-').remove(b'.'))
    .remove(b'_')
    .remove(b'~');

impl RequestTarget {
    pub(crate) fn path(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// Adds a segment to the path.
    pub(crate) fn segment(self, segment: &str) -> Self {
        Self(format!(
            "{}/{}",
            self.0,
            utf8_percent_encode(segment, RESERVED)
        ))
    }

    /// Adds a pair to the query, if there is a value.
    pub(crate) fn pair(self, key: &str, value: Option<impl Display>) -> Self {
        let Some(value) = value else { return self };
        let value = value.to_string();
        let value = utf8_percent_encode(&value, RESERVED);
        let separator = if self.0.contains('?') { '&' } else { '?' };
        Self(format!("{}{separator}{key}={value}", self.0))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_target_holds_whatever_its_values_are() {
        let target = RequestTarget::path("/upstreams")
            .segment("chat")
            .segment("ws://10.0.0.7:9001/a b")
            .pair("close", Some(true))
            .pair("over", None::<&str>)
            .pair("reason", Some("so long & 100% ä"));
        assert_eq!(
            target.as_str(),
            "/upstreams/chat/ws%3A%2F%2F10.0.0.7%3A9001%2Fa%20b?close=true\
             &reason=so%20long%20%26%20100%25%20%C3%A4"
        );
    }
}
