//! Names that the settings give: of routes, upstreams and subprotocols.

use super::error::ValueError;
use super::text::Text;

/// The name of a route or an upstream: a word for logs.
pub(in crate::config) struct Name;

impl Text for Name {
    type Value = String;
    const FORM: &'static str = "a name";
    const PATTERN: Option<&'static str> = Some(r"^[A-Za-z0-9._-]{1,64}$");

    fn parse(text: &str) -> Result<String, ValueError> {
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        match !text.is_empty() && text.len() <= 64 && text.bytes().all(is_name_byte) {
            true => Ok(text.to_owned()),
            false => Err(ValueError::new(format!("`{text}` cannot be a name"))
                .help("a name has 1 to 64 letters, digits, `-`, `_` and `.`")),
        }
    }

    fn print(name: &String) -> String {
        name.clone()
    }
}

/// Checks the name of a subprotocol: a token of HTTP, as a header's name is (RFC 6455 §4.1).
pub(in crate::config) fn check_subprotocol(text: &str) -> Result<(), ValueError> {
    let is_token_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_token_byte) {
        true => Ok(()),
        false => Err(ValueError::new(format!("`{text}` cannot be a subprotocol"))
            .help("a subprotocol is a word without spaces, commas or quotes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_refused_where_it_would_not_fit() {
        let long = "x".repeat(65);
        for (text, name, subprotocol) in [
            ("chat.v2", true, true),
            ("chat_v2-b", true, true),
            ("a+b", false, true),
            ("a,b", false, false),
            ("a b", false, false),
            ("", false, false),
            ("a\nb", false, false),
            ("ä", false, false),
            (&long, false, true),
        ] {
            assert_eq!(Name::parse(text).is_ok(), name, "{text:?}");
            assert_eq!(check_subprotocol(text).is_ok(), subprotocol, "{text:?}");
        }
    }
}
