//! Addresses to listen on.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::error::ValueError;
use super::text::text;

/// An address to listen on: `127.0.0.1:8080`, `[::]:8080` or `unix:/run/wsgate.sock`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// An IP address and a port; port 0 takes a free one.
    Tcp(SocketAddr),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl FromStr for ListenAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.strip_prefix("unix:") {
            Some("") => Err(ValueError::new("`unix:` without a path").help("write \"unix:/path\"")),
            Some(path) => Ok(Self::Unix(PathBuf::from(path))),
            None => text.parse::<SocketAddr>().map(Self::Tcp).map_err(|_| {
                ValueError::new(format!("`{text}` is not an address to listen on")).help(
                    "write an IP address and a port, \"127.0.0.1:8080\" or \"[::]:8080\", \
                     or \"unix:/path\"",
                )
            }),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

text!(
    ListenAddress,
    "an address such as \"127.0.0.1:8080\"",
    r"^(unix:.+|.+:[0-9]{1,5})$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_an_ip_address_with_a_port_or_a_unix_path() {
        for text in ["127.0.0.1:8080", "[::]:0", "unix:/run/wsgate.sock"] {
            assert!(text.parse::<ListenAddress>().is_ok(), "{text}");
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
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }
}
