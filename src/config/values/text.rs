//! Values that are written as a string: one trait gives them serde and a schema.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::Serializer;

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

/// Serde's `with` for a list whose entries are written as a `T`.
pub(in crate::config) struct Each<T>(PhantomData<T>);

/// Serde's `with` for a list whose only entry may stand without brackets; nothing if it is empty.
pub(in crate::config) struct OneOrMany<T>(PhantomData<T>);

struct Entry<T: Text>(T::Value);

impl<'de, T: Text> Deserialize<'de> for Entry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        As::<T>::deserialize(deserializer).map(Self)
    }
}

impl<T: Text> Each<T> {
    pub(in crate::config) fn deserialize<'de, D>(deserializer: D) -> Result<Vec<T::Value>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let entries: Vec<Entry<T>> = Vec::deserialize(deserializer)?;
        Ok(entries.into_iter().map(|entry| entry.0).collect())
    }

    pub(in crate::config) fn serialize<S: Serializer>(
        values: &[T::Value],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(T::print))
    }
}

impl<T: Text> OneOrMany<T> {
    pub(in crate::config) fn deserialize<'de, D>(deserializer: D) -> Result<Vec<T::Value>, D::Error>
    where
        D: Deserializer<'de>,
    {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData::<T>))
    }

    pub(in crate::config) fn serialize<S: Serializer>(
        values: &[T::Value],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match values.is_empty() {
            true => serializer.serialize_none(),
            false => Each::<T>::serialize(values, serializer),
        }
    }
}

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Text> de::Visitor<'de> for OneOrManyVisitor<T> {
    type Value = Vec<T::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::FORM)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Visitor(PhantomData::<T>)
            .visit_str(text)
            .map(|value| vec![value])
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Each::<T>::deserialize(de::value::SeqAccessDeserializer::new(list))
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
}

/// Gives types that are written as strings wherever they stand serde and a schema.
macro_rules! text {
    ($($type:ty),+) => {$(
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

        #[cfg(feature = "server")]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::config::values::text::string_schema::<Self>()
            }
        }
    )+};
}

pub(super) use text;

#[cfg(feature = "server")]
pub(super) use schema::string_schema;

#[cfg(feature = "server")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{As, Each, OneOrMany, Text};

    pub(in crate::config::values) fn string_schema<T: Text>() -> Schema {
        let mut schema = json_schema!({ "type": "string" });
        if let Some(pattern) = T::PATTERN {
            // An environment variable may hold any of it.
            schema.insert("pattern".to_owned(), format!(r"{pattern}|\$\{{").into());
        }
        schema
    }

    impl<T: Text> JsonSchema for As<T> {
        fn schema_name() -> Cow<'static, str> {
            "Text".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            string_schema::<T>()
        }
    }

    impl<T: Text> JsonSchema for Each<T> {
        fn schema_name() -> Cow<'static, str> {
            "List".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "array", "items": string_schema::<T>() })
        }
    }

    impl<T: Text> JsonSchema for OneOrMany<T> {
        fn schema_name() -> Cow<'static, str> {
            "OneOrMany".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            json_schema!({ "anyOf": [string_schema::<T>(), Each::<T>::json_schema(generator)] })
        }
    }
}
