//! Names that the settings give: of routes, upstreams and subprotocols.

use super::error::ValueError;
use super::text::Text;

/// The name of a route or an upstream: a word for logs.
pub(in crate::config) struct Name;

/// The name of a subprotocol.
pub(in crate::config) struct Subprotocol;

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

impl Text for Subprotocol {
    type Value = String;
    const FORM: &'static str = "a subprotocol such as \"chat.v2\"";

    fn parse(text: &str) -> Result<String, ValueError> {
        // RFC 6455 §4.1 makes it a token of HTTP, as a header's name is.
        let is_token_byte =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        match !text.is_empty() && text.bytes().all(is_token_byte) {
            true => Ok(text.to_owned()),
            false => Err(ValueError::new(format!("`{text}` cannot be a subprotocol"))
                .help("a subprotocol is a word without spaces, commas or quotes")),
        }
    }

    fn print(name: &String) -> String {
        name.clone()
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
            assert_eq!(Subprotocol::parse(text).is_ok(), subprotocol, "{text:?}");
        }
    }
}
