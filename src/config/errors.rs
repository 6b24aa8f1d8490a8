//! Everything that is wrong with a set of settings, with the places where it is.

mod entry;
pub(super) mod lines;
mod listing;
#[cfg(feature = "server")]
mod render;
mod warnings;

use std::fmt;
use std::io;
use std::sync::Arc;

use self::listing::{Listing, counted};
use super::named_file::NamedFile;
use super::values::ValueError;

pub use self::entry::ConfigError;
pub(super) use self::warnings::Warnings;

/// The errors of one set of settings, in the order of the file: all of them, or the first 50.
///
/// `Display` writes one line an error, `file:line:column: message`; settings that stand in no file
/// have the key in the place of line and column. Neither it nor `Debug` shows a secret or what an
/// environment variable holds.
#[derive(Clone)]
pub struct ConfigErrors {
    listing: Listing,
    /// Whether the settings were checked to their end.
    is_complete: bool,
    source: Option<Arc<io::Error>>,
    /// The files beside the settings that were read for them.
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    files: Arc<[NamedFile]>,
}

impl ConfigErrors {
    pub(super) fn new(name: &str, masked: String, errors: Vec<ConfigError>) -> Self {
        Self {
            listing: Listing::new(name, masked, errors),
            is_complete: true,
            source: None,
            files: [].into(),
        }
    }

    /// Notes the files that were read for the settings.
    pub(super) fn of_files(self, files: Vec<NamedFile>) -> Self {
        let files = files.into();
        Self { files, ..self }
    }

    /// The files beside the settings that were read for them, as far as checking came.
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    pub(crate) fn files(&self) -> &[NamedFile] {
        &self.files
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
        self.listing.name()
    }

    /// The errors, in the order of the file: at least one, and at most 50.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.listing.entries().iter()
    }

    /// How many errors were found, with those that [`Self::iter`] leaves out.
    pub fn found(&self) -> usize {
        self.listing.found()
    }

    /// What to say behind the first `shown` errors: that there are more.
    pub(crate) fn rest(&self, shown: usize) -> Option<String> {
        match (self.found().saturating_sub(shown), self.is_complete) {
            (0, true) => None,
            (0, false) => Some("and maybe more errors".to_owned()),
            (count, true) => Some(format!("and {}", counted(count, "more error"))),
            (count, false) => Some(format!("and at least {}", counted(count, "more error"))),
        }
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
        for (index, line) in self.listing.lines().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&line)?;
        }
        match self.rest(self.iter().len()) {
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
