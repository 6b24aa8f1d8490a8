//! What a claim of a token must be: a value, or one of a list.

use std::fmt;

use serde::de::{self, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// One value that a claim may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ClaimValue {
    /// A string, which may use `{path.NAME}` (decoded), `{host}` and `{client_ip}`. A claim that is a list, and the
    /// words of a scope, may hold others too.
    Text(String),
    /// A whole number.
    Number(i64),
    /// True or false.
    Bool(bool),
}

/// The values of which a claim must have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimValues(pub Vec<ClaimValue>);

impl Serialize for ClaimValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClaimValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ManyVisitor)
    }
}

impl<'de> Deserialize<'de> for ClaimValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneVisitor)
    }
}

struct OneVisitor;

impl de::Visitor<'_> for OneVisitor {
    type Value = ClaimValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORM)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ClaimValue, E> {
        Ok(ClaimValue::Text(text.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<ClaimValue, E> {
        Ok(ClaimValue::Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<ClaimValue, E> {
        let number = i64::try_from(number);
        number.map(ClaimValue::Number).map_err(|_| {
            let unexpected = de::Unexpected::Other("a number that is too large");
            E::invalid_value(unexpected, &self)
        })
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<ClaimValue, E> {
        Ok(ClaimValue::Bool(value))
    }
}

struct ManyVisitor;

impl<'de> de::Visitor<'de> for ManyVisitor {
    type Value = ClaimValues;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FORM}, or a list of such")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ClaimValues, E> {
        OneVisitor.visit_str(text).map(one)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<ClaimValues, E> {
        OneVisitor.visit_i64(number).map(one)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<ClaimValues, E> {
        OneVisitor.visit_u64(number).map(one)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<ClaimValues, E> {
        OneVisitor.visit_bool(value).map(one)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<ClaimValues, A::Error> {
        Vec::deserialize(de::value::SeqAccessDeserializer::new(list)).map(ClaimValues)
    }
}

const FORM: &str = "a string, a whole number or a boolean";

fn one(value: ClaimValue) -> ClaimValues {
    ClaimValues(vec![value])
}

super::schema::schema!([] ClaimValue, |_| json_schema!({ "type": ["string", "integer", "boolean"] }));

super::schema::schema!([] ClaimValues, |generator| {
    let one = ClaimValue::json_schema(generator);
    json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
});
