//! Whether a client's address is allowed.

use std::net::IpAddr;

use super::refusal::PolicyRefusal;
use crate::config::AddressRules;
use crate::rejection::Rejection;

/// Checks an address against a route's rules.
pub(crate) fn check(rules: &AddressRules, ip: IpAddr) -> Result<(), PolicyRefusal> {
    match rules.refusing(ip) {
        None => Ok(()),
        Some(rule) => Err(PolicyRefusal::by(rule, Rejection::AddressDenied)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Rule, parse_network};

    #[test]
    fn a_denied_address_is_refused() {
        let rules = AddressRules {
            allow: Vec::new(),
            deny: vec![parse_network("192.0.2.0/24").unwrap()],
        };
        let denied = check(&rules, "192.0.2.1".parse().unwrap());
        assert_eq!(
            denied,
            Err(PolicyRefusal::by(
                Rule::AddressDeny,
                Rejection::AddressDenied
            ))
        );
        assert_eq!(check(&rules, "192.0.3.1".parse().unwrap()), Ok(()));
    }
}
