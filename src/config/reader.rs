//! Reads values out of a parsed file, and keeps every error instead of stopping at the first.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Problem, position};
use super::interpolate::{Environment, interpolate};

/// What can stand in the file.
pub(super) trait FromToml: Clone {
    /// Reads a value; `None` if it is wrong, which the reader has then been told.
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self>;

    /// What holds where a route says `self` and `[defaults]` says `defaults`: a table goes on key
    /// by key, anything else replaces what it overrides.
    fn or_defaults(self, defaults: &Self) -> Self {
        let _ = defaults;
        self
    }

    /// Where a key stands in a table of this type: `limits.message_size`.
    fn find(key: &str) -> Vec<String> {
        let _ = key;
        Vec::new()
    }

    /// The JSON Schema of the value.
    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value;
}

/// A value that is written as a string.
pub(super) trait FromText: Clone {
    /// What it is, for `expected …`.
    const FORM: &'static str;

    /// Parses the string. What the problem says may quote it.
    fn from_text(text: &str) -> Result<Self, Problem>;

    /// The JSON Schema of the string.
    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "string" })
    }
}

/// A key of the file and what became of its value.
#[derive(Clone, Debug, Default)]
pub(super) enum Setting<T> {
    #[default]
    Absent,
    /// It is there and wrong, which has been reported.
    Invalid,
    Given(Spanned<T>),
}

/// A list; each entry has its place.
pub(super) type List<T> = Vec<Setting<T>>;

/// A list, or its only entry without brackets.
#[derive(Clone, Debug)]
pub(super) struct OneOrMany<T>(pub(super) List<T>);

/// A table whose keys are names that the file chooses, in the order of the file.
#[derive(Clone, Debug)]
pub(super) struct Named<T>(pub(super) Vec<(Spanned<String>, Setting<T>)>);

/// Where values are read: what they refer to, and the errors so far.
pub(super) struct Reader<'a> {
    text: &'a str,
    environment: &'a Environment<'a>,
    /// Where relative paths begin.
    directory: &'a Path,
    /// The strings that hold what an environment variable held.
    filled: Vec<Range<usize>>,
    errors: Vec<ConfigError>,
    warnings: Vec<String>,
}

const LIST: &str = "a list";

impl<'a> Reader<'a> {
    pub(super) fn new(
        text: &'a str,
        directory: &'a Path,
        environment: &'a Environment<'a>,
    ) -> Self {
        Self {
            text,
            environment,
            directory,
            filled: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The errors and the warnings.
    pub(super) fn finish(self) -> (Vec<ConfigError>, Vec<String>) {
        (self.errors, self.warnings)
    }

    pub(super) fn read<T: FromToml>(&mut self, value: &Spanned<DeValue<'_>>) -> Setting<T> {
        match T::from_toml(value, self) {
            Some(read) => Setting::Given(Spanned::new(value.span(), read)),
            None => Setting::Invalid,
        }
    }

    /// Reports a problem with what stands at `span`.
    pub(super) fn error(&mut self, span: Range<usize>, problem: impl Into<Problem>) {
        let problem = match self.filled.contains(&span) {
            // The problem may quote what the variable held.
            true => Problem::new(
                "this value is not valid here once its environment variables are filled in",
            ),
            false => problem.into(),
        };
        self.errors.push(ConfigError::at(span, problem));
    }

    /// Whether an environment variable was filled in there.
    pub(super) fn is_filled(&self, span: &Range<usize>) -> bool {
        self.filled.contains(span)
    }

    /// Reports a problem with the file as a whole.
    pub(super) fn error_of_file(&mut self, problem: Problem) {
        self.errors.push(ConfigError::whole(problem));
    }

    /// Notes something allowed that is probably not meant.
    pub(super) fn warn(&mut self, span: &Range<usize>, message: &str) {
        self.warnings
            .push(format!("line {}: {message}", self.line(span)));
    }

    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        position(self.text, span.start).0
    }

    /// A path as the file means it.
    pub(super) fn path(&self, path: PathBuf) -> PathBuf {
        self.directory.join(path)
    }

    pub(super) fn type_error(&mut self, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let mut problem = Problem::new(format!("expected {expected}, found {found}"));
        if expected == LIST {
            problem = problem.help(match value.get_ref() {
                DeValue::Table(_) => "the header of each table in a list has two brackets: [[…]]",
                _ => "a list has brackets, around a single entry too",
            });
        }
        self.errors.push(ConfigError::at(value.span(), problem));
    }

    /// A string with its environment variables filled in.
    fn string<'v>(
        &mut self,
        value: &'v Spanned<DeValue<'_>>,
        expected: &str,
    ) -> Option<Cow<'v, str>> {
        let Some(text) = value.get_ref().as_str() else {
            self.type_error(value, expected);
            return None;
        };
        match interpolate(text, self.environment) {
            Ok(filled) => {
                if matches!(filled, Cow::Owned(_)) {
                    self.filled.push(value.span());
                }
                Some(filled)
            }
            Err(unfilled) => {
                for each in unfilled {
                    let span = self.span_within(value.span(), &each.written);
                    let problem = Problem::new(each.message);
                    self.errors.push(ConfigError::at(span, problem));
                }
                None
            }
        }
    }

    /// Where `part` of the string at `span` is written, if it is written as it reads.
    fn span_within(&self, span: Range<usize>, part: &str) -> Range<usize> {
        let written = self.text.get(span.clone());
        match written.and_then(|written| written.find(part)) {
            Some(offset) => span.start + offset..span.start + offset + part.len(),
            None => span,
        }
    }
}

impl<T> Setting<T> {
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub(super) fn given(&self) -> Option<&Spanned<T>> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Invalid => None,
        }
    }

    pub(super) fn get(&self) -> Option<&T> {
        self.given().map(Spanned::get_ref)
    }
}

impl<T: Clone> Setting<T> {
    /// The value, or the one it has if nobody sets it.
    pub(super) fn or(&self, default: T) -> T {
        self.get().cloned().unwrap_or(default)
    }
}

impl<T: Clone + Default> Setting<T> {
    /// The table; one that is absent has nothing in it.
    pub(super) fn table(&self) -> T {
        self.get().cloned().unwrap_or_default()
    }
}

impl<T: FromToml> Setting<T> {
    /// What holds where `[defaults]` says `defaults`.
    pub(super) fn or_defaults(self, defaults: &Self) -> Self {
        match (self, defaults) {
            (Self::Absent, defaults) => defaults.clone(),
            (Self::Given(own), Self::Given(defaults)) => {
                let span = own.span();
                let merged = own.into_inner().or_defaults(defaults.get_ref());
                Self::Given(Spanned::new(span, merged))
            }
            (own, _) => own,
        }
    }
}

impl<T: FromText> FromToml for T {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.string(value, T::FORM)?;
        match T::from_text(&text) {
            Ok(read) => Some(read),
            Err(problem) => {
                reader.error(value.span(), problem);
                None
            }
        }
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        <T as FromText>::schema()
    }
}

impl<T: FromToml> FromToml for List<T> {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Array(array) = value.get_ref() else {
            reader.type_error(value, LIST);
            return None;
        };
        Some(array.iter().map(|entry| reader.read(entry)).collect())
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "array", "items": T::schema() })
    }
}

impl<T: FromToml> FromToml for OneOrMany<T> {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Array(_) => List::from_toml(value, reader).map(Self),
            _ => Some(Self(vec![reader.read(value)])),
        }
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        serde_json::json!({ "anyOf": [T::schema(), <List<T> as FromToml>::schema()] })
    }
}

impl<T: FromToml> FromToml for Named<T> {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            reader.type_error(value, "a table");
            return None;
        };
        let read = |(key, value): (&Spanned<Cow<'_, str>>, _)| {
            let name = Spanned::new(key.span(), key.get_ref().to_string());
            (name, reader.read(value))
        };
        Some(Self(in_file_order(table).into_iter().map(read).collect()))
    }

    fn or_defaults(self, defaults: &Self) -> Self {
        let is_own =
            |name: &str| (self.0.iter()).any(|(own, _)| own.get_ref().eq_ignore_ascii_case(name));
        let inherited = (defaults.0.iter()).filter(|(name, _)| !is_own(name.get_ref()));
        let mut merged: Vec<_> = inherited.cloned().collect();
        merged.extend(self.0);
        Self(merged)
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "object", "additionalProperties": T::schema() })
    }
}

impl FromToml for bool {
    fn from_toml(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let read = value.get_ref().as_bool();
        if read.is_none() {
            reader.type_error(value, "`true` or `false`");
        }
        read
    }

    #[cfg(feature = "server")]
    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "boolean" })
    }
}

/// A table's entries as the file has them (the parser sorts them by name).
pub(super) fn in_file_order<'t, 'i>(
    table: &'t DeTable<'i>,
) -> Vec<(&'t Spanned<Cow<'i, str>>, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}
