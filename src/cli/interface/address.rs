//! Where an interface listens.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::{TcpStream, UnixStream};
use tokio_util::either::Either;

/// The address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InterfaceAddress {
    /// Host and port.
    Tcp(String),
    /// Likewise, with TLS.
    Tls(String),
    Unix(PathBuf),
}

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

impl InterfaceAddress {
    /// Parses `http://host:port`, `https://host:port`, `host:port` or `unix:/path`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err("`unix:` without a path: write unix:/path".to_owned()),
                path => Ok(Self::Unix(PathBuf::from(path))),
            };
        }
        let wrong = || "write http://127.0.0.1:9900, https://host:port or unix:/path".to_owned();
        let (make, default_port, rest): (fn(String) -> Self, _, _) =
            match text.strip_prefix("https://") {
                Some(rest) => (Self::Tls, HTTPS_PORT, Some(rest)),
                None => (Self::Tcp, HTTP_PORT, text.strip_prefix("http://")),
            };
        let (authority, has_scheme) = match rest {
            Some(rest) => (rest.strip_suffix('/').unwrap_or(rest), true),
            None => (text, false),
        };
        let authority: http::uri::Authority = authority.parse().map_err(|_| wrong())?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(wrong());
        }
        let has_host_alone = authority.as_str() == authority.host();
        match authority.port_u16() {
            Some(0) => Err("nothing can connect to port 0".to_owned()),
            Some(_) => Ok(make(authority.to_string())),
            None if has_scheme && has_host_alone => Ok(make(format!("{authority}:{default_port}"))),
            None => Err(wrong()),
        }
    }

    /// Where a listener is reached from the machine that it is on.
    pub(crate) fn of_listener(mut address: SocketAddr, has_tls: bool) -> Self {
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        match has_tls {
            true => Self::Tls(address.to_string()),
            false => Self::Tcp(address.to_string()),
        }
    }

    /// The name or address that TLS is for.
    pub(crate) fn tls_host(&self) -> Option<&str> {
        match self {
            Self::Tls(address) => address.rsplit_once(':').map(|(host, _)| host),
            Self::Tcp(_) | Self::Unix(_) => None,
        }
    }

    /// The connection below TLS.
    pub(crate) async fn connect(&self) -> io::Result<Either<TcpStream, UnixStream>> {
        match self {
            Self::Tcp(address) | Self::Tls(address) => {
                TcpStream::connect(address).await.map(Either::Left)
            }
            Self::Unix(path) => UnixStream::connect(path).await.map(Either::Right),
        }
    }

    /// The value of the `Host` header.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Tcp(address) | Self::Tls(address) => address,
            Self::Unix(_) => "localhost",
        }
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Tls(address) => write!(f, "https://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_a_host_with_a_port_or_a_file() {
        for (text, expected) in [
            ("http://127.0.0.1:9900", "127.0.0.1:9900"),
            ("http://127.0.0.1:9900/", "127.0.0.1:9900"),
            ("http://localhost", "localhost:80"),
            ("http://[::1]:9900", "[::1]:9900"),
            ("http://[::1]", "[::1]:80"),
            ("127.0.0.1:9900", "127.0.0.1:9900"),
            (
                "https://wsgate.internal:9900/",
                "https://wsgate.internal:9900",
            ),
            ("https://wsgate.internal", "https://wsgate.internal:443"),
            ("https://[::1]", "https://[::1]:443"),
            ("wsgate.internal:9900", "wsgate.internal:9900"),
            ("unix:/run/wsgate/admin.sock", "unix:/run/wsgate/admin.sock"),
            ("unix:admin.sock", "unix:admin.sock"),
        ] {
            let address = InterfaceAddress::parse(text).unwrap();
            assert_eq!(address.to_string(), expected, "{text}");
        }
        for text in [
            "",
            "unix:",
            "9900",
            "127.0.0.1",
            "127.0.0.1:",
            "http://",
            "http://127.0.0.1:9900/sessions",
            "http://127.0.0.1:0",
            "http://127.0.0.1:99999",
            "http://user:c4nary@127.0.0.1:9900",
            "https://",
            "https://127.0.0.1:9900/metrics",
            "ftp://127.0.0.1",
            "two words:80",
        ] {
            let wrong = InterfaceAddress::parse(text).expect_err(text);
            assert!(!wrong.contains("c4nary"), "{wrong}");
        }
    }

    #[test]
    fn a_listener_on_every_address_is_reached_on_this_machine() {
        for (listens, reached) in [
            ("127.0.0.1:9900", "127.0.0.1:9900"),
            ("0.0.0.0:9900", "127.0.0.1:9900"),
            ("[::]:9900", "[::1]:9900"),
            ("10.0.0.7:1", "10.0.0.7:1"),
        ] {
            let address = InterfaceAddress::of_listener(listens.parse().unwrap(), false);
            assert_eq!(
                address,
                InterfaceAddress::Tcp(reached.to_owned()),
                "{listens}"
            );
        }
    }
}
