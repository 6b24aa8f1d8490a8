//! The text that Prometheus reads, version 0.0.4.
//!
//! Written by hand: what there is for it writes OpenMetrics, whose names of counters differ, and
//! keeps counts of its own, where ours are a snapshot.

use std::fmt::{Display, Write};

/// What the format is called in `Content-Type`.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text in the making.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
}

/// The samples of one name.
pub(super) struct Family<'a> {
    name: &'static str,
    text: &'a mut String,
}

impl Exposition {
    /// Begins a number that only grows; its name ends with `_total`.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// Begins a number that goes up and down.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        let text = &mut self.text;
        text.push_str("# HELP ");
        text.push_str(name);
        text.push(' ');
        escape(help, &['\\', '\n'], text);
        // Nothing fails to be written to a string.
        let _written = write!(text, "\n# TYPE {name} {kind}\n");
        Family { name, text }
    }
}

impl Family<'_> {
    /// Adds one sample.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.name);
        let mut before = '{';
        for (label, value) in labels {
            self.text.push(before);
            self.text.push_str(label);
            self.text.push_str("=\"");
            escape(value, &['\\', '"', '\n'], self.text);
            self.text.push('"');
            before = ',';
        }
        if before == ',' {
            self.text.push('}');
        }
        let _written = writeln!(self.text, " {value}");
    }
}

/// Puts a backslash before each of these.
fn escape(value: &str, special: &[char], text: &mut String) {
    for letter in value.chars() {
        if special.contains(&letter) {
            text.push('\\');
        }
        text.push(match letter {
            '\n' if special.contains(&'\n') => 'n',
            letter => letter,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_its_help_its_type_and_its_samples() {
        let mut exposition = Exposition::default();
        let mut family = exposition.counter("a_total", "How many \"a\" in C:\\\nthere were.");
        family.sample(&[], 1);
        family.sample(&[("route", "chat")], u64::MAX);
        family.sample(&[("route", "a\"b\\c\nd}"), ("code", "")], 0);
        exposition.gauge("b", "None of these.");
        let expected = [
            r#"# HELP a_total How many "a" in C:\\\nthere were."#,
            "# TYPE a_total counter",
            "a_total 1",
            r#"a_total{route="chat"} 18446744073709551615"#,
            r#"a_total{route="a\"b\\c\nd}",code=""} 0"#,
            "# HELP b None of these.",
            "# TYPE b gauge",
            "",
        ];
        assert_eq!(exposition.into_text(), expected.join("\n"));
    }
}
