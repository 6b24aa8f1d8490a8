//! The headers that tell an upstream who the client is: `X-Forwarded-*` and `Forwarded`
//! (RFC 7239).
//!
//! A client can neither forge nor delete them. What a peer says in them is believed only if it is
//! a trusted proxy, and then only in the one header that the settings say it speaks in: the other
//! one may have passed through it unread.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::fields;
use super::hop::Hop;
use crate::config::{Forwarded, ForwardingHeader};
use crate::rejection::Rejection;
use crate::types::ClientAddr;

/// Takes out what the peer is not believed in, and what the route does not send.
///
/// With [`Forwarded::Off`] a trusted proxy's headers stay as they are.
pub(super) fn take_out(headers: &mut HeaderMap, hop: &Hop<'_>) -> Result<(), Rejection> {
    let mode = hop.route.headers.forwarded;
    let Some(spoken) = hop.trusted else {
        fields::remove_where(headers, is_forwarding);
        return Ok(());
    };
    if mode == Forwarded::Off {
        return Ok(());
    }
    fields::remove_where(headers, |name| match spoken {
        ForwardingHeader::XForwardedFor => name == FORWARDED,
        ForwardingHeader::Forwarded => name.starts_with(X_FORWARDED),
    });
    for name in [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST] {
        if !mode.has_x_forwarded() {
            headers.remove(name);
        }
    }
    if !mode.has_standard() {
        headers.remove(FORWARDED);
    }
    if headers.contains_key(X_REAL_IP) {
        // It has no chain to walk: the one true value is who the client was found to be.
        headers.insert(X_REAL_IP, value(hop.client_ip.to_string())?);
    }
    Ok(())
}

/// Puts in what the route sends. A chain that is believed, from the request as `received`, is
/// continued; any other begins anew.
pub(super) fn put_in(
    headers: &mut HeaderMap,
    received: &HeaderMap,
    hop: &Hop<'_>,
) -> Result<(), Rejection> {
    let mode = hop.route.headers.forwarded;
    let believed = |header, name| match hop.trusted == Some(header) {
        true => lines(received, name),
        false => Vec::new(),
    };
    if mode.has_x_forwarded() {
        let believed = |name| believed(ForwardingHeader::XForwardedFor, name);
        let said = without_gaps(believed(X_FORWARDED_FOR), "unknown");
        let chain = chain(said, hop, |from| from.ip().to_string());
        insert(headers, X_FORWARDED_FOR, chain)?;
        for (name, own) in [
            (X_FORWARDED_PROTO, hop.scheme),
            (X_FORWARDED_HOST, hop.target.authority()),
        ] {
            let mut said = believed(name.clone());
            said.retain(|line| !line.is_empty());
            if said.is_empty() {
                said.push(own.as_bytes().to_vec());
            }
            insert(headers, name, said)?;
        }
    }
    if mode.has_standard() {
        let said = believed(ForwardingHeader::Forwarded, FORWARDED);
        let said = without_gaps(said, "for=unknown");
        let mut chain = chain(said, hop, |from| format!("for={}", node(from)));
        if let Some(last) = chain.last_mut() {
            // Only this hop's own element says how the request got here (RFC 7239 §4).
            let host = quoted(hop.target.authority());
            last.extend_from_slice(format!(";host={host};proto={}", hop.scheme).as_bytes());
        }
        insert(headers, FORWARDED, chain)?;
    }
    Ok(())
}

/// One more element for the peer; where nothing is believed and the client is somebody else than
/// the peer, one for the client comes before it.
fn chain(mut said: Vec<Vec<u8>>, hop: &Hop<'_>, element: impl Fn(Node) -> String) -> Vec<Vec<u8>> {
    if said.is_empty() && hop.client_ip != hop.peer.ip() {
        said.push(element(Node::Ip(hop.client_ip)).into_bytes());
    }
    let peer = match hop.peer {
        ClientAddr::Tcp(_) => Node::Ip(hop.peer.ip()),
        ClientAddr::Unix => Node::Unknown(hop.peer.ip()),
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

fn is_forwarding(name: &str) -> bool {
    name == FORWARDED || name == X_REAL_IP || name.starts_with(X_FORWARDED)
}

fn lines(headers: &HeaderMap, name: HeaderName) -> Vec<Vec<u8>> {
    let lines = headers.get_all(name).into_iter();
    lines.map(|line| line.as_bytes().to_vec()).collect()
}

/// Puts `unknown` where a line of a chain is empty.
///
/// Such a line ends the walk to the client (`policy/address.rs`). Were it left out, whoever walks the
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

fn insert(headers: &mut HeaderMap, name: HeaderName, list: Vec<Vec<u8>>) -> Result<(), Rejection> {
    headers.insert(name, value(list.join(b", ".as_slice()))?);
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
