//! `http` of a listener: the versions of HTTP that it speaks.

use std::fmt;

use serde::de::{self, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::config::values::schema;

/// A version of HTTP that clients may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HttpVersion {
    /// HTTP/1.1 and HTTP/1.0.
    H1,
    /// HTTP/2.
    H2,
}

/// The versions of HTTP that a listener speaks: one at least, once they are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpVersions {
    h1: bool,
    h2: bool,
}

impl HttpVersions {
    /// HTTP/1.1 and HTTP/1.0 alone.
    pub const H1: Self = Self {
        h1: true,
        h2: false,
    };

    /// HTTP/2 alone.
    pub const H2: Self = Self {
        h1: false,
        h2: true,
    };

    /// All of them.
    pub const ALL: Self = Self { h1: true, h2: true };

    /// Whether this version is one of them.
    pub fn has(self, version: HttpVersion) -> bool {
        match version {
            HttpVersion::H1 => self.h1,
            HttpVersion::H2 => self.h2,
        }
    }

    /// Whether the list is empty.
    pub(in crate::config) fn is_empty(self) -> bool {
        !self.h1 && !self.h2
    }

    /// The only one, if there is only one.
    pub fn only(self) -> Option<HttpVersion> {
        match (self.h1, self.h2) {
            (true, false) => Some(HttpVersion::H1),
            (false, true) => Some(HttpVersion::H2),
            (true, true) | (false, false) => None,
        }
    }
}

impl Serialize for HttpVersions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let all = [HttpVersion::H1, HttpVersion::H2];
        serializer.collect_seq(all.into_iter().filter(|version| self.has(*version)))
    }
}

impl<'de> Deserialize<'de> for HttpVersions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = HttpVersions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of \"h1\" and \"h2\"")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<HttpVersions, A::Error> {
        let mut versions = HttpVersions {
            h1: false,
            h2: false,
        };
        while let Some(version) = list.next_element()? {
            match version {
                HttpVersion::H1 => versions.h1 = true,
                HttpVersion::H2 => versions.h2 = true,
            }
        }
        // None at all is an error of the check, which knows whether there were wrong ones.
        Ok(versions)
    }
}

schema!([] HttpVersions, |generator| json_schema!({
    "type": "array",
    "items": HttpVersion::json_schema(generator),
    "minItems": 1,
}));
