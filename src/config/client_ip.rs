//! `[client_ip]`: who the client is behind trusted proxies, and what counts as one client.

use ipnet::IpNet;

/// How the client's address is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIp {
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) header: ForwardingHeader,
    /// 1 to 128.
    pub(crate) ipv6_prefix: u8,
    pub(crate) tracked: usize,
}

/// The header in which trusted proxies name the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
