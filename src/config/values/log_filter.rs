//! What the log shows: a level, or a filter of the `tracing` crates.

use super::error::ValueError;
use super::text::Text;

/// A level, or a filter of the `tracing` crates.
pub(in crate::config) struct LogFilter;

impl Text for LogFilter {
    type Value = String;
    const FORM: &'static str = "a level such as \"info\"";

    fn parse(text: &str) -> Result<String, ValueError> {
        const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
        // A filter takes any lone word for the name of a module, a mistyped level too.
        let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_word && !LEVELS.contains(&text) {
            return Err(ValueError::unknown_word(text, &LEVELS));
        }
        match is_filter(text) {
            true => Ok(text.to_owned()),
            false => Err(
                ValueError::new(format!("`{text}` is not a filter for the log"))
                    .help("write a level, or a filter such as \"info,wsgate=debug\""),
            ),
        }
    }

    fn print(filter: &String) -> String {
        filter.clone()
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
    fn a_mistyped_level_is_not_taken_for_a_module() {
        for text in ["info", "off", "info,wsgate=debug"] {
            assert!(LogFilter::parse(text).is_ok(), "{text}");
        }
        for text in ["", "inof", "INFO2"] {
            assert!(LogFilter::parse(text).is_err(), "{text}");
        }
    }

    #[cfg(feature = "server")]
    #[test]
    fn a_filter_must_parse() {
        assert!(LogFilter::parse("wsgate=loud").is_err());
    }
}
