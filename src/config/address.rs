//! `[route.address]`: which client addresses a route lets in.

use ipnet::IpNet;

/// An address is let in if it is in `allow` (or `allow` is empty) and not in `deny`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddressRules {
    /// Empty lets everybody in.
    pub(crate) allow: Vec<IpNet>,
    pub(crate) deny: Vec<IpNet>,
}
