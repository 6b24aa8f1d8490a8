//! Everything that is wrong with a set of settings, with the places where it is.

pub(super) mod lines;
#[cfg(feature = "server")]
mod render;

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use self::lines::Lines;
use super::values::ValueError;

/// The errors of one set of settings, in the order of the file: all of them, or the first 50.
///
/// `Display` writes one line an error, `file:line:column: message`; settings that stand in no file
/// have the key in the place of line and column. Neither it nor `Debug` shows a secret or what an
/// environment variable holds.
#[derive(Clone)]
pub struct ConfigErrors {
    name: Arc<str>,
    /// The file with its secrets starred out, byte for byte as long as the file itself.
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    text: Arc<str>,
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    lines: Lines,
    errors: Vec<ConfigError>,
    /// How many more there are.
    left_out: usize,
    /// Whether the settings were checked to their end.
    is_complete: bool,
    source: Option<Arc<io::Error>>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problem: ValueError,
    /// Bytes of the file; `None` for the file as a whole, and where there is no file.
    span: Option<Range<usize>>,
    key: Option<String>,
    /// Line and column, both from 1, the column in characters.
    position: Option<(usize, usize)>,
}

impl ConfigErrors {
    pub(super) fn new(name: &str, masked: String, mut errors: Vec<ConfigError>) -> Self {
        errors.sort_by_key(|error| error.span.as_ref().map(|span| (span.start, span.end)));
        // A mistake in `[defaults]` is found again in every route that it holds for.
        errors.dedup_by(|later, earlier| {
            later.span.is_some() && later.span == earlier.span && later.problem == earlier.problem
        });
        let left_out = errors.len().saturating_sub(MOST_SHOWN);
        errors.truncate(MOST_SHOWN);
        let lines = Lines::of(&masked);
        for error in &mut errors {
            let span = error.span.as_ref();
            error.position = span.map(|span| lines.position(&masked, span.start));
        }
        Self {
            name: name.into(),
            text: masked.into(),
            lines,
            errors,
            left_out,
            is_complete: true,
            source: None,
        }
    }

    /// Notes that checking ended before the settings did, because there were too many errors.
    pub(super) fn incomplete(self) -> Self {
        Self {
            is_complete: false,
            ..self
        }
    }

    /// The file could not be read at all.
    pub(super) fn unreadable(name: &str, source: io::Error) -> Self {
        let mut errors = Self::whole(name, ValueError::new("this file cannot be read"));
        errors.source = Some(Arc::new(source));
        errors
    }

    /// One problem without a place in a file.
    pub(super) fn whole(name: &str, problem: ValueError) -> Self {
        Self::new(name, String::new(), vec![ConfigError::whole(problem)])
    }

    /// The file's name, as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The errors, in the order of the file: at least one, and at most 50.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.errors.iter()
    }

    /// How many errors were found, with those that [`Self::iter`] leaves out.
    pub fn found(&self) -> usize {
        self.errors.len() + self.left_out
    }

    /// What to say behind the first `shown` errors: that there are more.
    pub(crate) fn rest(&self, shown: usize) -> Option<String> {
        let errors = |count| if count == 1 { "error" } else { "errors" };
        match (self.found().saturating_sub(shown), self.is_complete) {
            (0, true) => None,
            (0, false) => Some("and maybe more errors".to_owned()),
            (count, true) => Some(format!("and {count} more {}", errors(count))),
            (count, false) => Some(format!("and at least {count} more {}", errors(count))),
        }
    }
}

/// More errors are counted and not shown: they would hide what is wrong, and fill the log.
const MOST_SHOWN: usize = 50;

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.name)?;
            match (error.position, &error.key) {
                (Some((line, column)), _) => write!(f, ":{line}:{column}")?,
                (None, Some(key)) => write!(f, ": {key}")?,
                (None, None) => {}
            }
            write!(f, ": {error}")?;
        }
        match self.rest(self.errors.len()) {
            Some(rest) => write!(f, "\n{rest}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What `unwrap` prints: the errors are worth more there than the text of the file.
        write!(f, "ConfigErrors({self})")
    }
}

impl std::error::Error for ConfigErrors {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl ConfigError {
    pub(super) fn at(span: Range<usize>, problem: ValueError) -> Self {
        Self {
            span: Some(span),
            ..Self::whole(problem)
        }
    }

    pub(super) fn whole(problem: ValueError) -> Self {
        Self {
            problem,
            span: None,
            key: None,
            position: None,
        }
    }

    /// Adds the key that the error is about.
    pub(super) fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned()).filter(|key| !key.is_empty());
        self
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        self.problem.message()
    }

    /// What would be right, if that is known.
    pub fn help(&self) -> Option<&str> {
        self.problem.suggestion()
    }

    /// The key, such as `route[0].limits.message_size`; `None` where it is about no key.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The line, from 1; `None` for the file as a whole, and where there is no file.
    pub fn line(&self) -> Option<usize> {
        self.position.map(|(line, _)| line)
    }

    /// The column in characters, from 1; `None` where there is no line.
    pub fn column(&self) -> Option<usize> {
        self.position.map(|(_, column)| column)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_has_a_line_for_each_error_once_in_the_order_of_the_file() {
        let error = |span, message| ConfigError::at(span, ValueError::new(message));
        let errors = ConfigErrors::new(
            "a.toml",
            "one\ntwo\n".to_owned(),
            vec![
                error(4..7, "second\u{1b}"),
                ConfigError::at(0..3, ValueError::new("first").help("mend it")),
                error(4..7, "second\u{1b}"),
            ],
        );
        assert_eq!(
            errors.to_string(),
            "a.toml:1:1: first (mend it)\na.toml:2:1: second\\u{1b}"
        );
        assert_eq!(errors.iter().count(), 2);
    }

    #[test]
    fn of_many_errors_the_first_ones_are_shown_and_the_rest_is_counted() {
        let errors = |count: usize| {
            let error = |offset| ConfigError::at(offset..offset, ValueError::new("wrong"));
            ConfigErrors::new("a.toml", "x".repeat(count), (0..count).map(error).collect())
        };
        for (count, rest) in [
            (50, None),
            (51, Some("and 1 more error")),
            (1_000, Some("and 950 more errors")),
        ] {
            let errors = errors(count);
            assert_eq!((errors.iter().count(), errors.found()), (50, count));
            assert_eq!(errors.rest(50).as_deref(), rest);
            let text = errors.to_string();
            let last = text.lines().last().unwrap();
            assert_eq!(last, rest.unwrap_or("a.toml:1:50: wrong"));
        }
        let incomplete = errors(51).incomplete();
        assert_eq!(
            incomplete.rest(50).as_deref(),
            Some("and at least 1 more error")
        );
        assert_eq!(
            incomplete.rest(51).as_deref(),
            Some("and maybe more errors")
        );
    }
}
