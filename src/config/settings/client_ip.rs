//! `[client_ip]`: who the client is behind trusted proxies, and what counts as one client.

use serde::{Deserialize, Serialize};

use crate::config::values::{Network, Number};

/// Who the client is behind trusted proxies, and what counts as one client.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ClientIp {
    /// Networks of the proxies in front; only their forwarding header is believed.
    pub trusted_proxies: Vec<Network>,
    /// The header in which they name the client; it is read from its end to the first address
    /// that is not trusted.
    pub header: ForwardingHeader,
    /// How many leading bits of an IPv6 address make one client.
    #[serde(with = "Number::<1, 128>")]
    pub ipv6_prefix: u8,
    /// Addresses with limits of their own; all others beyond that share one.
    #[serde(with = "Number::<1, 1_000_000_000>")]
    pub tracked: usize,
}

/// The header in which trusted proxies name the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ForwardingHeader {
    /// `X-Forwarded-For`: a list of addresses.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): a list of elements with `for=` parameters.
    Forwarded,
}

impl Default for ClientIp {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            header: ForwardingHeader::default(),
            ipv6_prefix: 64,
            tracked: 1_000_000,
        }
    }
}
