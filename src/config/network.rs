//! Networks (`"10.0.0.0/8"`, a bare address) and addresses to listen on.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::{IpNet, Ipv4Net};

use super::ListenAddress;
use super::error::Problem;
use super::reader::FromText;

impl FromText for IpNet {
    const FORM: &'static str = "a network such as \"10.0.0.0/8\"";

    fn from_text(text: &str) -> Result<Self, Problem> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address)),
            Err(_) => text.parse::<IpNet>(),
        };
        network.map(canonical).map_err(|_| {
            Problem::new(format!("`{text}` is not a network"))
                .help("write an address, or a network such as \"10.0.0.0/8\" or \"fd00::/8\"")
        })
    }
}

impl FromText for ListenAddress {
    const FORM: &'static str = "an address such as \"127.0.0.1:8080\"";

    fn from_text(text: &str) -> Result<Self, Problem> {
        match text.strip_prefix("unix:") {
            Some("") => Err(Problem::new("`unix:` without a path").help("write \"unix:/path\"")),
            Some(path) => Ok(Self::Unix(PathBuf::from(path))),
            None => text.parse::<SocketAddr>().map(Self::Tcp).map_err(|_| {
                Problem::new(format!("`{text}` is not an address to listen on")).help(
                    "write an IP address and a port, \"127.0.0.1:8080\" or \"[::]:8080\", \
                     or \"unix:/path\"",
                )
            }),
        }
    }
}

/// A network as clients' addresses are compared with it: IPv4-mapped addresses as IPv4, and no
/// bits behind the prefix.
fn canonical(network: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    if let IpNet::V6(v6) = network
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Some(prefix) = v6.prefix_len().checked_sub(MAPPED)
        && let Ok(v4) = Ipv4Net::new(v4, prefix)
    {
        return IpNet::V4(v4.trunc());
    }
    network.trunc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_one_form_whatever_it_is_written_as() {
        for (text, expected) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("::/0", "::/0"),
        ] {
            let network = <IpNet as FromText>::from_text(text).unwrap();
            assert_eq!(network.to_string(), expected, "{text}");
        }
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0",
            "::/129",
            "10.0.0.0/",
            "example.com",
        ] {
            assert!(<IpNet as FromText>::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_listener_is_an_ip_address_with_a_port_or_a_unix_path() {
        for text in ["127.0.0.1:8080", "[::]:0", "unix:/run/wsgate.sock"] {
            assert!(ListenAddress::from_text(text).is_ok(), "{text}");
        }
        for text in [
            "",
            ":8080",
            "8080",
            "localhost:8080",
            "127.0.0.1",
            "127.0.0.1:65536",
            "unix:",
        ] {
            assert!(ListenAddress::from_text(text).is_err(), "{text}");
        }
    }
}
