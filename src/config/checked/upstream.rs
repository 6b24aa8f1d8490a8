//! A pool of servers with its addresses resolved.

use std::sync::Arc;
use std::time::Duration;

use crate::config::settings::{Balance, Passive, SentProxyProtocol, UpstreamHttp};
use crate::config::values::{Retries, ServerAddress};
use crate::tls::ClientTls;

/// A pool of servers that serve the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    pub(crate) name: Arc<str>,
    /// At least one.
    pub(crate) servers: Vec<UpstreamServer>,
    /// The version of HTTP that is spoken there.
    pub(crate) http: UpstreamHttp,
    pub(crate) balance: Balance,
    /// To a TCP or unix connection, with TLS and the server's settings of HTTP/2 if it has them.
    pub(crate) connect_timeout: Duration,
    /// From the request sent to the whole response head received.
    pub(crate) handshake_timeout: Duration,
    /// The largest head of an answer to the handshake.
    pub(crate) head_size: usize,
    /// Other servers tried after a failed connect; never after the request was sent.
    pub(crate) retries: Retries,
    /// No other server is tried after so long.
    pub(crate) retry_timeout: Duration,
    /// Sessions at once on one server; `None` is no limit.
    pub(crate) max_connections: Option<u32>,
    /// Whether a connection to a server names its client first.
    pub(crate) proxy_protocol: SentProxyProtocol,
    /// When a server that fails is tried after the others.
    pub(crate) passive: Passive,
    /// TLS for the servers whose URLs ask for it; `None` if no URL does.
    pub(crate) tls: Option<ClientTls>,
}

/// One server of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamServer {
    /// As written in the settings (without user information): the name in logs.
    pub(crate) name: Arc<str>,
    pub(crate) address: ServerAddress,
    /// Whether TLS is spoken there.
    pub(crate) is_tls: bool,
    /// Put before every path sent there; empty, or it begins with `/` and does not end with one.
    pub(crate) base_path: String,
    /// At least 1.
    pub(crate) weight: u32,
}

impl UpstreamServer {
    /// Where it is, in full: with the port and without what a URL may leave out.
    pub(crate) fn url(&self) -> String {
        let (address, base) = (&self.address, &self.base_path);
        match (address, base.as_str()) {
            (ServerAddress::Tcp { .. }, base) if self.is_tls => format!("wss://{address}{base}"),
            (ServerAddress::Tcp { .. }, base) => format!("ws://{address}{base}"),
            (ServerAddress::Unix(_), "") => address.to_string(),
            (ServerAddress::Unix(_), base) => format!("{address}:{base}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_one_full_url() {
        let tcp = |host: &str| ServerAddress::Tcp {
            host: host.to_owned(),
            port: 80,
        };
        for (address, is_tls, base_path, expected) in [
            (tcp("chat.local"), false, "", "ws://chat.local:80"),
            (tcp("chat.local"), true, "", "wss://chat.local:80"),
            (tcp("::1"), false, "/a/b", "ws://[::1]:80/a/b"),
            (
                ServerAddress::Unix("/run/a.sock".into()),
                false,
                "",
                "unix:/run/a.sock",
            ),
            (
                ServerAddress::Unix("/run/a.sock".into()),
                false,
                "/a",
                "unix:/run/a.sock:/a",
            ),
        ] {
            let server = UpstreamServer {
                name: "as written".into(),
                address,
                is_tls,
                base_path: base_path.to_owned(),
                weight: 1,
            };
            assert_eq!(server.url(), expected);
        }
    }
}
