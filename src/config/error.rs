//! Everything that is wrong with a file, with the places where it is.

#[cfg(feature = "server")]
mod render;

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::value::ValueError;

/// All errors of one set of settings, in the order of the file.
///
/// `Display` writes one line an error, `file:line:column: message`. Neither it nor `Debug` shows a
/// secret or what an environment variable holds.
#[derive(Clone)]
pub struct ConfigErrors {
    name: Arc<str>,
    /// The file with its secrets starred out, byte for byte as long as the file itself.
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    text: Arc<str>,
    errors: Vec<ConfigError>,
    source: Option<Arc<io::Error>>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problem: Problem,
    /// Bytes of the file; `None` for the file as a whole.
    span: Option<Range<usize>>,
    /// Line and column, both from 1, the column in characters.
    position: Option<(usize, usize)>,
}

/// What is wrong with a value, wherever it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Problem {
    message: String,
    /// The words under the caret, if they are not to be the message again.
    label: Option<String>,
    help: Option<String>,
}

impl ConfigErrors {
    pub(super) fn new(name: &str, masked: String, mut errors: Vec<ConfigError>) -> Self {
        errors.sort_by_key(|error| error.span.as_ref().map(|span| (span.start, span.end)));
        // A mistake in `[defaults]` is found again in every route that it holds for.
        errors.dedup();
        for error in &mut errors {
            error.position = error
                .span
                .as_ref()
                .map(|span| position(&masked, span.start));
        }
        Self {
            name: name.into(),
            text: masked.into(),
            errors,
            source: None,
        }
    }

    /// The file could not be read at all.
    pub(super) fn unreadable(name: &str, source: io::Error) -> Self {
        let mut errors = Self::whole(name, Problem::new("this file cannot be read"));
        errors.source = Some(Arc::new(source));
        errors
    }

    /// One problem without a place in a file.
    pub(super) fn whole(name: &str, problem: Problem) -> Self {
        Self::new(name, String::new(), vec![ConfigError::whole(problem)])
    }

    /// The file's name, as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The errors, in the order of the file; at least one.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.errors.iter()
    }
}

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
            if let Some((line, column)) = error.position {
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": {error}")?;
        }
        Ok(())
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
    pub(super) fn at(span: Range<usize>, problem: Problem) -> Self {
        Self {
            problem,
            span: Some(span),
            position: None,
        }
    }

    pub(super) fn whole(problem: Problem) -> Self {
        Self {
            problem,
            span: None,
            position: None,
        }
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.problem.message
    }

    /// What would be right, where that can be told.
    pub fn help(&self) -> Option<&str> {
        self.problem.help.as_deref()
    }

    /// The line, from 1; `None` for the file as a whole.
    pub fn line(&self) -> Option<usize> {
        self.position.map(|(line, _)| line)
    }

    /// The column in characters, from 1; `None` for the file as a whole.
    pub fn column(&self) -> Option<usize> {
        self.position.map(|(_, column)| column)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)?;
        match &self.problem.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl Problem {
    pub(super) fn new(message: impl AsRef<str>) -> Self {
        Self {
            message: printable(message.as_ref()),
            label: None,
            help: None,
        }
    }

    pub(super) fn label(mut self, label: impl AsRef<str>) -> Self {
        self.label = Some(printable(label.as_ref()));
        self
    }

    pub(super) fn help(mut self, help: impl AsRef<str>) -> Self {
        self.help = Some(printable(help.as_ref()));
        self
    }

    /// Adds `did you mean …?` if one of `words` is near enough to what was written.
    pub(super) fn did_you_mean<'a>(
        self,
        written: &str,
        words: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match nearest(written, words) {
            Some(word) => self.help(format!("did you mean `{word}`?")),
            None => self,
        }
    }

    pub(super) fn or_help(self, help: impl AsRef<str>) -> Self {
        match self.help {
            Some(_) => self,
            None => self.help(help),
        }
    }
}

impl From<ValueError> for Problem {
    fn from(ValueError(message): ValueError) -> Self {
        Self::new(message)
    }
}

/// Line and column of a byte.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// The word that was probably meant: one slip away, more only in a long word.
pub(super) fn nearest<'a>(
    written: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_ascii_lowercase();
    let far = (written.chars().count() / 3).max(1);
    words
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&written, word), word))
        .filter(|(distance, word)| *distance <= far && *distance < word.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Keeps a value's control characters out of terminals and logs.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_characters_from_one() {
        let text = "a\nöö = 1\n";
        for (offset, expected) in [(0, (1, 1)), (2, (2, 1)), (6, (2, 3)), (99, (3, 1))] {
            assert_eq!(position(text, offset), expected, "byte {offset}");
        }
    }

    #[test]
    fn the_nearest_word_is_a_slip_away() {
        let words = ["address", "allow", "deny", "path"];
        for (written, expected) in [
            ("adress", Some("address")),
            ("Allow", Some("allow")),
            ("alow", Some("allow")),
            ("addrses", Some("address")),
            ("auth", None),
            ("protocol", None),
            ("x", None),
        ] {
            assert_eq!(nearest(written, words), expected, "{written}");
        }
    }

    #[test]
    fn display_has_a_line_for_each_error_once_in_the_order_of_the_file() {
        let error = |span, message| ConfigError::at(span, Problem::new(message));
        let errors = ConfigErrors::new(
            "a.toml",
            "one\ntwo\n".to_owned(),
            vec![
                error(4..7, "second\u{1b}"),
                ConfigError::at(0..3, Problem::new("first").help("mend it")),
                error(4..7, "second\u{1b}"),
            ],
        );
        assert_eq!(
            errors.to_string(),
            "a.toml:1:1: first (mend it)\na.toml:2:1: second\\u{1b}"
        );
        assert_eq!(errors.iter().count(), 2);
    }
}
