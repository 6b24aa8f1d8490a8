//! Settings that are text of a certain kind.

use std::str::FromStr;

use super::error::Problem;
use super::reader::FromText;
use super::value::ValueError;
use super::words::unknown_word;
use super::{HostPattern, OriginPattern, PathPattern, Secret};

/// The name of a route: a word for logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(pub(super) String);

/// The name of a subprotocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subprotocol(pub(super) String);

/// What the log shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogFilter(pub(super) String);

/// A value that has its form in a module of its own.
#[derive(Clone, Debug)]
pub(super) struct Parsed<T>(pub(super) T);

/// What [`Parsed`] can hold.
pub(super) trait Pattern: FromStr<Err = ValueError> + Clone {
    const FORM: &'static str;
}

impl Pattern for HostPattern {
    const FORM: &'static str = "a host such as \"chat.example.com\"";
}

impl Pattern for PathPattern {
    const FORM: &'static str = "a path such as \"/ws/*\"";
}

impl Pattern for OriginPattern {
    const FORM: &'static str = "an origin such as \"https://example.com\"";
}

impl<T: Pattern> FromText for Parsed<T> {
    const FORM: &'static str = T::FORM;

    fn from_text(text: &str) -> Result<Self, Problem> {
        Ok(Self(text.parse()?))
    }
}

impl FromText for String {
    const FORM: &'static str = "a string";

    fn from_text(text: &str) -> Result<Self, Problem> {
        Ok(text.to_owned())
    }
}

impl FromText for Name {
    const FORM: &'static str = "a name";

    fn from_text(text: &str) -> Result<Self, Problem> {
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        match !text.is_empty() && text.len() <= 64 && text.bytes().all(is_name_byte) {
            true => Ok(Self(text.to_owned())),
            false => Err(Problem::new(format!("`{text}` cannot be a name"))
                .help("a name has 1 to 64 letters, digits, `-`, `_` and `.`")),
        }
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "string", "pattern": r"^[A-Za-z0-9._-]{1,64}$|\$\{" })
    }
}

impl FromText for Subprotocol {
    const FORM: &'static str = "a subprotocol such as \"chat.v2\"";

    fn from_text(text: &str) -> Result<Self, Problem> {
        // RFC 6455 §4.1 makes it a token of HTTP, as a header's name is.
        let is_token_byte =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        match !text.is_empty() && text.bytes().all(is_token_byte) {
            true => Ok(Self(text.to_owned())),
            false => Err(Problem::new(format!("`{text}` cannot be a subprotocol"))
                .help("a subprotocol is a word without spaces, commas or quotes")),
        }
    }
}

impl FromText for Secret {
    const FORM: &'static str = "a token";

    fn from_text(text: &str) -> Result<Self, Problem> {
        // It has to fit into `Authorization: Bearer …`.
        match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self::new(text.to_owned())),
            false => Err(Problem::new("this cannot be a token")
                .help("a token is not empty and has visible ASCII characters only")),
        }
    }
}

impl FromText for LogFilter {
    const FORM: &'static str = "a level such as \"info\"";

    fn from_text(text: &str) -> Result<Self, Problem> {
        const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
        // A filter takes any lone word for the name of a module, a mistyped level too.
        let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_word && !LEVELS.contains(&text) {
            return Err(unknown_word(text, || LEVELS.into_iter()));
        }
        match is_filter(text) {
            true => Ok(Self(text.to_owned())),
            false => Err(
                Problem::new(format!("`{text}` is not a filter for the log"))
                    .help("write a level, or a filter such as \"info,wsgate=debug\""),
            ),
        }
    }
}

#[cfg(feature = "server")]
fn is_filter(text: &str) -> bool {
    tracing_subscriber::EnvFilter::try_new(text).is_ok()
}

/// The library sets no log up.
#[cfg(not(feature = "server"))]
fn is_filter(_: &str) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_refused_where_it_would_not_fit() {
        let long = "x".repeat(65);
        for (text, name, subprotocol, secret) in [
            ("chat.v2", true, true, true),
            ("chat_v2-b", true, true, true),
            ("a+b", false, true, true),
            ("a,b", false, false, true),
            ("a b", false, false, false),
            ("", false, false, false),
            ("a\nb", false, false, false),
            ("ä", false, false, false),
            (&long, false, true, true),
        ] {
            assert_eq!(Name::from_text(text).is_ok(), name, "{text:?}");
            assert_eq!(
                Subprotocol::from_text(text).is_ok(),
                subprotocol,
                "{text:?}"
            );
            assert_eq!(Secret::from_text(text).is_ok(), secret, "{text:?}");
        }
    }

    #[test]
    fn a_mistyped_level_is_not_taken_for_a_module() {
        for text in ["info", "off", "info,wsgate=debug"] {
            assert!(LogFilter::from_text(text).is_ok(), "{text}");
        }
        for text in ["", "inof", "INFO2"] {
            assert!(LogFilter::from_text(text).is_err(), "{text}");
        }
    }

    #[cfg(feature = "server")]
    #[test]
    fn a_filter_must_parse() {
        assert!(LogFilter::from_text("wsgate=loud").is_err());
    }
}
