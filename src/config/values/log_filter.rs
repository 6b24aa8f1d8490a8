//! What the log shows: a level, or a filter of the `tracing` crates.

use tracing::level_filters::LevelFilter;

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
        match has_levels(text) && is_filter(text) {
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

/// Whether a level stands wherever one belongs: a filter takes `inof` for the name of a target, which
/// would silence the log.
fn has_levels(filter: &str) -> bool {
    // Fields of a span, in brackets, have commas and equals signs of their own.
    let has_fields = filter.contains(['[', '{']);
    let is_level = |directive: &str| {
        let level = directive.rsplit('=').next().unwrap_or_default().trim();
        !level.is_empty() && level.parse::<LevelFilter>().is_ok()
    };
    has_fields || filter.split(',').all(is_level)
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
        for text in [
            "info",
            "off",
            "info,wsgate=debug",
            "warn,wsgate::access=INFO",
            "a[b{c=d}]",
        ] {
            assert!(LogFilter::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "inof",
            "INFO2",
            "info,inof",
            "wsgate=inof",
            "info,",
            "a=",
            "wsgate-x",
        ] {
            assert!(LogFilter::parse(text).is_err(), "{text}");
        }
    }

    #[cfg(feature = "server")]
    #[test]
    fn a_filter_must_parse() {
        assert!(LogFilter::parse("wsgate=loud").is_err());
    }
}
