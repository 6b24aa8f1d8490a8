//! Who the client is.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

use crate::config::{ClientIp, ForwardingHeader, networks_contain};
use crate::types::ClientAddr;

/// The client, as far as it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientIdentity {
    /// The client's address; never an IPv4-mapped IPv6 one.
    pub(crate) ip: IpAddr,
    /// The socket's peer: the client, or the nearest proxy.
    pub(crate) peer: ClientAddr,
    /// The header in which the peer names its own peer, if the peer is a trusted proxy.
    pub(crate) trusted: Option<ForwardingHeader>,
}

impl ClientIdentity {
    /// The client's address with its port, which is 0 where a header names the client; `None` where nothing
    /// names a client on a unix socket.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self.peer {
            ClientAddr::Tcp(peer) if self.ip == self.peer.ip() => {
                Some(SocketAddr::new(self.ip, peer.port()))
            }
            ClientAddr::Unix if self.ip == self.peer.ip() => None,
            ClientAddr::Tcp(_) | ClientAddr::Unix => Some(SocketAddr::new(self.ip, 0)),
        }
    }
}

/// Finds out who the client is.
///
/// The header of an untrusted peer is not looked at. That of a trusted one is read from right to
/// left, over all its lines, because each proxy appends the address that it saw: the client is the
/// first address that is not a trusted proxy's, or else the leftmost. What stands further left may
/// have been written by the client itself (RFC 7239 §8.1).
///
/// An element that holds no address (`unknown`, an obfuscated identifier, an empty one, garbage)
/// ends the walk: the client is then the trusted proxy that wrote it, because nobody vouches for
/// anything behind. The request is not refused for it, since RFC 7239 §6 lets a proxy hide its
/// client, and the proxy's own address is under the same rules and limits as any other.
///
/// A unix peer is somebody on this machine whom the socket's file mode let in: its header is
/// believed, and without one it is 127.0.0.1.
pub(crate) fn identify(
    peer: ClientAddr,
    headers: &HeaderMap,
    settings: &ClientIp,
) -> ClientIdentity {
    let trusted = match peer {
        ClientAddr::Tcp(address) => networks_contain(&settings.trusted_proxies, address.ip()),
        ClientAddr::Unix => true,
    };
    let ip = match trusted {
        true => walk(peer.ip(), headers, settings),
        false => peer.ip(),
    };
    ClientIdentity {
        ip,
        peer,
        trusted: trusted.then_some(settings.header),
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

fn walk(peer: IpAddr, headers: &HeaderMap, settings: &ClientIp) -> IpAddr {
    let (name, address_of): (_, fn(&str) -> Option<IpAddr>) = match settings.header {
        ForwardingHeader::XForwardedFor => (X_FORWARDED_FOR, parse_node),
        ForwardingHeader::Forwarded => (header::FORWARDED, parse_element),
    };
    let mut client = peer;
    // Bytes, because what is not text may stand to the left of what a trusted proxy wrote.
    for line in headers.get_all(name).iter().rev() {
        let mut rest = Some(line.as_bytes());
        while let Some(list) = rest {
            let (before, element) = split_last(list, settings.header);
            let text = std::str::from_utf8(element).ok();
            let Some(address) = text.and_then(|text| address_of(text.trim_matches(OWS))) else {
                return client;
            };
            client = address.to_canonical();
            if !networks_contain(&settings.trusted_proxies, client) {
                return client;
            }
            rest = before;
        }
    }
    client
}

/// RFC 9110 §5.6.3.
pub(super) const OWS: [char; 2] = [' ', '\t'];

/// Splits the last element off a list.
///
/// It is looked for from the right even where elements may be quoted: a quote that a client left
/// open on the left must not swallow what the proxies wrote.
pub(super) fn split_last(list: &[u8], header: ForwardingHeader) -> (Option<&[u8]>, &[u8]) {
    let mut quoted = false;
    for (at, &byte) in list.iter().enumerate().rev() {
        match byte {
            b'"' if header == ForwardingHeader::Forwarded => quoted = !quoted,
            b',' if !quoted => return (Some(&list[..at]), &list[at + 1..]),
            _ => (),
        }
    }
    (None, list)
}

/// The `for` of one element of `Forwarded` (RFC 7239 §4).
fn parse_element(element: &str) -> Option<IpAddr> {
    let node = element_parameter(element, "for").ok()??;
    parse_node(node)
}

/// An element of `Forwarded` that is not of its form.
pub(super) struct MalformedElement;

/// One parameter of an element of `Forwarded` (RFC 7239 §4).
pub(super) fn element_parameter<'e>(
    element: &'e str,
    wanted: &str,
) -> Result<Option<&'e str>, MalformedElement> {
    // No address and no host needs an escape, and a client that gets one into its element (through
    // `host`, say) could move the element's bounds by it.
    if element.contains('\\') {
        return Err(MalformedElement);
    }
    let mut found = None;
    for pair in split_pairs(element) {
        let pair = pair.trim_matches(OWS).split_once('=');
        let (name, value) = pair.ok_or(MalformedElement)?;
        let value = match value.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"').filter(|text| !text.contains('"')),
            None => Some(value),
        };
        let value = value.ok_or(MalformedElement)?;
        // A doubled parameter is an error (§4), and one of the two may not be the proxy's.
        if name.eq_ignore_ascii_case(wanted) && found.replace(value).is_some() {
            return Err(MalformedElement);
        }
    }
    Ok(found)
}

/// Splits an element at each semicolon that is not quoted.
fn split_pairs(element: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    element.split(move |c| {
        quoted ^= c == '"';
        c == ';' && !quoted
    })
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`
/// or `[2001:db8::1]:80` (RFC 7239 §6, and what `X-Forwarded-For` is seen to hold).
fn parse_node(node: &str) -> Option<IpAddr> {
    if let Some(rest) = node.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let right = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return right.then_some(IpAddr::V6(address));
    }
    if let Ok(address) = node.parse() {
        return Some(address);
    }
    let (address, port) = node.split_once(':')?;
    let address = address.parse().ok().map(IpAddr::V4)?;
    is_port(port).then_some(address)
}

/// A number, or an obfuscated port (RFC 7239 §6).
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(rest) => {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            !rest.is_empty() && rest.bytes().all(known)
        }
        None => text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok(),
    }
}

#[cfg(test)]
mod tests;
