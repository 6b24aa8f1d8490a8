//! The rules of a route that refuse requests, and where they stand.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A rule of a route that refuses requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Http,
    EncodedSlashes,
    AddressAllow,
    AddressDeny,
    OriginAllow,
    OriginMissing,
    OriginNull,
    Auth,
    AuthRequire,
    Connections,
    Handshakes,
    SubjectConnections,
    SubjectHandshakes,
}

impl Rule {
    /// All of them, each at its own index.
    pub(in crate::config) const ALL: [Self; 13] = [
        Self::Http,
        Self::EncodedSlashes,
        Self::AddressAllow,
        Self::AddressDeny,
        Self::OriginAllow,
        Self::OriginMissing,
        Self::OriginNull,
        Self::Auth,
        Self::AuthRequire,
        Self::Connections,
        Self::Handshakes,
        Self::SubjectConnections,
        Self::SubjectHandshakes,
    ];

    /// Its key in the table of the route.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::EncodedSlashes => "encoded_slashes",
            Self::AddressAllow => "address.allow",
            Self::AddressDeny => "address.deny",
            Self::OriginAllow => "origin.allow",
            Self::OriginMissing => "origin.missing",
            Self::OriginNull => "origin.null",
            Self::Auth => "auth",
            Self::AuthRequire => "auth.require",
            Self::Connections => "limits.per_ip.connections",
            Self::Handshakes => "limits.per_ip.handshakes",
            Self::SubjectConnections => "limits.per_subject.connections",
            Self::SubjectHandshakes => "limits.per_subject.handshakes",
        }
    }
}

/// The lines of the file in which the rules of the routes stand. Two sets of settings are the same
/// wherever they stand, so that this is no part of a route.
#[derive(Clone, Default)]
pub(crate) struct RuleLines(HashMap<Arc<str>, RouteLines>);

/// The lines of one route.
#[derive(Clone)]
pub(in crate::config) struct RouteLines {
    /// Of the route itself.
    pub(in crate::config) route: Option<usize>,
    /// Of its rules, each at its own index; none of those that are defaults.
    pub(in crate::config) rules: [Option<usize>; Rule::ALL.len()],
}

impl RuleLines {
    pub(in crate::config) fn add(&mut self, route: &Arc<str>, lines: RouteLines) {
        self.0.insert(Arc::clone(route), lines);
    }

    /// The line of a rule; none where it is a default, or the settings stand in no file.
    pub(crate) fn of_rule(&self, route: &str, rule: Rule) -> Option<usize> {
        self.0.get(route)?.rules[rule as usize]
    }

    /// The line in which a route begins.
    pub(crate) fn of_route(&self, route: &str) -> Option<usize> {
        self.0.get(route)?.route
    }
}

/// Settings that are the same look the same, wherever they stand.
impl fmt::Debug for RuleLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleLines").finish_non_exhaustive()
    }
}
