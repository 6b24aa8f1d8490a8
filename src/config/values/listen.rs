//! Addresses to listen on.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
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
                let problem = ValueError::new(format!("`{text}` is not an address to listen on"));
                match Self::meant(text) {
                    Some(meant) if meant.starts_with("0.0.0.0:") => problem.help(format!(
                        "write \"{meant}\" for every address of this machine, or \"127.0.0.1:…\" for \
                         itself alone"
                    )),
                    Some(meant) => problem.help(format!("did you mean \"{meant}\"?")),
                    None => problem.help(
                        "write an IP address and a port, \"127.0.0.1:8080\" or \"[::]:8080\", \
                         or \"unix:/path\"",
                    ),
                }
            }),
        }
    }
}

impl ListenAddress {
    /// The address that a person may have meant: `:8080`, `8080`, `*:8080`, `localhost:8080`, `::`,
    /// `http://127.0.0.1:80`, `/run/wsgate.sock`.
    pub(in crate::config) fn meant(text: &str) -> Option<String> {
        let text = text.trim();
        if text.starts_with('/') && text.ends_with(".sock") {
            return Some(format!("unix:{text}"));
        }
        let address = text.split_once("://").map_or(text, |(_, address)| address);
        let address = address.trim_end_matches('/');
        if let Ok(ip) = address.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Some(SocketAddr::new(ip, 8080).to_string());
        }
        let (host, port) = address.rsplit_once(':').unwrap_or(("", address));
        let host = match host {
            "" | "*" => "0.0.0.0",
            "localhost" => "127.0.0.1",
            host => host,
        };
        let meant: SocketAddr = format!("{host}:{port}").parse().ok()?;
        Some(meant.to_string())
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
    r"^(unix:.+|([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]+(%[0-9]+)?\]):[0-9]{1,5})$"
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
