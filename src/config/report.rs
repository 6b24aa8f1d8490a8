//! The errors and warnings of one set of settings, and the places that they are about.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::credentials;
use super::errors::lines::Lines;
use super::errors::{ConfigError, ConfigErrors, Warnings};
use super::named_file::NamedFile;
use super::values::ValueError;

/// What has been found wrong so far.
pub(super) struct Report<'a> {
    /// The text of the file; `None` where the settings stand in none.
    text: Option<&'a str>,
    lines: OnceCell<Lines>,
    /// The strings that hold what an environment variable held.
    filled: HashSet<Range<usize>>,
    /// The strings that wait for an environment variable: what else is wrong with them is not known.
    unfilled: HashSet<Range<usize>>,
    /// The keys whose values may be anything, a secret too.
    unknown: Vec<Range<usize>>,
    /// What has been taken out: the place of the table or list, and the key or index in it.
    removed: Vec<(Range<usize>, String)>,
    /// The files that were read for the settings.
    files: Vec<NamedFile>,
    errors: Vec<ConfigError>,
    warnings: Vec<ConfigError>,
}

/// A value as it is written, or the place where it would be.
#[derive(Clone, Debug)]
pub(super) struct Node<'t> {
    value: Option<&'t Spanned<DeValue<'t>>>,
    /// Of the key, where that is meant and not its value.
    name: Option<Range<usize>>,
    /// `route[0].limits`; empty for the settings as a whole.
    key: String,
}

/// Errors that are looked for while settings are read.
const MOST_ERRORS: usize = 100;

/// Under the place that a duplicate repeats.
pub(super) const FIRST: &str = "the first one";

/// In the place of a key: the table has lost all that could be in it.
const EVERYTHING: &str = "";

impl<'a> Report<'a> {
    pub(super) fn new(text: Option<&'a str>) -> Self {
        Self {
            text,
            lines: OnceCell::new(),
            filled: HashSet::new(),
            unfilled: HashSet::new(),
            unknown: Vec::new(),
            removed: Vec::new(),
            files: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The warnings, or all errors. `masked` makes the text of the file without its secrets and
    /// without the values of the unknown keys at these places.
    pub(super) fn finish(
        self,
        name: &str,
        masked: impl FnOnce(&[Range<usize>]) -> String,
    ) -> Result<Warnings, ConfigErrors> {
        if !self.errors.is_empty() {
            let masked = masked(&self.unknown);
            return Err(ConfigErrors::new(name, masked, self.errors).of_files(self.files));
        }
        let masked = match self.warnings.is_empty() {
            true => String::new(),
            false => masked(&self.unknown),
        };
        Ok(Warnings::new(name, masked, self.warnings))
    }

    /// The errors of settings that were not read to their end.
    pub(super) fn incomplete(
        self,
        name: &str,
        masked: impl FnOnce(&[Range<usize>]) -> String,
    ) -> ConfigErrors {
        ConfigErrors::new(name, masked(&self.unknown), self.errors).incomplete()
    }

    /// Whether there are so many errors that looking for more is of no use: what is wrong is taken out
    /// and the rest is read again, so that each error takes the time of all that is read.
    pub(super) fn is_full(&self) -> bool {
        self.errors.len() >= MOST_ERRORS
    }

    /// Reports a problem with a value.
    pub(super) fn error(&mut self, node: &Node<'_>, problem: ValueError) {
        let problem = match node.has_credentials() && problem.quotes() {
            true => ValueError::new(
                "this value is not valid here, and not shown: it may be a URL with a password",
            ),
            false => problem,
        };
        self.error_at(node.span(), &node.key, problem);
    }

    /// Reports that a key is missing, unless it was there and has been reported already.
    pub(super) fn missing(&mut self, table: &Node<'_>, name: &str) {
        if !self.has_lost(table, name) && !self.has_lost(table, EVERYTHING) {
            self.error_of_form(table, ValueError::new(format!("`{name}` is missing")));
        }
    }

    /// Reports a problem with the settings as a whole.
    pub(super) fn error_of_whole(&mut self, problem: ValueError) {
        self.errors.push(ConfigError::whole(problem));
    }

    /// Reports a problem that repeats nothing of the value.
    pub(super) fn error_of_form(&mut self, node: &Node<'_>, problem: ValueError) {
        self.push(node.span(), &node.key, problem);
    }

    /// Reports a problem with what stands at `span`, for the value of `key`.
    pub(super) fn error_at(&mut self, span: Option<Range<usize>>, key: &str, problem: ValueError) {
        if span
            .as_ref()
            .is_some_and(|span| self.unfilled.contains(span))
        {
            return;
        }
        let has = |part: &Range<usize>| {
            let span = span.as_ref();
            span.is_some_and(|span| span.start <= part.start && part.end <= span.end)
        };
        let problem = match self.filled.iter().any(has) {
            // The problem may quote what the variable held.
            true => ValueError::new(
                "this value is not valid here once its environment variables are filled in",
            ),
            false => problem,
        };
        self.push(span, key, problem);
    }

    /// Reports a problem with a value that may quote `other` as well.
    pub(super) fn error_with(&mut self, node: &Node<'_>, other: &Node<'_>, problem: ValueError) {
        let problem = match self.is_filled(other) {
            true => ValueError::new(format!(
                "this value is not valid here once the environment variables of `{}` are filled in",
                other.key
            )),
            false => problem,
        };
        self.error(node, problem);
    }

    /// Reports that a value is there already, at `first`.
    pub(super) fn duplicate(&mut self, node: &Node<'_>, first: &Node<'_>, problem: ValueError) {
        let place = self.place(first);
        let problem = problem.help(format!("the first one stands {place}"));
        let before = self.errors.len();
        self.error_with(node, first, problem);
        let other = first.span().filter(|_| self.text.is_some());
        if let [.., error] = &mut self.errors[before..] {
            *error = error.clone().with_other(other, FIRST);
        }
    }

    /// Notes that nothing is known of the value of the key at `span`.
    pub(super) fn hide(&mut self, span: Option<Range<usize>>) {
        self.unknown.extend(span);
    }

    fn push(&mut self, span: Option<Range<usize>>, key: &str, problem: ValueError) {
        let error = self.entry(span, key, problem);
        self.errors.push(error);
    }

    /// An entry with its place, as far as the settings stand in a file.
    fn entry(&self, span: Option<Range<usize>>, key: &str, problem: ValueError) -> ConfigError {
        let entry = match span.filter(|_| self.text.is_some()) {
            Some(span) => ConfigError::at(span, problem),
            None => ConfigError::whole(problem),
        };
        entry.with_key(key)
    }

    /// Notes that the settings depend on this file.
    #[cfg_attr(not(feature = "tls"), allow(dead_code))]
    pub(super) fn note_file(&mut self, file: NamedFile) {
        self.files.push(file);
    }

    /// The files that the settings depend on.
    pub(super) fn files(&self) -> &[NamedFile] {
        &self.files
    }

    /// Notes something allowed that is probably not meant.
    pub(super) fn warn(&mut self, node: &Node<'_>, problem: ValueError) {
        let warning = self.entry(node.span(), &node.key, problem);
        self.warnings.push(warning);
    }

    /// Notes something allowed that is probably not meant, and why: because of `other`.
    pub(super) fn warn_with(
        &mut self,
        node: &Node<'_>,
        (other, label): (&Node<'_>, &'static str),
        problem: ValueError,
    ) {
        let warning = self.entry(node.span(), &node.key, problem);
        let other = other.span().filter(|_| self.text.is_some());
        self.warnings.push(warning.with_other(other, label));
    }

    /// Where a value stands, for a sentence about another one: `in line 4`.
    pub(super) fn place(&self, node: &Node<'_>) -> String {
        match self.line(node) {
            Some(line) => format!("in line {line}"),
            None => format!("at `{}`", node.key),
        }
    }

    /// The line in which a value stands.
    pub(super) fn line(&self, node: &Node<'_>) -> Option<usize> {
        let text = self.text?;
        let lines = self.lines.get_or_init(|| Lines::of(text));
        Some(lines.line(node.span()?.start))
    }

    /// Notes that the string at `span` holds what an environment variable held.
    pub(super) fn fill(&mut self, span: Range<usize>) {
        self.filled.insert(span);
    }

    /// Whether an environment variable was filled in there.
    pub(super) fn is_filled(&self, node: &Node<'_>) -> bool {
        node.span().is_some_and(|span| self.filled.contains(&span))
    }

    /// The same of a value.
    pub(super) fn fills(&self, value: &Spanned<DeValue<'_>>) -> bool {
        self.filled.contains(&value.span())
    }

    /// Notes that the string at `span` cannot be filled in, which has been reported.
    pub(super) fn leave_unfilled(&mut self, span: Range<usize>) {
        self.unfilled.insert(span);
    }

    /// Reports a problem with a part of the string at `span`.
    pub(super) fn error_of_part(
        &mut self,
        span: &Range<usize>,
        part: &str,
        key: &str,
        problem: ValueError,
    ) {
        let written = self.text.and_then(|text| text.get(span.clone()));
        // It need not be written as it reads.
        let span = match written.and_then(|written| written.find(part)) {
            Some(offset) => span.start + offset..span.start + offset + part.len(),
            None => span.clone(),
        };
        self.push(Some(span), key, problem);
    }

    /// Notes that `entry` has been taken out of the table or list at `span`.
    pub(super) fn remove(&mut self, span: Range<usize>, entry: impl ToString) {
        self.removed.push((span, entry.to_string()));
    }

    /// Notes that something else stood where the table at `span` has to be.
    pub(super) fn remove_all(&mut self, span: Range<usize>) {
        self.remove(span, EVERYTHING);
    }

    /// Whether `entry` was in this table and has been taken out, or was probably meant there.
    pub(super) fn has_lost(&self, table: &Node<'_>, entry: &str) -> bool {
        let mut removed = self.removed.iter();
        removed.any(|(span, removed)| table.span().as_ref() == Some(span) && removed == entry)
    }

    /// Whether this key had another value than a table, or was meant by another key, so that nothing is
    /// known of what is in it.
    pub(super) fn has_lost_all(&self, table: &Node<'_>, key: &str) -> bool {
        self.has_lost(table, key) || self.has_lost(&table.get(key), EVERYTHING)
    }

    /// Whether anything has been taken out of this table or list.
    pub(super) fn has_lost_any(&self, node: &Node<'_>) -> bool {
        let mut removed = self.removed.iter();
        removed.any(|(span, _)| node.span().as_ref() == Some(span))
    }
}

impl<'t> Node<'t> {
    /// The value of `key`, as a place to begin at.
    pub(super) fn new(value: &'t Spanned<DeValue<'t>>, key: impl Into<String>) -> Self {
        Self {
            value: Some(value),
            name: None,
            key: key.into(),
        }
    }

    /// What a table holds under a key.
    pub(super) fn get(&self, key: &str) -> Self {
        Self {
            value: self.value.and_then(|value| value.get_ref().get(key)),
            name: None,
            key: joined(&self.key, key),
        }
    }

    /// An entry of a list; of a list that is written without brackets, the only one.
    pub(super) fn at(&self, index: usize) -> Self {
        let entry = |value: &'t Spanned<DeValue<'t>>| match value.get_ref() {
            DeValue::Array(list) => list.get(index),
            _ => Some(value),
        };
        Self {
            value: self.value.and_then(entry),
            name: None,
            key: format!("{}[{index}]", self.key),
        }
    }

    /// Whether the value has what reads like a URL with a user or a query.
    fn has_credentials(&self) -> bool {
        self.name.is_none()
            && self
                .value
                .is_some_and(|value| credentials::are_in(value.get_ref()))
    }

    /// Whether the value stands there at all.
    pub(super) fn is_written(&self) -> bool {
        self.value.is_some()
    }

    pub(super) fn value(&self) -> Option<&'t DeValue<'t>> {
        self.value.map(Spanned::get_ref)
    }

    pub(super) fn span(&self) -> Option<Range<usize>> {
        self.name.clone().or(self.value.map(Spanned::span))
    }

    /// A key of a table, in the place of its value.
    pub(super) fn name(&self, key: &str) -> Self {
        Self {
            name: self.span_of_key(key),
            ..self.get(key)
        }
    }

    fn span_of_key(&self, name: &str) -> Option<Range<usize>> {
        let table = self.value?.get_ref().as_table()?;
        table.get_key_value(name).map(|(key, _)| key.span())
    }

    /// Names in the order in which this table has them.
    pub(super) fn in_file_order<T>(
        &self,
        entries: impl IntoIterator<Item = (String, T)>,
    ) -> Vec<(String, T)> {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by_key(|(name, _)| self.span_of_key(name).map(|span| span.start));
        entries
    }
}

/// The key of what `table` holds under `key`.
pub(super) fn joined(table: &str, key: &str) -> String {
    match table {
        "" => key.to_owned(),
        table => format!("{table}.{key}"),
    }
}
