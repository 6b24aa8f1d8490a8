//! The text that Prometheus reads, version 0.0.4.
//!
//! Written by hand: the crate for it writes OpenMetrics, whose names of counters differ, and keeps
//! counts of its own, where ours are a snapshot.

use std::fmt::{Display, Write};

use super::library::Durations;

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

    /// Begins durations in seconds; its name ends with `_seconds`.
    pub(super) fn histogram(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "histogram", help)
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
        self.line("", labels, None, value);
    }

    /// Adds the samples of one histogram.
    pub(super) fn durations(&mut self, labels: &[(&str, &str)], durations: &Durations) {
        for (bound, count) in &durations.up_to {
            let bound = bound.as_secs_f64().to_string();
            self.line("_bucket", labels, Some(&bound), count);
        }
        self.line("_bucket", labels, Some("+Inf"), durations.count);
        self.line("_sum", labels, None, durations.sum.as_secs_f64());
        self.line("_count", labels, None, durations.count);
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: &[(&str, &str)],
        bound: Option<&str>,
        value: impl Display,
    ) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let bound = bound.map(|bound| ("le", bound));
        let mut before = '{';
        for (label, value) in labels.iter().copied().chain(bound) {
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
    use std::time::Duration;

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

    #[test]
    fn a_histogram_is_its_buckets_its_sum_and_its_count() {
        let mut durations = Durations::new(&[Duration::from_micros(2_500), Duration::from_secs(1)]);
        for milliseconds in [1, 200, 61_300] {
            durations.add(Duration::from_millis(milliseconds));
        }
        let mut exposition = Exposition::default();
        let mut family = exposition.histogram("a_seconds", "How long.");
        family.durations(&[("route", "chat")], &durations);
        let expected = [
            "# HELP a_seconds How long.",
            "# TYPE a_seconds histogram",
            r#"a_seconds_bucket{route="chat",le="0.0025"} 1"#,
            r#"a_seconds_bucket{route="chat",le="1"} 2"#,
            r#"a_seconds_bucket{route="chat",le="+Inf"} 3"#,
            r#"a_seconds_sum{route="chat"} 61.501"#,
            r#"a_seconds_count{route="chat"} 3"#,
            "",
        ];
        assert_eq!(exposition.into_text(), expected.join("\n"));
    }
}
