//! The headers that tell an upstream who the client is: `X-Forwarded-*` and `Forwarded`
//! (RFC 7239).
//!
//! A client can neither forge nor delete them. What a peer says in them is believed only if it is
//! a trusted proxy, and then only in the one header that the settings say it speaks in: the other
//! one may have passed through it unread. Of the many other headers in which proxies say such things,
//! only a trusted one's go on.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::{Forwarded, ForwardingHeader};
use crate::rejection::Rejection;
use crate::request::{Handshake, is_forwarding, is_word_of_proxy};
use crate::types::ClientAddr;

/// Which received forwarding headers stay: neither those in which the peer is not believed, nor
/// those that the route does not send.
///
/// With [`Forwarded::Off`] a trusted proxy's headers stay as they are.
pub(super) struct Filter {
    mode: Forwarded,
    trusted: Option<ForwardingHeader>,
}

impl Filter {
    /// `trusted` is the header in which a trusted proxy names its peer.
    pub(super) fn new(mode: Forwarded, trusted: Option<ForwardingHeader>) -> Self {
        Self { mode, trusted }
    }

    pub(super) fn takes_out(&self, name: &str) -> bool {
        let Some(spoken) = self.trusted else {
            return is_forwarding(name) || is_word_of_proxy(name);
        };
        if self.mode == Forwarded::Off {
            return false;
        }
        if name == FORWARDED {
            return spoken == ForwardingHeader::XForwardedFor || !self.mode.has_standard();
        }
        if !name.starts_with(X_FORWARDED) {
            return false;
        }
        let is_of_the_chain = [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST]
            .iter()
            .any(|one| name == one);
        spoken == ForwardingHeader::Forwarded || is_of_the_chain && !self.mode.has_x_forwarded()
    }

    /// Whether this is a trusted proxy's `X-Real-IP`, whose value the gate replaces.
    pub(super) fn is_real_ip(&self, name: &str) -> bool {
        self.trusted.is_some() && self.mode != Forwarded::Off && name == X_REAL_IP
    }
}

/// Puts in what the route sends. A chain that is believed is continued; any other begins anew.
/// `authority` is that of the request; without one, nothing is said of the host.
pub(super) fn put_in(
    headers: &mut HeaderMap,
    handshake: &Handshake,
    authority: Option<HeaderValue>,
) -> Result<(), Rejection> {
    let mode = handshake.settings().headers.forwarded;
    let trusted = handshake.client_identity().trusted;
    let believed = |header, name| match trusted == Some(header) {
        true => lines(handshake.headers(), name),
        false => Vec::new(),
    };
    if mode.has_x_forwarded() {
        let believed = |name| believed(ForwardingHeader::XForwardedFor, name);
        let said = without_gaps(believed(X_FORWARDED_FOR), "unknown");
        let chain = chain(said, handshake, |from| from.ip().to_string());
        insert(headers, X_FORWARDED_FOR, chain)?;
        for (name, own) in [
            (
                X_FORWARDED_PROTO,
                Some(HeaderValue::from_static(handshake.scheme())),
            ),
            (X_FORWARDED_HOST, authority),
        ] {
            let mut said = believed(name.clone());
            said.retain(|line| !line.is_empty());
            match own {
                _ if !said.is_empty() => insert(headers, name, said)?,
                Some(own) => drop(headers.insert(name, own)),
                None => drop(headers.remove(name)),
            }
        }
    }
    if mode.has_standard() {
        let said = believed(ForwardingHeader::Forwarded, FORWARDED);
        let said = without_gaps(said, "for=unknown");
        let mut chain = chain(said, handshake, |from| format!("for={}", node(from)));
        if let Some(last) = chain.last_mut() {
            // Only this hop's own element says how the request got here (RFC 7239 §4).
            if let Some(authority) = handshake.target().authority() {
                last.extend_from_slice(format!(";host={}", quoted(authority)).as_bytes());
            }
            last.extend_from_slice(format!(";proto={}", handshake.scheme()).as_bytes());
        }
        insert(headers, FORWARDED, chain)?;
    }
    Ok(())
}

/// An address as the value of a header.
pub(super) fn address(ip: IpAddr) -> Result<HeaderValue, Rejection> {
    value(ip.to_string())
}

/// One more element for the peer; where nothing is believed and the client is somebody else than
/// the peer, one for the client comes before it.
fn chain(
    mut said: Vec<Vec<u8>>,
    handshake: &Handshake,
    element: impl Fn(Node) -> String,
) -> Vec<Vec<u8>> {
    let (client, peer) = (handshake.client(), handshake.peer());
    if said.is_empty() && client != peer.ip() {
        said.push(element(Node::Ip(client)).into_bytes());
    }
    let peer = match peer {
        ClientAddr::Tcp(_) => Node::Ip(peer.ip()),
        ClientAddr::Unix => Node::Unknown(peer.ip()),
    };
    said.push(element(peer).into_bytes());
    said
}

/// Who sent a request on.
#[derive(Clone, Copy)]
enum Node {
    Ip(IpAddr),
    /// Somebody without an address, and the one that stands in for it.
    Unknown(IpAddr),
}

impl Node {
    fn ip(self) -> IpAddr {
        match self {
            Self::Ip(ip) | Self::Unknown(ip) => ip,
        }
    }
}

/// A node as RFC 7239 §6 writes it.
fn node(node: Node) -> String {
    match node {
        Node::Ip(IpAddr::V4(ip)) => ip.to_string(),
        Node::Ip(IpAddr::V6(ip)) => quoted(&format!("[{ip}]")),
        Node::Unknown(_) => "unknown".to_owned(),
    }
}

/// A host, port or node as a value of RFC 7239 §4, where colons and brackets want quotes. None of
/// these holds a quote or a backslash itself.
fn quoted(text: &str) -> String {
    match text.contains([':', '[']) {
        true => format!("\"{text}\""),
        false => text.to_owned(),
    }
}

fn lines(headers: &HeaderMap, name: HeaderName) -> Vec<Vec<u8>> {
    let lines = headers.get_all(name).into_iter();
    lines.map(|line| line.as_bytes().to_vec()).collect()
}

/// Puts `unknown` where a line of a chain is empty.
///
/// Such a line ends the walk to the client (`request/client.rs`). If it were left out, a proxy that walks the
/// chain behind us would go on to what nobody vouches for.
fn without_gaps(mut chain: Vec<Vec<u8>>, unknown: &str) -> Vec<Vec<u8>> {
    if chain.iter().all(Vec::is_empty) {
        return Vec::new();
    }
    for line in chain.iter_mut().filter(|line| line.is_empty()) {
        line.extend_from_slice(unknown.as_bytes());
    }
    chain
}

fn insert(
    headers: &mut HeaderMap,
    name: HeaderName,
    mut list: Vec<Vec<u8>>,
) -> Result<(), Rejection> {
    let joined = match &mut list[..] {
        [only] => std::mem::take(only),
        _ => list.join(b", ".as_slice()),
    };
    headers.insert(name, value(joined)?);
    Ok(())
}

fn value(text: impl Into<Vec<u8>>) -> Result<HeaderValue, Rejection> {
    HeaderValue::try_from(text.into()).map_err(|_| Rejection::Header)
}

const X_FORWARDED: &str = "x-forwarded-";
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const FORWARDED: HeaderName = header::FORWARDED;

#[cfg(test)]
mod tests;
