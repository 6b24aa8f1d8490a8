//! `[route.headers]`: what the handshake request sent upstream carries.

use http::HeaderName;

use super::path::PathPattern;
use super::value::ValueError;

/// Changes to the request's headers, applied in this order: remove, set, forwarding headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers {
    pub(crate) set: Vec<(HeaderName, Template)>,
    pub(crate) remove: Vec<HeaderName>,
    pub(crate) forwarded: Forwarded,
}

/// Which forwarding headers tell the upstream who the client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Forwarded {
    /// `X-Forwarded-For`, `-Proto` and `-Host`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Standard,
    Both,
    Off,
}

/// A header value with placeholders: `{client_ip}`, `{host}`, `{route}`, `{path.NAME}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(pub(crate) String);

impl Template {
    /// Parses a value for a route with this path: `{path.NAME}` must be captured there.
    pub(crate) fn parse(text: &str, path: &PathPattern) -> Result<Self, ValueError> {
        let _ = path;
        Ok(Self(text.to_owned()))
    }
}
