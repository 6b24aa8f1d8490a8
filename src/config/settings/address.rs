//! `[route.address]`: which client addresses are allowed.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::config::checked::rule::Rule;
use crate::config::values::{Network, networks_contain};

/// Which client addresses are allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AddressRules {
    /// Allowed networks; empty allows all.
    pub allow: Vec<Network>,
    /// Denied networks, even if `allow` has them.
    pub deny: Vec<Network>,
}

impl AddressRules {
    /// The rule that refuses this address; none where it is allowed.
    pub(crate) fn refusing(&self, address: IpAddr) -> Option<Rule> {
        if networks_contain(&self.deny, address) {
            return Some(Rule::AddressDeny);
        }
        let is_allowed = self.allow.is_empty() || networks_contain(&self.allow, address);
        (!is_allowed).then_some(Rule::AddressAllow)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::no_rules(&[], &[], "192.0.2.1", true)]
    #[case::allowed(&["192.0.2.0/24"], &[], "192.0.2.1", true)]
    #[case::not_on_the_list(&["192.0.2.0/24"], &[], "192.0.3.1", false)]
    #[case::denied(&[], &["192.0.2.0/24"], "192.0.2.1", false)]
    #[case::not_denied(&[], &["192.0.2.0/24"], "192.0.3.1", true)]
    #[case::deny_wins(&["192.0.2.0/24"], &["192.0.2.1"], "192.0.2.1", false)]
    #[case::deny_in_allow(&["192.0.2.0/24"], &["192.0.2.1"], "192.0.2.2", true)]
    #[case::ipv6(&["2001:db8::/32"], &[], "2001:db8::1", true)]
    #[case::other_family(&["0.0.0.0/0"], &[], "2001:db8::1", false)]
    #[case::mapped_cannot_slip_by(&[], &["192.0.2.1"], "::ffff:192.0.2.1", false)]
    #[case::mapped_rule(&["::ffff:192.0.2.0/120"], &[], "192.0.2.1", true)]
    fn rules_let_in_what_is_allowed_and_not_denied(
        #[case] allow: &[&str],
        #[case] deny: &[&str],
        #[case] address: &str,
        #[case] allows: bool,
    ) {
        let parse = |text: &&str| text.parse::<Network>().unwrap();
        let rules = AddressRules {
            allow: allow.iter().map(parse).collect(),
            deny: deny.iter().map(parse).collect(),
        };
        assert_eq!(rules.refusing(address.parse().unwrap()).is_none(), allows);
    }
}
