//! Networks of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

use super::error::ValueError;
use super::text::text;

/// A network of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
///
/// A network of IPv4-mapped IPv6 addresses is the IPv4 network that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Whether every address is in it.
    pub(in crate::config) fn is_everything(self) -> bool {
        self.0.prefix_len() == 0
    }
}

/// Whether one of the networks holds the address; an IPv4-mapped IPv6 address is an IPv4 one.
pub(crate) fn networks_contain(networks: &[Network], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.0.contains(&address))
}

/// Parses `10.0.0.0/8` or `2001:db8::/32`, or a single address.
///
/// # Errors
///
/// The text is no network, or has bits set behind its prefix.
pub fn parse_network(text: &str) -> Result<Network, ValueError> {
    text.parse()
}

impl FromStr for Network {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse().map_err(|_| not_a_network(text))?,
        };
        if network.addr() != network.network() {
            return Err(ValueError::new(format!(
                "`{text}` has bits set behind its prefix: write `{}` for the network or `{}` for \
                 the one address",
                network.trunc(),
                network.addr()
            )));
        }
        Ok(Self(canonical(network)))
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(canonical(address.into()))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text!(
    Network,
    "a network such as \"10.0.0.0/8\"",
    r"^([0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(/[0-9]{1,3})?)$"
);

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
    ValueError::new(format!(
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
        assert!(error.message().contains(reason), "{error}");
    }
}
