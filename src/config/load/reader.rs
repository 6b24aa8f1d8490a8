//! A parsed file for serde: what it is made of, and which key an error is about.
//!
//! The deserializer of the `toml` crate gives an error as a sentence and a span. This one gives what
//! the error is, so that it can be said in the words of the settings, and the key, so that the value
//! can be taken out. It also takes a struct from a table only, where the other takes lists too.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use crate::config::values::ValueError;

/// A value to deserialize.
#[derive(Clone, Copy)]
pub(super) struct Reader<'de>(pub(super) &'de Spanned<DeValue<'de>>);

/// What is wrong with a value, and where.
#[derive(Debug)]
pub(super) struct ReadError {
    pub(super) kind: Kind,
    /// From the value that was read to the one that is wrong, the last step first.
    pub(super) path: Vec<Step>,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// The problem may repeat what is wrong.
    Value(ValueError),
    /// The value is of another type; the problem repeats nothing of it.
    Type(ValueError),
    /// Something else stands where a table has to be.
    NoTable(ValueError),
    /// A visitor was handed what it does not take, and says what it does.
    Mismatch(String),
    UnknownKey {
        key: String,
        known: &'static [&'static str],
    },
    MissingKey(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    /// The name of a key.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Index(_) => None,
        }
    }
}

impl ReadError {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            path: Vec::new(),
        }
    }

    fn within(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }
}

impl<'de> Reader<'de> {
    /// The error for a value that is not what serde expects.
    fn mismatch(self, expected: &str) -> ReadError {
        let expected = match expected {
            "a boolean" => "`true` or `false`",
            "a sequence" => LIST,
            "a map" => TABLE,
            _ if expected.starts_with("struct ") => TABLE,
            _ => expected,
        };
        let found = match self.0.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => LIST,
            DeValue::Table(_) => TABLE,
        };
        let problem = ValueError::new(format!("expected {expected}, found {found}"));
        ReadError::new(match (expected, found) {
            (TABLE, _) => Kind::NoTable(problem),
            (LIST, TABLE) => Kind::Type(
                problem.help("the header of each table in a list has two brackets: [[…]]"),
            ),
            (LIST, _) => Kind::Type(problem.help("a list has brackets, around a single entry too")),
            _ => Kind::Type(match self.right(expected) {
                Some(right) => problem.help(right),
                None => problem,
            }),
        })
    }
}

impl Reader<'_> {
    /// What to write in the place of a value of another type, as it was probably meant. It repeats
    /// numbers, and nothing of a string: an environment variable may have been filled in.
    fn right(self, expected: &str) -> Option<String> {
        let is_of = |kind: &str| expected.starts_with(kind);
        match self.0.get_ref() {
            DeValue::Integer(integer) => {
                let number = whole_number(integer).ok()?;
                match number {
                    _ if is_of("a duration ") => {
                        Some(format!("write it with its unit: \"{number}s\""))
                    }
                    _ if is_of("a size ") => Some(format!("write it with its unit: \"{number}B\"")),
                    _ if is_of("a rate ") => {
                        Some(format!("write it with its span: \"{number}/s\""))
                    }
                    _ if is_of("a byte rate ") => {
                        Some(format!("write it with its unit and span: \"{number}B/s\""))
                    }
                    1..=0xffff if is_of("an address ") => {
                        Some(format!("write it with its address: \"127.0.0.1:{number}\""))
                    }
                    1..=0xffff if is_of("a server ") => {
                        Some(format!("write it as a URL: \"ws://127.0.0.1:{number}\""))
                    }
                    0 | 1 if is_of("`true`") => Some(format!("write {}", number == 1)),
                    _ => None,
                }
            }
            DeValue::String(text) if is_of("`true`") => {
                let words = ["true", "false", "on", "off", "yes", "no", "1", "0"];
                let is_meant = words.iter().any(|word| text.eq_ignore_ascii_case(word));
                is_meant.then(|| "write true or false, without quotes".to_owned())
            }
            DeValue::String(text) if is_of("a whole number") => {
                let help = match text.trim() {
                    "auto" => Some("leave the key out, and wsgate chooses"),
                    text if text.parse::<u32>().is_ok() => Some("write the number without quotes"),
                    _ => None,
                };
                help.map(str::to_owned)
            }
            DeValue::Boolean(false) if is_of("a rate ") || is_of("a byte rate ") => {
                Some("\"off\" is no limit".to_owned())
            }
            _ => None,
        }
    }
}

const LIST: &str = "a list";
const TABLE: &str = "a table";

impl<'de> de::Deserializer<'de> for Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let result = match self.0.get_ref() {
            DeValue::String(text) => visitor.visit_str(text),
            DeValue::Integer(integer) => match whole_number(integer) {
                Ok(number) => visitor.visit_u64(number),
                Err(number) => visitor.visit_i64(number),
            },
            DeValue::Float(float) => visitor.visit_f64(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(boolean) => visitor.visit_bool(*boolean),
            DeValue::Datetime(_) => Err(de::Error::invalid_type(Unexpected::Unit, &visitor)),
            DeValue::Array(list) => visitor.visit_seq(Elements(list.iter().enumerate())),
            DeValue::Table(table) => visitor.visit_map(Entries::of(table)),
        };
        result.map_err(|error| match error.kind {
            Kind::Mismatch(expected) if error.path.is_empty() => self.mismatch(&expected),
            kind => ReadError { kind, ..error },
        })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.0.get_ref() {
            // Serde would take the entries for the fields in their order.
            DeValue::Array(_) => Err(self.mismatch(TABLE)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.0.get_ref() {
            DeValue::String(word) => visitor.visit_enum(deserializer_of(word)),
            _ => {
                let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                Err(self.mismatch(&format!("one of {}", words.join(", "))))
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

type Entry<'de> = (&'de Spanned<Cow<'de, str>>, &'de Spanned<DeValue<'de>>);

/// A table's entries as the file has them (the parser sorts them by name).
struct Entries<'de> {
    rest: std::vec::IntoIter<Entry<'de>>,
    current: Option<Entry<'de>>,
}

impl<'de> Entries<'de> {
    fn of(table: &'de DeTable<'de>) -> Self {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        Self {
            rest: entries.into_iter(),
            current: None,
        }
    }
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        self.current = self.rest.next();
        let key = self.current.map(|(key, _)| deserializer_of(key.get_ref()));
        key.map(|key| seed.deserialize(key)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some((key, value)) = self.current.take() else {
            return Err(de::Error::custom("there is no value left"));
        };
        let step = || Step::Key(key.get_ref().to_string());
        seed.deserialize(Reader(value))
            .map_err(|error| error.within(step()))
    }
}

/// The entries of a list.
struct Elements<'de>(std::iter::Enumerate<std::slice::Iter<'de, Spanned<DeValue<'de>>>>);

impl<'de> de::SeqAccess<'de> for Elements<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let read = |(index, value)| {
            seed.deserialize(Reader(value))
                .map_err(|error: ReadError| error.within(Step::Index(index)))
        };
        self.0.next().map(read).transpose()
    }
}

fn deserializer_of(text: &str) -> StrDeserializer<'_, ReadError> {
    text.into_deserializer()
}

/// The number, or a negative one. What is larger than either is out of every bound.
fn whole_number(integer: &DeInteger<'_>) -> Result<u64, i64> {
    let (digits, radix) = (integer.as_str(), integer.radix());
    match digits.starts_with('-') {
        true => Err(i64::from_str_radix(digits, radix).unwrap_or(i64::MIN)),
        false => Ok(u64::from_str_radix(digits, radix).unwrap_or(u64::MAX)),
    }
}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Value(ValueError::from_serde(&message.to_string())))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(Kind::Mismatch(expected.to_string()))
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::Value(ValueError::unknown_word(word, known)))
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        let key = key.to_owned();
        Self::new(Kind::UnknownKey { key, known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Kind::MissingKey(key))
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl std::error::Error for ReadError {}
