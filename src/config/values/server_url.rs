//! The URL of an upstream server: `ws://host:port/base`, `wss://…`, `unix:/path:/base`.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

use super::error::ValueError;
use super::text::text;

/// The URL of a server: `ws://host:port`, `ws://host:port/base`, `unix:/path` or
/// `unix:/path:/base`; `wss://` for TLS (feature `tls`). `http://` is the same as `ws://`, and `https://` as
/// `wss://`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    pub(in crate::config) written: String,
    pub(in crate::config) address: ServerAddress,
    pub(in crate::config) is_tls: bool,
    /// Empty, or it begins with `/` and does not end with one.
    pub(in crate::config) base_path: String,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ServerAddress {
    /// A host name or address (IPv6 without brackets) and a port.
    Tcp {
        host: String,
        port: u16,
    },
    Unix(PathBuf),
}

const DEFAULT_PORT: u16 = 80;
const DEFAULT_TLS_PORT: u16 = 443;

impl FromStr for ServerUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let has_space = text.contains(char::is_whitespace);
        let mut is_tls = false;
        let (address, base_path) = match text.split_once(':') {
            Some(("unix", path)) => unix(path)?,
            Some(("ws" | "http", rest)) if !has_space => tcp(rest, DEFAULT_PORT)?,
            Some((scheme @ ("wss" | "https"), _)) if !cfg!(feature = "tls") => {
                return Err(ValueError::new(format!(
                    "this build of wsgate speaks no TLS to a server (`{scheme}://`)"
                ))
                .help("build it with the feature `tls`"));
            }
            Some(("wss" | "https", rest)) if !has_space => {
                is_tls = true;
                tcp(rest, DEFAULT_TLS_PORT)?
            }
            Some(_) if tcp(&["//", text].concat(), DEFAULT_PORT).is_ok() => {
                return Err(ValueError::new("this is not the URL of a server")
                    .help(format!("write it with its scheme: \"ws://{text}\"")));
            }
            _ if has_space => {
                return Err(ValueError::new("the URL of a server has no space")
                    .help("a weight stands in a table: { url = \"ws://host:port\", weight = 2 }"));
            }
            None if is_host(text).is_ok() => {
                return Err(
                    ValueError::new("this is not the URL of a server").help(format!(
                        "write it with its scheme and port: \"ws://{text}:80\""
                    )),
                );
            }
            _ => {
                return Err(ValueError::new("this is not the URL of a server").help(
                    "a server is ws://host:port, ws://host:port/base, wss://… or unix:/path",
                ));
            }
        };
        Ok(Self {
            written: text.to_owned(),
            address,
            is_tls,
            base_path: base_path.to_owned(),
        })
    }
}

/// As it was written.
impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

text!(
    ServerUrl,
    "a server such as \"ws://127.0.0.1:9001\"",
    r"^((ws|http)s?://[^@?#\s]+|unix:.+)$"
);

impl ServerAddress {
    /// What `Host` says of it in a request that names no authority of its own. A socket of this
    /// machine is `localhost`, because many servers refuse an empty one.
    pub(crate) fn authority(&self) -> String {
        match self {
            Self::Tcp {
                host,
                port: DEFAULT_PORT,
            } if host.contains(':') => format!("[{host}]"),
            Self::Tcp {
                host,
                port: DEFAULT_PORT,
            } => host.clone(),
            Self::Tcp { .. } => self.to_string(),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }
}

/// `host:port`, or `unix:/path`.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// `/path` or `/path:/base`.
fn unix(rest: &str) -> Result<(ServerAddress, &str), ValueError> {
    let (path, base) = match rest.find(":/") {
        Some(colon) => (&rest[..colon], &rest[colon + 1..]),
        None => (rest, ""),
    };
    if path.is_empty() || path.starts_with("//") || path.contains('\0') {
        return Err(ValueError::new("this is not the path of a unix socket")
            .help("write \"unix:/path\" or \"unix:/path:/base\""));
    }
    Ok((ServerAddress::Unix(PathBuf::from(path)), base_path(base)?))
}

/// `//host:port/base`.
fn tcp(rest: &str, default_port: u16) -> Result<(ServerAddress, &str), ValueError> {
    let rest = (rest.strip_prefix("//"))
        .ok_or_else(|| ValueError::new("a URL has `//` behind its scheme"))?;
    if rest.contains(['?', '#']) {
        return Err(ValueError::new(
            "the URL of a server has no query and no fragment",
        ));
    }
    let path_start = rest.find('/').unwrap_or(rest.len());
    let (authority, base) = rest.split_at(path_start);
    if authority.contains('@') {
        return Err(ValueError::new("the URL of a server has no user name")
            .help("set a header of the handshake in [route.headers] instead"));
    }
    let (host, port) = host_and_port(authority, default_port)?;
    Ok((ServerAddress::Tcp { host, port }, base_path(base)?))
}

pub(super) fn host_and_port(
    authority: &str,
    default_port: u16,
) -> Result<(String, u16), ValueError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, behind) = (bracketed.split_once(']'))
                .filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok())
                .ok_or_else(|| ValueError::new("this is not an IPv6 address in brackets"))?;
            match behind.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if behind.is_empty() => (host, None),
                None => return Err(ValueError::new("a port stands behind a `:`")),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (is_host(host)?, Some(port)),
            None => (is_host(authority)?, None),
        },
    };
    let port = match port {
        None => default_port,
        Some(port) => (port.parse::<u16>().ok())
            .filter(|number| *number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or_else(|| ValueError::new("the port must be a number from 1 to 65535"))?,
    };
    Ok((host.to_ascii_lowercase(), port))
}

/// A host name or an IPv4 address.
pub(super) fn is_host(host: &str) -> Result<&str, ValueError> {
    let is_label = |label: &str| {
        !label.is_empty()
            && (label.bytes())
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let labels = host.strip_suffix('.').unwrap_or(host);
    match host.len() <= 255 && labels.split('.').all(is_label) {
        true => Ok(host),
        false => {
            let problem = ValueError::new("the URL has no host name that could exist");
            Err(match host.contains('$') {
                true => problem.help("an environment variable is written ${NAME}"),
                false => problem,
            })
        }
    }
}

/// A path of whole, plain segments, without a slash at its end.
fn base_path(path: &str) -> Result<&str, ValueError> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte))
    };
    match path.is_empty() || path.split('/').skip(1).all(is_segment) {
        true => Ok(path),
        false => Err(
            ValueError::new("the path behind the server is not a plain one")
                .help("write it without `.`, `..`, empty or percent-encoded segments"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> ServerAddress {
        let host = host.to_owned();
        ServerAddress::Tcp { host, port }
    }

    #[test]
    fn a_server_has_an_authority_as_clients_write_it() {
        for (url, authority) in [
            ("ws://Chat.local", "chat.local"),
            ("ws://chat.local:80/base", "chat.local"),
            ("ws://chat_1:9001", "chat_1:9001"),
            ("ws://[2001:db8::1]", "[2001:db8::1]"),
            ("ws://[2001:db8::1]:81", "[2001:db8::1]:81"),
            ("unix:/run/chat.sock:/v1", "localhost"),
        ] {
            let url: ServerUrl = url.parse().unwrap();
            assert_eq!(url.address.authority(), authority, "{url}");
        }
    }

    #[test]
    fn a_url_names_an_address_and_a_base_path() {
        let unix = |path: &str| ServerAddress::Unix(path.into());
        for (text, address, base_path) in [
            ("ws://127.0.0.1:9001", tcp("127.0.0.1", 9001), ""),
            ("http://Chat-1.local/", tcp("chat-1.local", 80), ""),
            ("ws://chat_1:81/a/b/", tcp("chat_1", 81), "/a/b"),
            ("ws://[::1]:9001/a", tcp("::1", 9001), "/a"),
            ("ws://[2001:db8::1]", tcp("2001:db8::1", 80), ""),
            ("unix:/run/chat.sock", unix("/run/chat.sock"), ""),
            ("unix:/run/chat.sock:/v1/", unix("/run/chat.sock"), "/v1"),
            ("unix:chat.sock", unix("chat.sock"), ""),
        ] {
            let url = text.parse::<ServerUrl>().unwrap();
            assert_eq!(url.address, address, "{text}");
            assert_eq!(url.base_path, base_path, "{text}");
            assert_eq!(url.written, text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "127.0.0.1:9001",
            "chat:9001",
            "ftp://chat",
            "wss://user:password@chat",
            "wss://",
            "ws:chat",
            "ws:/chat",
            "ws://",
            "ws://:80",
            "ws://chat:",
            "ws://chat:0",
            "ws://chat:+80",
            "ws://chat:65536",
            "ws://user:password@chat",
            "ws://chat/a?b",
            "ws://chat/#a",
            "ws://chat?b",
            "ws://chat/../a",
            "ws://chat//a",
            "ws://chat/a%2fb",
            "ws://chat/a b",
            "ws://cha t",
            "ws://a..b",
            "ws://[::1",
            "ws://[::1]80",
            "ws://::1:80",
            "unix:",
            "unix://run/chat.sock",
            "unix:/a:/../b",
        ] {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        let problem = "ws://user:hunter2@chat".parse::<ServerUrl>().unwrap_err();
        assert!(!format!("{problem:?}").contains("hunter2"));
    }
}
