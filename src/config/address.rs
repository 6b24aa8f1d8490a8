//! `[route.address]` and `trusted_proxies`: networks of addresses.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::value::ValueError;

/// An address is let in if it is in `allow` (or `allow` is empty) and not in `deny`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddressRules {
    /// Empty lets everybody in.
    pub(crate) allow: Vec<IpNet>,
    pub(crate) deny: Vec<IpNet>,
}

impl AddressRules {
    /// Whether the rules let this address in.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        (self.allow.is_empty() || networks_contain(&self.allow, address))
            && !networks_contain(&self.deny, address)
    }
}

/// Whether one of the networks holds the address; an IPv4-mapped IPv6 address is an IPv4 one.
pub(crate) fn networks_contain(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// Parses `10.0.0.0/8` or `2001:db8::/32`, or a single address.
///
/// A network of IPv4-mapped IPv6 addresses comes back as the IPv4 network that it stands for.
///
/// # Errors
///
/// The text is no network, or has bits set behind its prefix.
pub fn parse_network(text: &str) -> Result<IpNet, ValueError> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse().map_err(|_| not_a_network(text))?,
    };
    if network.addr() != network.network() {
        return Err(ValueError(format!(
            "`{text}` has bits set behind its prefix: write `{}` for the network or `{}` for the \
             one address",
            network.trunc(),
            network.addr()
        )));
    }
    Ok(canonical(network))
}

fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else {
        return network;
    };
    let address: Option<Ipv4Addr> = mapped.addr().to_ipv4_mapped();
    let prefix = mapped.prefix_len().checked_sub(96);
    match (address, prefix) {
        (Some(address), Some(prefix)) => match Ipv4Net::new(address, prefix) {
            Ok(network) => IpNet::V4(network),
            Err(_) => IpNet::V6(mapped),
        },
        _ => IpNet::V6(mapped),
    }
}

fn not_a_network(text: &str) -> ValueError {
    ValueError(format!(
        "`{text}` is not a network: write an address and a prefix length, like `10.0.0.0/8` or \
         `2001:db8::/32`, or one address"
    ))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10.0.0.0/8", "10.0.0.0/8")]
    #[case("192.0.2.1", "192.0.2.1/32")]
    #[case("2001:db8::/32", "2001:db8::/32")]
    #[case("::1", "::1/128")]
    #[case("0.0.0.0/0", "0.0.0.0/0")]
    #[case::mapped_network("::ffff:10.0.0.0/104", "10.0.0.0/8")]
    #[case::mapped_address("::ffff:192.0.2.1", "192.0.2.1/32")]
    fn a_network_is_an_address_with_or_without_a_prefix(#[case] text: &str, #[case] network: &str) {
        assert_eq!(parse_network(text).unwrap().to_string(), network);
    }

    #[rstest]
    #[case("", "not a network")]
    #[case("example.com", "not a network")]
    #[case("10.0.0.0/33", "not a network")]
    #[case("10.0.0/8", "not a network")]
    #[case("10.0.0.0:80", "not a network")]
    #[case("[::1]", "not a network")]
    #[case("10.0.0.1/8", "`10.0.0.0/8` for the network or `10.0.0.1` for the one")]
    fn a_wrong_network_is_refused_with_its_reason(#[case] text: &str, #[case] reason: &str) {
        let error = parse_network(text).unwrap_err();
        assert!(error.0.contains(reason), "{error}");
    }

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
        let parse = |text: &&str| parse_network(text).unwrap();
        let rules = AddressRules {
            allow: allow.iter().map(parse).collect(),
            deny: deny.iter().map(parse).collect(),
        };
        assert_eq!(rules.allows(address.parse().unwrap()), allows);
    }
}
