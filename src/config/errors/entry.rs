//! One error, or one warning.

use std::fmt;
use std::ops::Range;

use crate::config::values::ValueError;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub(super) problem: ValueError,
    /// Bytes of the file; `None` for the file as a whole, and where there is no file.
    pub(super) span: Option<Range<usize>>,
    pub(super) key: Option<String>,
    /// Line and column, both from 1, the column in characters.
    pub(super) position: Option<(usize, usize)>,
    /// Another place that belongs to it, and the words under its caret. The problem's help names it for
    /// those who see no text.
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    pub(super) other: Option<(Range<usize>, &'static str)>,
}

impl ConfigError {
    pub(in crate::config) fn at(span: Range<usize>, problem: ValueError) -> Self {
        Self {
            span: Some(span),
            ..Self::whole(problem)
        }
    }

    pub(in crate::config) fn whole(problem: ValueError) -> Self {
        Self {
            problem,
            span: None,
            key: None,
            position: None,
            other: None,
        }
    }

    /// Adds another place to show, and the words under its caret.
    pub(in crate::config) fn with_other(
        mut self,
        span: Option<Range<usize>>,
        label: &'static str,
    ) -> Self {
        self.other = span.map(|span| (span, label));
        self
    }

    /// Adds the key that the error is about.
    pub(in crate::config) fn with_key(mut self, key: &str) -> Self {
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
