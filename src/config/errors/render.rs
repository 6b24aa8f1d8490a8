//! The errors for a person at a terminal: the source line, a caret and what would be right.

use std::io;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use super::ConfigErrors;
use super::entry::ConfigError;
use super::listing::{Listing, counted};
use super::warnings::Warnings;
use crate::config::values::ValueError;

impl ConfigErrors {
    /// Every error with its source line, a caret below the place and a line of help; the last line counts
    /// them.
    pub fn render(&self, color: bool) -> String {
        let source = self.source.as_deref();
        let mut rendered = self.listing.render(&Level::ERROR, source, color);
        let shown = self.iter().len();
        let all = || format!("{} in {}", counted(self.found(), "error"), self.name());
        let end = match self.rest(shown) {
            None => all(),
            Some(rest) if shown == self.found() => format!("{}, {rest}", all()),
            Some(rest) => rest,
        };
        rendered.push_str(&end);
        rendered.push('\n');
        rendered
    }
}

impl Warnings {
    /// Every warning as an error is shown, with those about the file as a whole that somebody else found;
    /// nothing if there is none.
    pub(in crate::config) fn render(&self, others: &[String], color: bool) -> String {
        let others = others.iter().map(ValueError::new).map(ConfigError::whole);
        let others = Listing::new(self.0.name(), String::new(), others.collect());
        let found = self.0.found() + others.found();
        let mut rendered = String::new();
        for listing in [&others, &self.0] {
            rendered.push_str(&listing.render(&Level::WARNING, None, color));
        }
        if found > 0 {
            let name = self.0.name();
            rendered.push_str(&format!("{} in {name}\n", counted(found, "warning")));
        }
        rendered
    }
}

impl Listing {
    /// Every entry with an empty line behind it.
    fn render(&self, level: &Level<'_>, source: Option<&io::Error>, color: bool) -> String {
        let renderer = match color {
            true => Renderer::styled(),
            false => Renderer::plain(),
        };
        let entries = self.entries().iter();
        let rendered = entries.map(|entry| self.render_one(entry, level, source, &renderer));
        rendered
            .flat_map(|entry| [entry, "\n\n".to_owned()])
            .collect()
    }

    fn render_one(
        &self,
        entry: &ConfigError,
        level: &Level<'_>,
        source: Option<&io::Error>,
        renderer: &Renderer,
    ) -> String {
        let title = level.clone().primary_title(entry.message());
        let mut group = match &entry.span {
            Some(span) => {
                let label = entry.problem.under_the_caret();
                title.element(self.snippet(AnnotationKind::Primary, span, label))
            }
            None => {
                let group = title.element(Origin::path(self.name()));
                match entry.key() {
                    Some(key) => group.element(Level::NOTE.message(format!("it is about `{key}`"))),
                    None => group,
                }
            }
        };
        if let Some(source) = source {
            group = group.element(Level::NOTE.message(source.to_string()));
        }
        match (&entry.other, entry.help()) {
            (Some((span, label)), _) => {
                group = group.element(self.snippet(AnnotationKind::Context, span, Some(label)));
            }
            (None, Some(help)) => group = group.element(Level::HELP.message(help)),
            (None, None) => {}
        }
        renderer.render(&[group])
    }

    /// The line of a span, with a caret and a label below it.
    fn snippet<'s>(
        &'s self,
        kind: AnnotationKind,
        span: &Range<usize>,
        label: Option<&'s str>,
    ) -> Snippet<'s, annotate_snippets::Annotation<'s>> {
        let (line, text, span) = self.line_of(span);
        let mut annotation = kind.span(span);
        if let Some(label) = label {
            annotation = annotation.label(label);
        }
        let snippet = Snippet::source(text).line_start(line).path(self.name());
        snippet.annotation(annotation)
    }

    /// The line that a span begins on, its text, and the part of the span on it: a caret under a whole
    /// table is no help, and the renderer would go through the whole file for each error.
    fn line_of(&self, span: &Range<usize>) -> (usize, &str, Range<usize>) {
        let line = self.lines.line(span.start);
        let start = self.lines.start(line);
        let rest = self.text.get(start..).unwrap_or_default();
        let text = rest.split(['\r', '\n']).next().unwrap_or_default();
        let within = |offset: usize| offset.saturating_sub(start).min(text.len());
        (line, text, within(span.start)..within(span.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_shown_under_its_line_with_label_and_help() {
        let problem = ValueError::new("unknown key `adress`")
            .label("not a key of `[[listen]]`")
            .help("did you mean `address`?");
        let errors = ConfigErrors::new(
            "wsgate.toml",
            "[[listen]]\nadress = \"127.0.0.1:80\"\n".to_owned(),
            vec![ConfigError::at(11..17, problem)],
        );
        assert_eq!(
            errors.render(false),
            "error: unknown key `adress`
 --> wsgate.toml:2:1
  |
2 | adress = \"127.0.0.1:80\"
  | ^^^^^^ not a key of `[[listen]]`
  |
  = help: did you mean `address`?

1 error in wsgate.toml
"
        );
        assert!(errors.render(true).contains("\u{1b}["));
    }

    #[test]
    fn a_span_is_cut_at_the_end_of_its_line_and_of_the_text() {
        let errors = ConfigErrors::new("a.toml", "a\nbc\r\nd".to_owned(), Vec::new());
        for (span, expected) in [
            (0..3, (1, "a", 0..1)),
            (2..3, (2, "bc", 0..1)),
            (3..9, (2, "bc", 1..2)),
            (6..7, (3, "d", 0..1)),
            (9..12, (3, "d", 1..1)),
        ] {
            assert_eq!(errors.listing.line_of(&span), expected, "{span:?}");
        }
    }
}
