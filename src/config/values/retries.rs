//! How many other servers are tried: `"all"`, or a number.

use std::fmt;

use serde::de::{self, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::number::Number;

/// The number of other servers to try after a failed connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retries {
    /// Every other server, once.
    #[default]
    All,
    /// So many, 100 at most.
    AtMost(u32),
}

type Count = Number<0, 100>;

const ALL: &str = "all";

impl Retries {
    /// Whether another server is tried after so many.
    pub(crate) fn allow(self, tried: usize) -> bool {
        match self {
            Self::All => true,
            Self::AtMost(limit) => usize::try_from(limit).is_ok_and(|limit| tried < limit),
        }
    }
}

impl Serialize for Retries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str(ALL),
            Self::AtMost(limit) => Count::serialize(limit, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Retries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Retries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{ALL}\" or a whole number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Retries, E> {
        match text {
            ALL => Ok(Retries::All),
            _ => Err(E::custom(format_args!(
                "this must be \"{ALL}\" or a number from 0 to 100"
            ))),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Retries, E> {
        Count::deserialize(de::value::U64Deserializer::new(number)).map(Retries::AtMost)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Retries, E> {
        Count::deserialize(de::value::I64Deserializer::new(number)).map(Retries::AtMost)
    }
}

super::schema::schema!([] Retries, |generator| json_schema!({ "anyOf": [
    { "const": ALL },
    Count::json_schema(generator),
] }));
