//! Values that are written as a string: one trait gives them serde and a schema.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use super::error::ValueError;

/// A way to write a value as a string.
pub(in crate::config) trait Text {
    /// The type of the value in Rust.
    type Value;

    /// What it is, for `expected …`.
    const FORM: &'static str;

    /// A regular expression for the schema, where one says something.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the schema"))]
    const PATTERN: Option<&'static str> = None;

    /// Parses the string. What the error says may quote it.
    fn parse(text: &str) -> Result<Self::Value, ValueError>;

    /// The string, without what is secret.
    fn print(value: &Self::Value) -> String;
}

/// Serde's `with` for a field that is written as a `T`.
pub(in crate::config) struct As<T>(PhantomData<T>);

impl<T: Text> As<T> {
    pub(in crate::config) fn deserialize<'de, D>(deserializer: D) -> Result<T::Value, D::Error>
    where
        D: Deserializer<'de>,
    {
        deserializer.deserialize_str(Visitor(PhantomData::<T>))
    }

    pub(in crate::config) fn serialize<S: Serializer>(
        value: &T::Value,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&T::print(value))
    }
}

struct Visitor<T>(PhantomData<T>);

impl<T: Text> de::Visitor<'_> for Visitor<T> {
    type Value = T::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::FORM)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T::Value, E> {
        T::parse(text).map_err(ValueError::into_serde)
    }
}

/// Serde's `with` for a list whose only entry may stand without brackets; none at all if it is empty.
pub(in crate::config) struct OneOrMany<T>(PhantomData<T>);

impl<T: Text> OneOrMany<T> {
    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T::Value>, D::Error> {
        deserializer.deserialize_any(Self(PhantomData))
    }

    pub(in crate::config) fn serialize<S: Serializer>(
        values: &[T::Value],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let written: Vec<_> = values.iter().map(T::print).collect();
        Some(written)
            .filter(|written| !written.is_empty())
            .serialize(serializer)
    }
}

impl<'de, T: Text> de::Visitor<'de> for OneOrMany<T> {
    type Value = Vec<T::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::FORM)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T::Value>, E> {
        Ok(vec![T::parse(text).map_err(ValueError::into_serde)?])
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<Vec<T::Value>, A::Error> {
        let list = de::value::SeqAccessDeserializer::new(list);
        let entries = Vec::<Entry<T>>::deserialize(list)?;
        Ok(entries.into_iter().map(|Entry(value)| value).collect())
    }

    /// JSON's `null`.
    fn visit_unit<E: de::Error>(self) -> Result<Vec<T::Value>, E> {
        Ok(Vec::new())
    }
}

/// An entry of a list.
struct Entry<T: Text>(T::Value);

impl<'de, T: Text> Deserialize<'de> for Entry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        As::<T>::deserialize(deserializer).map(Self)
    }
}

/// Gives types that parse and print themselves their form, serde and a schema.
macro_rules! text {
    ($type:ident, $form:literal $(, $pattern:literal)?) => {
        impl $crate::config::values::text::Text for $type {
            type Value = Self;
            const FORM: &'static str = $form;
            $(const PATTERN: Option<&'static str> = Some($pattern);)?

            fn parse(text: &str) -> Result<Self, $crate::config::values::error::ValueError> {
                text.parse()
            }

            fn print(value: &Self) -> String {
                value.to_string()
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                $crate::config::values::text::As::<Self>::deserialize(d)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                $crate::config::values::text::As::<Self>::serialize(self, s)
            }
        }

        $crate::config::values::schema::schema!([] $type, |generator| {
            $crate::config::values::text::As::<Self>::json_schema(generator)
        });
    };
}

pub(super) use text;

super::schema::schema!([T: Text] As<T>, |_| {
    let mut schema = json_schema!({ "type": "string" });
    if let Some(pattern) = T::PATTERN {
        // An environment variable may hold any of it.
        schema.insert("pattern".to_owned(), format!(r"{pattern}|\$\{{").into());
    }
    schema
});

super::schema::schema!([T: Text] OneOrMany<T>, |generator| {
    let one = As::<T>::json_schema(generator);
    json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
});
