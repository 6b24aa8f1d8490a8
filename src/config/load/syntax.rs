//! The errors of a text that is not TOML, in words that say what to do, without those that only follow
//! from others.

use toml::de::{DeTable, Error};

use super::keys::{KeyPlace, Keys};
use super::mask;
use crate::config::errors::{ConfigError, ConfigErrors};
use crate::config::report::FIRST;
use crate::config::values::ValueError;

/// The bytes behind the first error of a text in which more are looked for: in a text of another
/// kind each word is one, and takes more memory than the word.
const ERRORS_WITHIN: usize = 64 * 1024;

/// Lines that are neither a key with a value nor a header, from which on a text is of another kind.
const OTHER_KIND: usize = 3;

/// The errors of a text whose first error this is.
pub(super) fn errors(name: &str, text: &str, first: &Error) -> ConfigErrors {
    let start = first.span().map_or(0, |span| span.start);
    let end = text
        .get(start.saturating_add(ERRORS_WITHIN)..)
        .and_then(|rest| rest.find('\n'));
    let end = end.map_or(text.len(), |end| start + ERRORS_WITHIN + end + 1);
    let part = &text[..end];
    let (_, mut errors) = DeTable::parse_recoverable(part);
    let is_cut = end < text.len();
    // What spans several lines may end behind the cut.
    errors.retain(|error| !is_cut || error.span().is_some_and(|span| span.end < end));
    if errors.is_empty() {
        errors.push(first.clone());
    }
    let no_toml = errors.iter().filter(|error| is_no_line(error)).count();
    let is_other_kind = no_toml >= OTHER_KIND && errors.first().is_some_and(is_no_line);
    if is_other_kind {
        errors.truncate(1);
    }
    let found = Found::of(part, &errors);
    let errors = ConfigErrors::new(name, mask::by_word(text), found.explained());
    match is_cut || is_other_kind {
        true => errors.incomplete(),
        false => errors,
    }
}

/// Errors with the keys around them.
struct Found<'t> {
    text: &'t str,
    keys: Keys,
    errors: &'t [Error],
}

impl<'t> Found<'t> {
    fn of(text: &'t str, errors: &'t [Error]) -> Self {
        Self {
            text,
            keys: Keys::of(text),
            errors,
        }
    }

    fn explained(&self) -> Vec<ConfigError> {
        let mut explained = Vec::new();
        let mut repeated_tables = Vec::new();
        let is_open = self.errors.iter().any(is_open_list);
        for error in self.errors {
            if is_open && (is_in_list(error) || is_open_list(error)) {
                // All that follows is read as entries of the list.
                explained.push(self.open_list(error));
                break;
            }
            match (is_duplicate(error), explained.last()) {
                // The table that a broken header would have begun is not there.
                (true, Some(_)) if !self.errors.iter().all(is_duplicate) => {}
                (true, _) => explained.extend(self.duplicate(error, &mut repeated_tables)),
                (false, _) => explained.push(self.other(error)),
            }
        }
        explained
    }

    /// A key that is there already; nothing if it stands in a table that is there already.
    fn duplicate(&self, error: &Error, repeated_tables: &mut Vec<usize>) -> Option<ConfigError> {
        let place = error.span().and_then(|span| self.keys.at(span.start));
        let Some(KeyPlace {
            key,
            table,
            first,
            line,
            is_header,
        }) = place
        else {
            return Some(self.other(error));
        };
        if is_header {
            repeated_tables.push(key);
        } else if repeated_tables.contains(&table) {
            return None;
        }
        let message = match is_header {
            true => "this table is there already: write its keys in one place",
            false => "this key is there already, in the same table",
        };
        let problem = ValueError::new(message);
        let problem = problem.help(format!("the first one stands in line {line}"));
        let error = at(error, problem);
        Some(error.with_other(Some(first), FIRST))
    }

    fn open_list(&self, error: &Error) -> ConfigError {
        let start = error.span().map_or(0, |span| span.start);
        let problem = ValueError::new("this list has no end").help("it ends with a `]`");
        match self.keys.list_before(start) {
            Some(span) => ConfigError::at(span, problem),
            None => at(error, problem),
        }
    }

    fn other(&self, error: &Error) -> ConfigError {
        let message = error.message();
        let help = match message {
            _ if message.starts_with("string values must be quoted") => {
                let problem = ValueError::new("this value needs quotes");
                return at(error, problem.help("write it as \"…\""));
            }
            _ if is_no_line(error) => {
                "settings are TOML: `key = value`, below headers such as [[route]]; config/full.toml \
                 has all of them"
            }
            _ if message.starts_with("invalid boolean") => "`true` and `false` are in lower case",
            _ if message.starts_with("cannot extend") => {
                "a part of this key has a value already: write it as a table, or leave one out"
            }
            _ if message.starts_with("unexpected key or value")
                && self.text_at(error).starts_with(',') =>
            {
                "a line has no comma at its end"
            }
            _ if message.contains("literal string") || message.contains("basic string") => {
                "a text begins and ends with the same quotes, on one line"
            }
            _ => return at(error, ValueError::new(message)),
        };
        at(error, ValueError::new(message).help(help))
    }

    fn text_at(&self, error: &Error) -> &'t str {
        let start = error.span().map_or(0, |span| span.start);
        self.text.get(start..).unwrap_or_default()
    }
}

fn at(error: &Error, problem: ValueError) -> ConfigError {
    match error.span() {
        Some(span) => ConfigError::at(span, problem),
        None => ConfigError::whole(problem),
    }
}

fn is_duplicate(error: &Error) -> bool {
    error.message() == "duplicate key"
}

/// Whether a line has another form than those of TOML.
fn is_no_line(error: &Error) -> bool {
    let message = error.message();
    [
        "key with no value",
        "invalid key-value pair",
        "invalid unquoted key",
    ]
    .iter()
    .any(|start| message.starts_with(start))
}

fn is_open_list(error: &Error) -> bool {
    error.message().starts_with("unclosed array,")
}

fn is_in_list(error: &Error) -> bool {
    let message = error.message();
    message.contains("between array elements") || message.contains("in array")
}
