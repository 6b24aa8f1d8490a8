//! `http` of a route: plain HTTP requests beside the WebSockets.

use std::fmt;
use std::time::Duration;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};

use crate::config::values::{As, Positive, ZeroForNever, schema};

/// The action for plain HTTP requests on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PlainHttp {
    /// Whether they are forwarded.
    pub mode: HttpMode,
    /// The longest wait for the head of a server's response.
    #[serde(with = "As::<Positive>")]
    pub response_timeout: Duration,
    /// The longest pause in a server's response; `None` is no limit.
    #[serde(with = "As::<ZeroForNever>")]
    pub idle_timeout: Option<Duration>,
    /// A client that reads no byte of a response for this time is a slow reader.
    #[serde(with = "As::<Positive>")]
    pub write_timeout: Duration,
    /// Whether the Origin rules apply.
    pub origin: HttpOrigin,
}

/// Whether plain HTTP requests are forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HttpMode {
    /// They are refused with 426.
    #[default]
    Refuse,
    /// They go to the same upstream.
    Forward,
}

/// Whether the Origin rules of a route apply to plain HTTP requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HttpOrigin {
    /// They do not: browsers protect plain HTTP by CORS.
    #[default]
    Ignore,
    /// They do, to requests with an `Origin`.
    Check,
}

/// The table of these keys. A route with the table forwards by default, and a route without it refuses.
#[derive(Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
struct HttpTable {
    /// refuse or forward.
    mode: HttpMode,
    /// The longest wait for the head of a server's response.
    #[serde(with = "As::<Positive>")]
    response_timeout: Duration,
    /// The longest pause in a server's response; "0s" is no limit.
    #[serde(with = "As::<ZeroForNever>")]
    idle_timeout: Option<Duration>,
    /// A client that reads no byte of a response for this time is closed as a slow reader.
    #[serde(with = "As::<Positive>")]
    write_timeout: Duration,
    /// Whether the route's Origin rules apply to plain HTTP: ignore or check.
    origin: HttpOrigin,
}

impl Default for PlainHttp {
    fn default() -> Self {
        Self {
            mode: HttpMode::Refuse,
            response_timeout: Duration::from_secs(60),
            idle_timeout: None,
            write_timeout: Duration::from_secs(60),
            origin: HttpOrigin::Ignore,
        }
    }
}

impl Default for HttpTable {
    fn default() -> Self {
        let PlainHttp {
            mode: _,
            response_timeout,
            idle_timeout,
            write_timeout,
            origin,
        } = PlainHttp::default();
        Self {
            mode: HttpMode::Forward,
            response_timeout,
            idle_timeout,
            write_timeout,
            origin,
        }
    }
}

impl From<HttpMode> for PlainHttp {
    fn from(mode: HttpMode) -> Self {
        Self {
            mode,
            ..Self::default()
        }
    }
}

impl<'de> Deserialize<'de> for PlainHttp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = PlainHttp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"refuse\", \"forward\" or a table")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<PlainHttp, E> {
        HttpMode::deserialize(StrDeserializer::new(word)).map(PlainHttp::from)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, table: A) -> Result<PlainHttp, A::Error> {
        let HttpTable {
            mode,
            response_timeout,
            idle_timeout,
            write_timeout,
            origin,
        } = HttpTable::deserialize(MapAccessDeserializer::new(table))?;
        Ok(PlainHttp {
            mode,
            response_timeout,
            idle_timeout,
            write_timeout,
            origin,
        })
    }
}

schema!([] PlainHttp, |generator| json_schema!({ "anyOf": [
    HttpMode::json_schema(generator),
    HttpTable::json_schema(generator),
] }));
