//! `host`: which authority a route serves.

use std::str::FromStr;

use super::value::ValueError;

/// An exact host or `*.example.com`; lower case, without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPattern(String);

impl FromStr for HostPattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_ascii_lowercase()))
    }
}
