//! A close code as the settings write it: a number that may stand in a close frame.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use super::error::ValueError;
use crate::close::CloseCode;

impl<'de> Deserialize<'de> for CloseCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u16(Visitor)
    }
}

impl Serialize for CloseCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.get())
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = CloseCode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a close code such as 1001")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<CloseCode, E> {
        let code = u16::try_from(number).ok().and_then(CloseCode::new);
        code.ok_or_else(|| wrong(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<CloseCode, E> {
        let number = u64::try_from(number).map_err(|_| wrong(number))?;
        self.visit_u64(number)
    }
}

fn wrong<E: de::Error>(number: impl fmt::Display) -> E {
    ValueError::new(format!("{number} cannot stand in a close frame"))
        .help("a close code is 1000 to 1003, 1007 to 1014 or 3000 to 4999")
        .into_serde()
}

super::schema::schema!([] CloseCode, |_| {
    json_schema!({ "type": "integer", "anyOf": [
        { "minimum": 1000, "maximum": 1003 },
        { "minimum": 1007, "maximum": 1014 },
        { "minimum": 3000, "maximum": 4999 },
    ] })
});
