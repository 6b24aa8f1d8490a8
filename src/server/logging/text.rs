//! The fields of a line of text: `reason=no_route error="connection refused"`.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{FormatFields, Writer};

/// Writes the message and the fields behind it.
///
/// A value that could be taken for something else stands in quotes, and every character that could
/// end a line or steer a terminal is escaped: no value can forge a field or a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextFields;

/// Writes the fields one after the other.
struct FieldVisitor<'w> {
    writer: Writer<'w>,
    is_first: bool,
    /// The value that is being written.
    value: Value,
    result: fmt::Result,
}

/// A value as text, of which the end may be cut.
#[derive(Default)]
struct Value {
    text: String,
    characters: usize,
}

/// The characters that one value may have.
pub(super) const LONGEST_VALUE: usize = 512;

impl<'w> FormatFields<'w> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = FieldVisitor {
            writer,
            is_first: true,
            value: Value::default(),
            result: Ok(()),
        };
        fields.record(&mut visitor);
        visitor.result
    }
}

impl FieldVisitor<'_> {
    fn write(&mut self, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
        if !std::mem::take(&mut self.is_first) {
            self.writer.write_char(' ')?;
        }
        self.value.set(value)?;
        match name {
            "message" => write_printable(&mut self.writer, &self.value.text, ""),
            _ => write_field(&mut self.writer, name, &self.value.text),
        }
    }
}

impl Visit for FieldVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.result.is_ok() {
            self.result = self.write(field.name(), format_args!("{value:?}"));
        }
    }
}

impl Value {
    fn set(&mut self, value: fmt::Arguments<'_>) -> fmt::Result {
        self.text.clear();
        self.characters = 0;
        self.write_fmt(value)
    }
}

impl Write for Value {
    /// Cuts what is too long.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match self.characters {
                LONGEST_VALUE => return Ok(()),
                last if last == LONGEST_VALUE - 1 => self.text.push('…'),
                _ => self.text.push(character),
            }
            self.characters += 1;
        }
        Ok(())
    }
}

/// Writes `name=value`, with quotes where the value is more than a word, a number or an address.
pub(super) fn write_field(writer: &mut impl Write, name: &str, value: &str) -> fmt::Result {
    write!(writer, "{name}=")?;
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    if !value.is_empty() && value.bytes().all(is_plain) {
        return writer.write_str(value);
    }
    writer.write_char('"')?;
    write_printable(writer, value, "\"\\")?;
    writer.write_char('"')
}

/// Writes text with these characters escaped, and all that are not printable.
fn write_printable(writer: &mut impl Write, text: &str, also: &str) -> fmt::Result {
    for character in text.chars() {
        match character {
            '"' | '\\' | '\'' if !also.contains(character) => writer.write_char(character)?,
            other => write!(writer, "{}", other.escape_debug())?,
        }
    }
    Ok(())
}
