//! `proxy_protocol` of a listener.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

use crate::config::values::{Network, schema};

/// Whether connections begin with a header of the PROXY protocol, which names their clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// None does.
    #[default]
    Off,
    /// Each does, and comes from one of these networks or over a unix socket; others are closed.
    From(Vec<Network>),
}

/// The table of these keys.
#[derive(Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct ProxyProtocolTable {
    /// The networks of the proxies. Connections from elsewhere are closed.
    from: Vec<Network>,
}

const OFF: &str = "off";

impl Serialize for ProxyProtocol {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str(OFF),
            Self::From(from) => {
                let from = from.clone();
                ProxyProtocolTable { from }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for ProxyProtocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = ProxyProtocol;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"off\" or a table such as { from = [\"10.0.0.0/8\"] }")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<ProxyProtocol, E> {
        match word {
            OFF => Ok(ProxyProtocol::Off),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, table: A) -> Result<ProxyProtocol, A::Error> {
        let ProxyProtocolTable { from } =
            ProxyProtocolTable::deserialize(MapAccessDeserializer::new(table))?;
        Ok(ProxyProtocol::From(from))
    }
}

schema!([] ProxyProtocol, |generator| json_schema!({ "anyOf": [
    { "type": "string", "enum": [OFF] },
    ProxyProtocolTable::json_schema(generator),
] }));
