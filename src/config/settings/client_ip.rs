//! `[client_ip]`: the client's address behind trusted proxies, and what counts as one client.

use serde::{Deserialize, Serialize};

use crate::config::values::{Network, Number};

/// How the client's address is found behind trusted proxies, and what counts as one client.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ClientIp {
    /// Networks of the proxies in front; the forwarding headers of other peers are ignored.
    pub trusted_proxies: Vec<Network>,
    /// The header with the client's address; it is read from its end to the first address that is
    /// not trusted.
    pub header: ForwardingHeader,
    /// Whether a trusted proxy's `X-Forwarded-Host`, or the `host=` of its `Forwarded`, is the
    /// request's host.
    pub forwarded_host: bool,
    /// The number of leading bits of an IPv6 address that identify a client.
    #[serde(with = "Number::<1, 128>")]
    pub ipv6_prefix: u8,
    /// The number of addresses with limits of their own; all further ones share one entry.
    #[serde(with = "Number::<1, 1_000_000_000>")]
    pub tracked: usize,
}

/// The header in which trusted proxies send the client's address.
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
            forwarded_host: false,
            ipv6_prefix: 64,
            tracked: 1_000_000,
        }
    }
}
