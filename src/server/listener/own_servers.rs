//! Servers that are the program's own listeners by an address of this machine.

use std::net::{IpAddr, UdpSocket};

use crate::Config;
use crate::config::{Listen, ListenAddress, ServerAddress};

/// Warns of each server at an address of this machine where a listener on all addresses accepts, and
/// of each at the default listener: settings without a listener may be those of a library. The
/// settings alone show the other ways in which a server can be an own listener.
pub(crate) fn check(config: &Config) -> Vec<String> {
    let servers = config.upstreams.iter().flat_map(|pool| &pool.servers);
    let servers = servers.map(|server| &server.address);
    match config.has_default_listener {
        true => at_default(&config.listen, servers),
        false => own(&config.listen, servers, is_of_this_machine),
    }
}

fn at_default<'s>(
    listeners: &[Listen],
    servers: impl Iterator<Item = &'s ServerAddress>,
) -> Vec<String> {
    let is_own = |server: &&ServerAddress| {
        let mut listeners = listeners.iter();
        listeners.any(|listen| listen.address.is_reached_at(server))
    };
    servers.filter(is_own).map(warning).collect()
}

fn warning(server: &ServerAddress) -> String {
    format!("the server {server} is wsgate's own listener: its requests come back, and get 508")
}

/// The warnings, if these are the addresses of this machine.
fn own<'s>(
    listeners: &[Listen],
    servers: impl Iterator<Item = &'s ServerAddress>,
    is_of_this_machine: impl Fn(IpAddr) -> bool,
) -> Vec<String> {
    let everywhere = |port: u16, is_ipv4: bool| {
        listeners.iter().any(|listen| match listen.address {
            ListenAddress::Tcp(address) => {
                // A listener on `[::]` takes IPv4 too, or has another one beside it that does.
                let takes = address.is_ipv6() || is_ipv4;
                address.port() == port && address.ip().is_unspecified() && takes
            }
            ListenAddress::Unix(_) => false,
        })
    };
    let mut warnings = Vec::new();
    for server in servers {
        if let ServerAddress::Tcp { host, port } = server
            && let Ok(ip) = host.parse::<IpAddr>()
            && !ip.is_unspecified()
            && !ip.to_canonical().is_loopback()
            && everywhere(*port, ip.is_ipv4())
            && is_of_this_machine(ip)
        {
            warnings.push(warning(server));
        }
    }
    warnings
}

/// Only an own address can be bound. Nothing is sent.
fn is_of_this_machine(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_machine_is_an_own_listener_where_all_are_listened_on() {
        let own_ip: IpAddr = "192.0.2.7".parse().unwrap();
        for (listener, host, port, expected) in [
            ("0.0.0.0:81", "192.0.2.7", 81, true),
            ("[::]:81", "192.0.2.7", 81, true),
            ("0.0.0.0:81", "192.0.2.7", 82, false),
            ("0.0.0.0:81", "192.0.2.8", 81, false),
            ("0.0.0.0:81", "chat.example", 81, false),
            ("127.0.0.1:81", "192.0.2.7", 81, false),
            // The settings show that already.
            ("0.0.0.0:81", "127.0.0.1", 81, false),
            ("192.0.2.7:81", "192.0.2.7", 81, false),
        ] {
            let address: ListenAddress = listener.parse().unwrap();
            let server = ServerAddress::Tcp {
                host: host.to_owned(),
                port,
            };
            let is_own = |ip: IpAddr| ip == own_ip || ip.is_loopback();
            let warned = !own(&[address.into()], [&server].into_iter(), is_own).is_empty();
            assert_eq!(warned, expected, "{listener} {host}:{port}");
        }
    }

    #[test]
    fn the_default_listener_is_an_own_listener_of_the_program() {
        for (listen, server, expected) in [
            ("", "ws://127.0.0.1:8080", 1),
            ("", "ws://localhost:8080/base", 1),
            ("", "ws://127.0.0.1:9001", 0),
            // The settings show that already.
            (
                "[[listen]]\naddress = \"127.0.0.1:8080\"\n",
                "ws://127.0.0.1:8080",
                0,
            ),
        ] {
            let text = format!(
                "{listen}[upstream.a]\nservers = [\"{server}\"]\n\
                 [[route]]\nname = \"a\"\npath = \"/*\"\nupstream = \"a\"\n"
            );
            let config = Config::from_toml("a.toml", &text).unwrap();
            assert_eq!(check(&config).len(), expected, "{listen} {server}");
        }
    }

    #[test]
    fn an_address_of_documentation_is_none_of_this_machine() {
        assert!(is_of_this_machine("127.0.0.1".parse().unwrap()));
        assert!(!is_of_this_machine("192.0.2.7".parse().unwrap()));
    }
}
