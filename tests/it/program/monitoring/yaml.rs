//! Reads the little of YAML that the alert rules are written in, and refuses the rest of it: block
//! mappings and sequences two spaces deep each, `|` texts, JSON strings, and words that stand plain.

use serde_json::{Map, Value};

/// The document; panics with the line that is not understood.
pub(super) fn parse(text: &str) -> Value {
    let lines = text.lines().map(|line| {
        let content = line.trim_start_matches(' ');
        assert!(!line.contains('\t') && line.trim_end() == line, "{line:?}");
        Line {
            indent: line.len() - content.len(),
            content,
        }
    });
    let mut reader = Reader {
        lines: lines.collect(),
        at: 0,
    };
    let value = reader.block(0);
    assert!(reader.peek().is_none(), "{:?}", reader.peek());
    value
}

#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    indent: usize,
    content: &'a str,
}

struct Reader<'a> {
    lines: Vec<Line<'a>>,
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next line that says something.
    fn peek(&mut self) -> Option<Line<'a>> {
        while let Some(line) = self.lines.get(self.at) {
            if !line.content.is_empty() && !line.content.starts_with('#') {
                return Some(*line);
            }
            self.at += 1;
        }
        None
    }

    /// The next line, if it stands this deep; deeper ones belong to nobody.
    fn peek_at(&mut self, indent: usize) -> Option<Line<'a>> {
        let line = self.peek()?;
        assert!(line.indent <= indent, "too deep: {line:?}");
        (line.indent == indent).then_some(line)
    }

    fn block(&mut self, indent: usize) -> Value {
        let line = self.peek_at(indent).expect("something this deep");
        match line.content.starts_with("- ") {
            true => self.sequence(indent),
            false => self.mapping(indent),
        }
    }

    fn sequence(&mut self, indent: usize) -> Value {
        let mut items = Vec::new();
        while let Some(line) = self.peek_at(indent) {
            let item = line.content.strip_prefix("- ").expect("one more item");
            match entry(item) {
                Some(_) => {
                    // What stands behind the dash is the first line of a mapping.
                    self.lines[self.at].indent += 2;
                    self.lines[self.at].content = item;
                    items.push(self.mapping(indent + 2));
                }
                None => {
                    self.at += 1;
                    items.push(scalar(item).unwrap_or_else(|| panic!("{line:?}")));
                }
            }
        }
        Value::Array(items)
    }

    fn mapping(&mut self, indent: usize) -> Value {
        let mut entries = Map::new();
        while let Some(line) = self.peek_at(indent) {
            let (key, rest) = entry(line.content).unwrap_or_else(|| panic!("{line:?}"));
            self.at += 1;
            let value = match rest {
                "" => self.block(indent + 2),
                "|" => self.text(indent + 2),
                rest => scalar(rest).unwrap_or_else(|| panic!("{line:?}")),
            };
            let before = entries.insert(key.to_owned(), value);
            assert!(before.is_none(), "{key} twice: {line:?}");
        }
        Value::Object(entries)
    }

    /// The lines of a text, which may be as deep as they like.
    fn text(&mut self, indent: usize) -> Value {
        let mut text = String::new();
        while let Some(line) = self.lines.get(self.at)
            && line.indent >= indent
        {
            text.push_str(&" ".repeat(line.indent - indent));
            text.push_str(line.content);
            text.push('\n');
            self.at += 1;
        }
        assert!(!text.is_empty(), "an empty text before {:?}", self.peek());
        Value::String(text)
    }
}

/// `key: rest` or `key:`.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (key, rest) = line.split_once(':')?;
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if key.is_empty() || !key.chars().all(is_word) {
        return None;
    }
    match rest {
        "" => Some((key, rest)),
        rest => Some((key, rest.strip_prefix(' ')?)),
    }
}

/// A JSON string, or words that mean nothing else in YAML.
fn scalar(text: &str) -> Option<Value> {
    if text.starts_with('"') {
        return serde_json::from_str(text).ok().filter(Value::is_string);
    }
    let first = text.chars().next()?;
    let is_plain = first.is_ascii_alphanumeric()
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':');
    is_plain.then(|| Value::String(text.to_owned()))
}

#[test]
fn what_is_understood_is_read_and_the_rest_refused() {
    let text = "# why\na:\n  - b: 2m\n    c: |\n      x == 1\n        and y\n\n    # no text\n    d: \"e: \\\"f\\\"\"\n  - g\n";
    let expected = serde_json::json!({
        "a": [{ "b": "2m", "c": "x == 1\n  and y\n", "d": "e: \"f\"" }, "g"]
    });
    assert_eq!(parse(text), expected);
    for wrong in [
        "a: b: c",
        "a: [b]",
        "a: &b",
        "a: 'b'",
        "a: \"b",
        "a: \"b\" c",
        "a: b #c",
        "a:\n   b: c",
        "a: b\na: c",
        "a: b\n  c: d",
        "a:\n- b",
        "a:\tb",
        "a: >",
        "a:",
    ] {
        let result = std::panic::catch_unwind(|| parse(wrong));
        assert!(result.is_err(), "{wrong:?} was taken for {result:?}");
    }
}
