//! What was found in one set of settings, and the text that it is about.

use std::sync::Arc;

use super::entry::ConfigError;
use super::lines::Lines;

/// Errors, or warnings, in the order of the file.
#[derive(Clone, Default)]
pub(super) struct Listing {
    name: Arc<str>,
    /// The file with its secrets starred out, byte for byte as long as the file itself.
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    pub(super) text: Arc<str>,
    #[cfg_attr(not(feature = "server"), allow(dead_code))]
    pub(super) lines: Lines,
    entries: Vec<ConfigError>,
    /// How many more there are.
    left_out: usize,
}

/// More entries are counted and not shown: they would hide what is wrong, and fill the log.
const MOST_SHOWN: usize = 50;

impl Listing {
    pub(super) fn new(name: &str, masked: String, mut entries: Vec<ConfigError>) -> Self {
        entries.sort_by_key(|entry| entry.span.as_ref().map(|span| (span.start, span.end)));
        // A mistake in `[defaults]` is found again in every route that it holds for.
        entries.dedup_by(|later, earlier| {
            later.span.is_some() && later.span == earlier.span && later.problem == earlier.problem
        });
        let left_out = entries.len().saturating_sub(MOST_SHOWN);
        entries.truncate(MOST_SHOWN);
        let lines = Lines::of(&masked);
        for entry in &mut entries {
            let span = entry.span.as_ref();
            entry.position = span.map(|span| lines.position(&masked, span.start));
        }
        Self {
            name: name.into(),
            text: masked.into(),
            lines,
            entries,
            left_out,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// At most 50.
    pub(super) fn entries(&self) -> &[ConfigError] {
        &self.entries
    }

    /// How many there are, with those that are left out.
    pub(super) fn found(&self) -> usize {
        self.entries.len() + self.left_out
    }

    /// One line for each entry, `file:line:column: message`.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.entries.iter().map(|entry| {
            let place = match (entry.position, &entry.key) {
                (Some((line, column)), _) => format!(":{line}:{column}"),
                (None, Some(key)) => format!(": {key}"),
                (None, None) => String::new(),
            };
            format!("{}{place}: {entry}", self.name)
        })
    }
}

/// A number and what it counts.
pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
