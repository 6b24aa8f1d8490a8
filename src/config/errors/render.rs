//! The errors for a person at a terminal: the source line, a caret and what would be right.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

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
        rendered
    }

    fn render_one(&self, error: &ConfigError, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(error.message());
        let mut group = match &error.span {
            Some(span) => {
                let mut annotation =
                    AnnotationKind::Primary.span(first_line(&self.text, span.clone()));
                if let Some(label) = error.problem.under_the_caret() {
                    annotation = annotation.label(label);
                }
                let snippet = Snippet::source(&*self.text).path(&*self.name);
                title.element(snippet.annotation(annotation))
            }
            None => {
                let key = error.key().map(|key| format!("`{key}` "));
                let place = format!("{}in {}", key.unwrap_or_default(), self.name);
                title.element(Level::NOTE.message(place))
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
}

/// The part of a span on its first line: a caret under a whole table is no help.
fn first_line(text: &str, span: Range<usize>) -> Range<usize> {
    let start = span.start.min(text.len());
    let end = span.end.clamp(start, text.len());
    let length = text
        .get(start..end)
        .and_then(|spanned| spanned.find(['\r', '\n']))
        .unwrap_or(end - start);
    start..start + length
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
        for (span, expected) in [(0..3, 0..1), (2..3, 2..3), (2..9, 2..3), (7..9, 3..3)] {
            assert_eq!(first_line("a\nb", span.clone()), expected, "{span:?}");
        }
    }
}
