//! Networks and addresses to listen on, as the file writes them.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::error::Problem;
use super::reader::FromText;
use super::{ListenAddress, parse_network};

impl FromText for IpNet {
    const FORM: &'static str = "a network such as \"10.0.0.0/8\"";

    fn from_text(text: &str) -> Result<Self, Problem> {
        Ok(parse_network(text)?)
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

#[cfg(test)]
mod tests {
    use super::*;

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
