//! The header of the PROXY protocol with which a connection to a server begins: it names the client.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, versions 1 and 2. Version 2 comes without
//! TLVs: what a client says of its host and of TLS goes with each request, in its headers, and one connection may
//! carry several requests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::SentProxyProtocol;

/// A client's connection, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ProxiedConnection {
    /// The client; its port is 0 where that is not known.
    pub(crate) source: Option<SocketAddr>,
    /// What the client connected to.
    pub(crate) destination: Option<SocketAddr>,
}

/// The header for one connection to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ProxyHeader {
    version: Version,
    proxied: ProxiedConnection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Version {
    Text,
    Binary,
}

/// Two addresses of one family.
#[derive(Clone, Copy)]
enum Addresses {
    V4([Ipv4Addr; 2]),
    V6([Ipv6Addr; 2]),
}

/// What every header of version 2 begins with (§2.2).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Version 2 and the command.
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

/// The family and the transport.
const UNSPECIFIED: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

impl ProxyHeader {
    /// The header that a server with this setting gets, if it gets one.
    pub(crate) fn new(setting: SentProxyProtocol, proxied: ProxiedConnection) -> Option<Self> {
        let version = match setting {
            SentProxyProtocol::Off => return None,
            SentProxyProtocol::V1 => Version::Text,
            SentProxyProtocol::V2 => Version::Binary,
        };
        Some(Self { version, proxied })
    }

    /// The bytes that go to the server of this address, if it has one.
    pub(crate) fn bytes(&self, server: Option<SocketAddr>) -> Vec<u8> {
        let Some(source) = self.proxied.source else {
            return self.unknown();
        };
        let destination = self.proxied.destination.or(server);
        let ports = [
            source.port(),
            destination.map_or(0, |address| address.port()),
        ];
        let destination = destination.map(|address| address.ip());
        let addresses = Addresses::of(source.ip(), destination);
        match self.version {
            Version::Text => addresses.text(ports).into_bytes(),
            Version::Binary => addresses.binary(ports),
        }
    }

    /// The header of a client that has no address. Receivers may refuse the command PROXY without one, but not
    /// LOCAL (§2.2): with both they use the address of the connection itself.
    fn unknown(&self) -> Vec<u8> {
        match self.version {
            Version::Text => b"PROXY UNKNOWN\r\n".to_vec(),
            Version::Binary => binary(LOCAL, UNSPECIFIED, &[]),
        }
    }
}

impl Addresses {
    /// A header has one family for both. Where they differ, the one of IPv4 is mapped into IPv6 (RFC 4291
    /// §2.5.5.2); a destination that is not known is the unspecified address.
    fn of(source: IpAddr, destination: Option<IpAddr>) -> Self {
        let source = source.to_canonical();
        let destination = destination.map(|address| address.to_canonical());
        match (source, destination) {
            (IpAddr::V4(source), None) => Self::V4([source, Ipv4Addr::UNSPECIFIED]),
            (IpAddr::V4(source), Some(IpAddr::V4(destination))) => Self::V4([source, destination]),
            (source, destination) => Self::V6([
                mapped(source),
                destination.map_or(Ipv6Addr::UNSPECIFIED, mapped),
            ]),
        }
    }

    /// Version 1 (§2.1).
    fn text(self, [source_port, destination_port]: [u16; 2]) -> String {
        let (family, [source, destination]) = match self {
            Self::V4(addresses) => ("TCP4", addresses.map(|address| address.to_string())),
            Self::V6(addresses) => ("TCP6", addresses.map(hexadecimal)),
        };
        format!("PROXY {family} {source} {destination} {source_port} {destination_port}\r\n")
    }

    /// Version 2 (§2.2).
    fn binary(self, ports: [u16; 2]) -> Vec<u8> {
        let (family, mut rest) = match self {
            Self::V4(addresses) => (TCP_OVER_IPV4, addresses.map(|v4| v4.octets()).concat()),
            Self::V6(addresses) => (TCP_OVER_IPV6, addresses.map(|v6| v6.octets()).concat()),
        };
        rest.extend(ports.map(u16::to_be_bytes).concat());
        binary(PROXY, family, &rest)
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Version 1 knows no dots in an address of IPv6, with which a mapped one is printed otherwise.
fn hexadecimal(address: Ipv6Addr) -> String {
    match (address.to_ipv4_mapped(), address.segments()) {
        (Some(_), [.., high, low]) => format!("::ffff:{high:x}:{low:x}"),
        (None, _) => address.to_string(),
    }
}

/// A header of version 2: `rest` is an address block, which is short.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap_or_default().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, rest].concat()
}

#[cfg(test)]
mod tests;
