//! Reads Prometheus' text format, as far as wsgate writes it.

use std::collections::HashMap;

/// The samples of the wanted names.
#[derive(Debug, Default)]
pub(super) struct Samples {
    by_name: HashMap<String, Vec<Sample>>,
}

/// One value with its labels.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Sample {
    labels: Vec<(String, String)>,
    pub(super) value: f64,
}

impl Samples {
    /// Reads what has one of these names; `None` if the text is not of the format.
    pub(super) fn read(text: &str, names: &[&str]) -> Option<Self> {
        let mut samples = Self::default();
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let end = line.find(['{', ' '])?;
            let (name, rest) = line.split_at(end);
            if names.contains(&name) {
                let sample = Sample::read(rest)?;
                samples
                    .by_name
                    .entry(name.to_owned())
                    .or_default()
                    .push(sample);
            }
        }
        Some(samples)
    }

    /// All with this name.
    pub(super) fn all(&self, name: &str) -> &[Sample] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// The first with this name, for what has no labels.
    pub(super) fn one(&self, name: &str) -> Option<&Sample> {
        self.all(name).first()
    }

    pub(super) fn value(&self, name: &str) -> Option<f64> {
        self.one(name).map(|sample| sample.value)
    }
}

impl Sample {
    /// Reads what stands behind the name.
    fn read(text: &str) -> Option<Self> {
        let mut labels = Vec::new();
        let mut rest = text;
        if let Some(inside) = text.strip_prefix('{') {
            rest = inside;
            loop {
                rest = rest.trim_start_matches(',');
                if let Some(behind) = rest.strip_prefix('}') {
                    rest = behind;
                    break;
                }
                let (label, value) = rest.split_once("=\"")?;
                let (value, behind) = quoted(value)?;
                labels.push((label.to_owned(), value));
                rest = behind;
            }
        }
        let value = rest.split_whitespace().next()?.parse().ok()?;
        Some(Self { labels, value })
    }

    /// The value of a label; what is not there is empty.
    pub(super) fn label(&self, name: &str) -> &str {
        let mut labels = self.labels.iter();
        let found = labels.find(|(label, _)| label == name);
        found.map_or("", |(_, value)| value)
    }

    /// A count.
    pub(super) fn count(&self) -> u64 {
        // What is below nothing, or no number, becomes nothing.
        self.value as u64
    }
}

/// The text up to the next quote, and what stands behind that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(place + 1..)?)),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                letter => value.push(letter),
            },
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_by_their_names() {
        let text = "# HELP a_total How {many}.\n# TYPE a_total counter\na_total 7\n\
                    b{route=\"a\\\"b\\\\c\\nd}, \",code=\"\"} 18446744073709551615\n\
                    b{route=\"x\"} 0.5 1700000000\nc 1\n\n";
        let samples = Samples::read(text, &["a_total", "b"]).unwrap();
        assert_eq!(samples.value("a_total"), Some(7.0));
        let b = samples.all("b");
        assert_eq!(b.len(), 2);
        assert_eq!(
            (b[0].label("route"), b[0].label("code")),
            ("a\"b\\c\nd}, ", "")
        );
        assert_eq!(b[0].count(), u64::MAX);
        assert_eq!(
            (b[1].label("route"), b[1].value, b[1].count()),
            ("x", 0.5, 0)
        );
        assert_eq!(samples.value("c"), None);
    }

    #[test]
    fn what_is_not_of_the_format_is_refused() {
        for text in ["a", "a{", "a{x", "a{x=\"y} 1", "a{x=\"y\"}", "a one"] {
            assert!(Samples::read(text, &["a"]).is_none(), "{text}");
        }
    }
}
