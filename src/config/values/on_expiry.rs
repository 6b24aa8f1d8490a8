//! What becomes of a session whose token has expired: a close code, or `"keep"`.

use std::fmt;

use serde::de::{self, Deserializer, IntoDeserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::close::CloseCode;

/// What becomes of a session when the right to it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExpiry {
    /// It is closed with this code.
    Close(CloseCode),
    /// It goes on: the right counts when the session begins.
    Keep,
}

const KEEP: &str = "keep";

impl Serialize for OnExpiry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Close(code) => code.serialize(serializer),
            Self::Keep => serializer.serialize_str(KEEP),
        }
    }
}

impl<'de> Deserialize<'de> for OnExpiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = OnExpiry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a close code such as 4401, or \"{KEEP}\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<OnExpiry, E> {
        match text {
            KEEP => Ok(OnExpiry::Keep),
            _ => Err(E::custom(format_args!(
                "this must be a close code such as 4401, or \"{KEEP}\""
            ))),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<OnExpiry, E> {
        CloseCode::deserialize(number.into_deserializer()).map(OnExpiry::Close)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<OnExpiry, E> {
        CloseCode::deserialize(number.into_deserializer()).map(OnExpiry::Close)
    }
}

super::schema::schema!([] OnExpiry, |generator| json_schema!({ "anyOf": [
    CloseCode::json_schema(generator),
    { "const": KEEP },
] }));
