//! The errors for a person at a terminal: the source line, a caret and what would be right.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use super::{ConfigError, ConfigErrors};

impl ConfigErrors {
    /// Every error with its source line, a caret below the place and a line of help.
    pub fn render(&self, color: bool) -> String {
        let renderer = match color {
            true => Renderer::styled(),
            false => Renderer::plain(),
        };
        let mut rendered = String::new();
        for error in &self.errors {
            rendered.push_str(&self.render_one(error, &renderer));
            rendered.push_str("\n\n");
        }
        match self.rest(self.errors.len()) {
            Some(rest) => rendered.push_str(&format!("{rest}\n")),
            None if self.found() == 1 => {}
            None => rendered.push_str(&format!("{} errors in {}\n", self.found(), self.name)),
        }
        rendered
    }

    fn render_one(&self, error: &ConfigError, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(error.message());
        let mut group = match &error.span {
            Some(span) => {
                let (line, text, span) = self.line_of(span);
                let mut annotation = AnnotationKind::Primary.span(span);
                if let Some(label) = error.problem.under_the_caret() {
                    annotation = annotation.label(label);
                }
                let snippet = Snippet::source(text).line_start(line).path(&*self.name);
                title.element(snippet.annotation(annotation))
            }
            None => {
                let group = title.element(Origin::path(&*self.name));
                match error.key() {
                    Some(key) => group.element(Level::NOTE.message(format!("it is about `{key}`"))),
                    None => group,
                }
            }
        };
        if let Some(source) = &self.source {
            group = group.element(Level::NOTE.message(source.to_string()));
        }
        if let Some(help) = error.help() {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group])
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
    use crate::config::values::error::ValueError;

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
            assert_eq!(errors.line_of(&span), expected, "{span:?}");
        }
    }
}
