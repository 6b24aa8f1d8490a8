//! Query strings, which serde reads. No key in one is ignored: without its mistyped filter, a `DELETE`
//! would close every session.

use std::fmt;
use std::vec;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
};
use serde::{Deserialize, de, forward_to_deserialize_any};
use utoipa::IntoParams;

use super::percent::decode_form;
use super::response::{Error, WrongQuery};

/// The query of a request, of which each key is a field of `T`.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

/// The query of a request that takes no keys.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct NoKeys {}

/// What is wrong with a query. It repeats nothing that the client wrote, which may be a secret in
/// the wrong place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum QueryError {
    #[error("key {position} of the query is unknown: {}", known(.keys))]
    UnknownKey {
        position: usize,
        keys: &'static [&'static str],
    },
    #[error("`{key}` is there twice")]
    DoubledKey { key: &'static str },
    #[error("key {position} of the query, or its value, is not percent-encoded UTF-8")]
    Encoding { position: usize },
    #[error("`{key}`{problem}")]
    Value { key: &'static str, problem: String },
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = WrongQuery;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, WrongQuery> {
        let query = T::deserialize(Pairs(parts.uri.query().unwrap_or_default()));
        query.map(Self).map_err(|error| {
            let error = error.to_string();
            WrongQuery(Error { error })
        })
    }
}

/// The pairs of a query, as they are written.
struct Pairs<'a>(&'a str);

/// The pairs of a query, decoded, each under a key of its own.
struct Decoded {
    pairs: vec::IntoIter<(&'static str, String)>,
    /// The value of the key that was read last.
    value: Option<(&'static str, String)>,
}

impl Pairs<'_> {
    fn decode(&self, keys: &'static [&'static str]) -> Result<Decoded, QueryError> {
        let mut pairs: Vec<(&'static str, String)> = Vec::new();
        let written = self.0.split('&').filter(|pair| !pair.is_empty());
        for (position, pair) in (1..).zip(written) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(key), Some(value)) = (decode_form(key), decode_form(value)) else {
                return Err(QueryError::Encoding { position });
            };
            let Some(key) = keys.iter().copied().find(|known| *known == key) else {
                return Err(QueryError::UnknownKey { position, keys });
            };
            if pairs.iter().any(|(other, _)| *other == key) {
                return Err(QueryError::DoubledKey { key });
            }
            pairs.push((key, value));
        }
        Ok(Decoded {
            pairs: pairs.into_iter(),
            value: None,
        })
    }
}

impl<'de> Deserializer<'de> for Pairs<'_> {
    type Error = QueryError;

    /// The fields of the struct are the keys that the query may have.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, QueryError> {
        visitor.visit_map(self.decode(fields)?)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, QueryError> {
        Err(de::Error::custom(" is read into a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Decoded {
    type Error = QueryError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, QueryError> {
        self.value = self.pairs.next();
        let key = self.value.as_ref().map(|(key, _)| *key);
        key.map(|key| seed.deserialize(key.into_deserializer()))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, QueryError> {
        let (key, value) = self.value.take().unwrap_or_default();
        let value: StringDeserializer<QueryError> = value.into_deserializer();
        seed.deserialize(value).map_err(|error| match error {
            QueryError::Value { problem, .. } => QueryError::Value { key, problem },
            error => error,
        })
    }
}

impl de::Error for QueryError {
    /// What is wrong with a value; whose, is added where the key is known.
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Self::Value {
            key: "",
            problem: problem.to_string(),
        }
    }
}

fn known(keys: &[&str]) -> String {
    match keys {
        [] => "it takes no keys".to_owned(),
        keys => format!("the keys are {}", keys.join(", ")),
    }
}

#[cfg(test)]
mod tests;
