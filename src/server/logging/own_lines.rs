//! The lines that the log writes by itself, past the layers that format all others: how many lines
//! were dropped, a panic, a line that was too long.

use std::fmt::{self, Write};

use serde_json::{Map, Value, json};
use tracing::Level;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::text::write_field;
use crate::config::LogFormat;

/// Writes them in the format of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnLines {
    pub(super) format: LogFormat,
    pub(super) color: bool,
}

/// A line with its fields in their order.
struct OwnLine<'a> {
    level: Level,
    target: &'static str,
    message: &'static str,
    fields: &'a [(&'static str, Value)],
}

impl OwnLines {
    /// So many lines were dropped here.
    pub(super) fn dropped(&self, lines: u64) -> Vec<u8> {
        self.line(&OwnLine {
            level: Level::WARN,
            target: "wsgate::log",
            message: "lines of the log were dropped",
            fields: &[("reason", json!("log_dropped")), ("dropped", json!(lines))],
        })
        .into_bytes()
    }

    /// A thread panicked.
    pub(super) fn panic(&self, fields: &[(&'static str, Value)]) -> String {
        self.line(&OwnLine {
            level: Level::ERROR,
            target: "wsgate::panic",
            message: "a thread panicked",
            fields,
        })
    }

    /// A line in no more than so many bytes.
    pub(super) fn shortened(&self, line: &str, longest: usize) -> String {
        match self.format {
            LogFormat::Text => cut(line, longest),
            LogFormat::Json => shorter_values(line, longest),
        }
    }

    fn line(&self, line: &OwnLine<'_>) -> String {
        let mut text = String::new();
        let written = match self.format {
            LogFormat::Text => self.write_text(&mut text, line),
            LogFormat::Json => write_json(&mut text, line),
        };
        // Writing to a string does not fail.
        debug_assert_eq!(written, Ok(()));
        text.push('\n');
        text
    }

    /// As the layer for text has it.
    fn write_text(&self, text: &mut String, line: &OwnLine<'_>) -> fmt::Result {
        let (dim, color, plain) = match (self.color, line.level) {
            (false, _) => ("", "", ""),
            (true, Level::ERROR) => ("\x1b[2m", "\x1b[31m", "\x1b[0m"),
            (true, _) => ("\x1b[2m", "\x1b[33m", "\x1b[0m"),
        };
        text.push_str(dim);
        SystemTime.format_time(&mut Writer::new(text))?;
        let OwnLine { level, message, .. } = line;
        write!(text, "{plain} {color}{level:>5}{plain} {message}")?;
        for (name, value) in line.fields {
            text.push(' ');
            match value {
                Value::String(value) => write_field(text, name, value)?,
                value => write!(text, "{name}={value}")?,
            }
        }
        Ok(())
    }
}

/// As the layer for JSON has it.
fn write_json(text: &mut String, line: &OwnLine<'_>) -> fmt::Result {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let mut object = Map::new();
    object.insert("timestamp".to_owned(), json!(time));
    object.insert("level".to_owned(), json!(line.level.as_str()));
    object.insert("message".to_owned(), json!(line.message));
    for (name, value) in line.fields {
        object.insert((*name).to_owned(), value.clone());
    }
    object.insert("target".to_owned(), json!(line.target));
    write!(text, "{}", Value::Object(object))
}

/// The line up to a character, and a newline.
fn cut(line: &str, longest: usize) -> String {
    const END: &str = "…\n";
    let mut length = longest.saturating_sub(END.len()).min(line.len());
    while !line.is_char_boundary(length) {
        length -= 1;
    }
    line[..length].to_owned() + END
}

/// The same object with shorter strings: a part of one is no JSON.
fn shorter_values(line: &str, longest: usize) -> String {
    let Ok(Value::Object(object)) = serde_json::from_str(line) else {
        return String::new();
    };
    for most in [512, 64, 0] {
        let shorter = (object.iter()).map(|(key, value)| match value.as_str() {
            Some(text) if text.chars().count() > most => {
                let cut: String = text.chars().take(most).chain(['…']).collect();
                (key.clone(), cut.into())
            }
            _ => (key.clone(), value.clone()),
        });
        let line = format!("{}\n", Value::Object(shorter.collect()));
        if line.len() <= longest {
            return line;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: OwnLines = OwnLines {
        format: LogFormat::Text,
        color: false,
    };

    const JSON: OwnLines = OwnLines {
        format: LogFormat::Json,
        color: false,
    };

    #[test]
    fn a_line_of_its_own_looks_like_any_other() {
        let line = String::from_utf8(TEXT.dropped(3)).unwrap();
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.ends_with('Z'), "{line}");
        assert_eq!(
            rest,
            " WARN lines of the log were dropped reason=log_dropped dropped=3\n"
        );
        let line: Value = serde_json::from_slice(&JSON.dropped(3)).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "lines of the log were dropped");
        assert_eq!(
            (&line["reason"], &line["dropped"]),
            (&json!("log_dropped"), &json!(3))
        );
        assert_eq!(line["timestamp"].as_str().unwrap().len(), time.len());
    }

    #[test]
    fn a_long_line_of_text_is_cut_at_a_character() {
        let line = TEXT.shortened(&("é".repeat(40) + "\n"), 22);
        assert_eq!(line, "é".repeat(9) + "…\n");
    }

    #[test]
    fn a_long_line_of_json_stays_an_object() {
        let long = json!({"message": "m", "error": "\u{1b}é".repeat(9000), "count": 7, "x": "y".repeat(600)});
        for (longest, characters) in [(16 * 1024, 512), (1024, 64), (200, 0)] {
            let line = JSON.shortened(&format!("{long}\n"), longest);
            assert!(line.len() <= longest, "{}", line.len());
            let object: Value = serde_json::from_str(&line).unwrap();
            let error = object["error"].as_str().unwrap();
            assert_eq!(error.chars().count(), characters + 1);
            assert!(error.ends_with('…'));
            assert_eq!(object["count"], 7);
        }
    }
}
