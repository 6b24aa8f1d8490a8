//! Warns of servers that are the program's own listeners: a request would come back.

use std::net::IpAddr;
use std::sync::Arc;

use crate::config::checked::upstream::Upstream;
use crate::config::report::{Node, Report};
use crate::config::settings::Listen;
use crate::config::values::{ListenAddress, ServerAddress, ValueError};

/// Warns of every server that one of these listeners is. No name is resolved; other addresses of this
/// machine are compared when the program is checked.
pub(super) fn warn(
    listeners: &[Listen],
    pools: &[Arc<Upstream>],
    root: &Node<'_>,
    report: &mut Report<'_>,
) {
    let listen = root.get("listen");
    for pool in pools {
        let servers = root.get("upstream").get(&pool.name).get("servers");
        for (index, server) in pool.servers.iter().enumerate() {
            let mut own = listeners.iter();
            let own = own.position(|listen| listen.address.is_reached_at(&server.address));
            if let Some(own) = own {
                let listener = listen.at(own).get("address");
                let problem = ValueError::new("this server is one of wsgate's own listeners")
                    .help("a request for it comes back, and is refused with 508");
                report.warn_with(&servers.at(index), (&listener, "listens here"), problem);
            }
        }
    }
}

impl ListenAddress {
    /// Whether a connection to the server arrives at this listener.
    pub(crate) fn is_reached_at(&self, server: &ServerAddress) -> bool {
        match (self, server) {
            (Self::Unix(own), ServerAddress::Unix(path)) => own == path,
            (Self::Tcp(own), ServerAddress::Tcp { host, port }) => {
                own.port() == *port && is_reached_by(own.ip().to_canonical(), host)
            }
            (Self::Unix(_), ServerAddress::Tcp { .. }) | (Self::Tcp(_), ServerAddress::Unix(_)) => {
                false
            }
        }
    }
}

/// The same without the ports.
fn is_reached_by(own: IpAddr, host: &str) -> bool {
    if host.trim_end_matches('.') == "localhost" {
        return own.is_unspecified() || own.is_loopback();
    }
    let Ok(host) = host.parse::<IpAddr>() else {
        return false;
    };
    let host = host.to_canonical();
    // The kernel takes an unspecified destination for this machine's loopback address.
    let is_local = host.is_loopback() || host.is_unspecified();
    let is_same_family = host.is_ipv4() == own.is_ipv4();
    match (own.is_unspecified(), host.is_unspecified()) {
        // A listener on `[::]` takes IPv4 too, or has another one beside it that does.
        (true, _) => is_local && (own.is_ipv6() || is_same_family),
        (false, true) => own.is_loopback() && is_same_family,
        (false, false) => own == host,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const WARNING: &str = "this server is one of wsgate's own listeners";

    /// Whether settings with this listener and this server have a warning.
    fn is_warned(listen: &str, server: &str) -> bool {
        let text = format!(
            "{listen}[upstream.a]\nservers = [\"ws://192.0.2.1:1\", \"{server}\"]\n\
             [[route]]\nname = \"a\"\npath = \"/*\"\nupstream = \"a\"\n"
        );
        let config = Config::from_toml("a.toml", &text).unwrap();
        config.warnings().any(|warning| warning.contains(WARNING))
    }

    #[test]
    fn a_server_that_is_an_own_listener_is_warned_of() {
        for (listen, server, expected) in [
            ("127.0.0.1:80", "ws://127.0.0.1", true),
            ("127.0.0.1:81", "ws://localhost:81/base", true),
            ("127.0.0.1:81", "ws://0.0.0.0:81", true),
            ("127.0.0.1:81", "ws://127.0.0.1:82", false),
            ("127.0.0.1:81", "ws://127.0.0.2:81", false),
            ("127.0.0.1:81", "ws://[::1]:81", false),
            ("127.0.0.1:81", "ws://chat.example:81", false),
            ("0.0.0.0:81", "ws://127.0.0.2:81", true),
            ("0.0.0.0:81", "ws://[::1]:81", false),
            ("0.0.0.0:81", "ws://192.0.2.1:81", false),
            ("[::]:81", "ws://127.0.0.1:81", true),
            ("[::]:81", "ws://[::1]:81", true),
            ("[::]:81", "ws://localhost.:81", true),
            ("[::1]:81", "ws://[::]:81", true),
            ("[::1]:81", "ws://[0:0::1]:81", true),
            ("[::1]:81", "ws://127.0.0.1:81", false),
            ("192.0.2.7:81", "http://192.0.2.7:81", true),
            ("192.0.2.7:81", "ws://0.0.0.0:81", false),
            ("127.0.0.1:0", "ws://127.0.0.1:81", false),
            ("unix:/run/gate.sock", "unix:/run/gate.sock:/base", true),
            ("unix:gate.sock", "unix:gate.sock", true),
            ("unix:/run/gate.sock", "unix:/run/chat.sock", false),
        ] {
            let listen_table = format!("[[listen]]\naddress = \"{listen}\"\n");
            assert_eq!(
                is_warned(&listen_table, server),
                expected,
                "{listen} {server}"
            );
        }
        // Without a listener they may be the settings of a library: the program warns itself.
        assert!(!is_warned("", "ws://127.0.0.1:8080"));
    }

    #[test]
    fn the_warning_names_the_line_of_the_server() {
        let text = "[[listen]]\naddress = \"127.0.0.1:81\"\n[upstream.a]\nservers = [\n\
                    \"ws://192.0.2.1:1\",\n\"ws://127.0.0.1:81\",\n]\n\
                    [[route]]\nname = \"a\"\npath = \"/*\"\nupstream = \"a\"\n";
        let config = Config::from_toml("a.toml", text).unwrap();
        let warning = config.warnings().next().unwrap();
        assert!(
            warning.starts_with("a.toml:6:1: this server is"),
            "{warning}"
        );
    }
}
