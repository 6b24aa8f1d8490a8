//! The PROXY header of a connection and what is read of it, against a plain reading of the specification.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

use super::Ways;
use crate::config::{ProxyProtocol, SentProxyProtocol};
use crate::server::proxy_header::{Client, read};
use crate::transport::Transport;
use crate::types::{ClientAddr, OverTls};
use crate::upstream::{ProxiedConnection, ProxyHeader};

/// What a proxy sends on a connection, up to its end.
///
/// Ways: 0 byte by byte, 1 from a unix socket, 2 in two pieces, of which the second byte is the length of the
/// first.
pub fn proxy_header(data: &[u8]) {
    let Some((ways, mut said)) = Ways::split(data) else {
        return;
    };
    let mut pieces = vec![said];
    if ways.has(2) {
        let Some((&length, rest)) = said.split_first() else {
            return;
        };
        let (first, second) = rest.split_at(rest.len().min(length.into()));
        (said, pieces) = (rest, vec![first, second]);
    }
    if ways.has(0) && said.len() <= MOST_PIECES {
        pieces = said.chunks(1).collect();
    }
    let peer = match ways.has(1) {
        true => ClientAddr::Unix,
        false => ClientAddr::Tcp(SocketAddr::from(([192, 0, 2, 1], 7))),
    };
    let expected = plain(said);
    let (found, left) = play(&pieces, peer);
    let Some(header) = &expected else {
        assert_eq!(found, None, "{said:?}");
        return;
    };
    let Named {
        client, over_tls, ..
    } = *header;
    let wanted = Client {
        address: client.map_or(peer, |[source, _]| source.into()),
        destination: client.map(|[_, destination]| destination),
        over_tls: over_tls.then(OverTls::new),
    };
    assert_eq!(found, Some(wanted), "{said:?}");
    assert_eq!(left, said[header.length..], "what follows the header stays");
    if let Some(pair) = client {
        is_passed_on(pair, peer);
    }
}

/// Pieces that a socket holds.
const MOST_PIECES: usize = 100;

/// The longest line (§2.1), and the longest rest of a header of version 2 that the gate reads.
const LONGEST_LINE: usize = 107;
const LONGEST_REST: usize = 4096;

/// What is read of a connection on which this is said, and what is left on it.
fn play(pieces: &[&[u8]], peer: ClientAddr) -> (Option<Client>, Vec<u8>) {
    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread().enable_io().build().expect("a runtime");
    }
    let anybody = ["0.0.0.0/0", "::/0"].map(|network| network.parse().expect("a network"));
    let setting = ProxyProtocol::From(anybody.into());
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let (near, mut far) = UnixStream::pair().expect("a pair of sockets");
            let mut near = Transport::Unix(near);
            let say = async move {
                for piece in pieces {
                    // A header that is refused early is not read to its end.
                    let _taken = far.write_all(piece).await;
                    tokio::task::yield_now().await;
                }
            };
            let (client, ()) = tokio::join!(read(&setting, &mut near, peer), say);
            let mut left = Vec::new();
            near.read_to_end(&mut left).await.expect("the end");
            (client.ok(), left)
        })
    })
}

/// A client that a header names is the same for a server that the gate names it to.
fn is_passed_on([source, destination]: [SocketAddr; 2], peer: ClientAddr) {
    let proxied = ProxiedConnection {
        source: Some(source),
        destination: Some(destination),
    };
    for setting in [SentProxyProtocol::V1, SentProxyProtocol::V2] {
        let header = ProxyHeader::new(setting, proxied).expect("a header");
        let bytes = header.bytes(None);
        let again = plain(&bytes).expect("a right header");
        assert_eq!(again.length, bytes.len());
        let named = again.client.expect("a client");
        assert_eq!(named.map(canonical), [source, destination].map(canonical));
        assert_eq!(
            play(&[&bytes], peer).0.map(|client| client.address),
            Some(named[0].into())
        );
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// What a header says.
struct Named {
    length: usize,
    /// Source and destination; none if the proxy speaks for itself, or for somebody without an address.
    client: Option<[SocketAddr; 2]>,
    over_tls: bool,
}

/// The header that these bytes begin with, if it is right.
fn plain(said: &[u8]) -> Option<Named> {
    match said.starts_with(b"PROXY ") {
        true => text(said),
        false => binary(said),
    }
}

/// Version 1: a line.
fn text(said: &[u8]) -> Option<Named> {
    let line = said.split_inclusive(|&byte| byte == b'\n').next()?;
    let (length, line) = (line.len(), line.strip_suffix(b"\r\n")?);
    if length > LONGEST_LINE {
        return None;
    }
    let words = line.strip_prefix(b"PROXY ")?;
    let client = match words.strip_prefix(b"UNKNOWN") {
        // The rest is nobody's, and has no end of a line in it.
        Some(rest) if rest.contains(&b'\r') => return None,
        Some(_) => None,
        None => Some(addresses(std::str::from_utf8(words).ok()?)?),
    };
    Some(Named {
        length,
        client,
        over_tls: false,
    })
}

fn addresses(words: &str) -> Option<[SocketAddr; 2]> {
    let words: Vec<_> = words.split(' ').collect();
    let [family, source, destination, source_port, destination_port] = words[..] else {
        return None;
    };
    let address = |text: &str| match family {
        "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => None,
    };
    let port = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let plain = plain && (text == "0" || !text.starts_with('0'));
        text.parse::<u16>().ok().filter(|_| plain)
    };
    Some([
        SocketAddr::new(address(source)?, port(source_port)?),
        SocketAddr::new(address(destination)?, port(destination_port)?),
    ])
}

/// Version 2: a signature, a command, a family, and the length of the rest.
fn binary(said: &[u8]) -> Option<Named> {
    let rest = said.strip_prefix(b"\r\n\r\n\0\r\nQUIT\n")?;
    let (&[command, family, high, low], rest) = rest.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let block = rest.get(..length).filter(|_| length <= LONGEST_REST)?;
    let length = 16 + length;
    let itself = Named {
        length,
        client: None,
        over_tls: false,
    };
    let size = match (command, family) {
        // Whatever stands there.
        (0x20, _) => return Some(itself),
        (0x21, 0x00) => 0,
        (0x21, 0x11) => 12,
        (0x21, 0x21) => 36,
        (0x21, 0x31 | 0x32) => 216,
        _ => return None,
    };
    let (block, tlvs) = block.split_at_checked(size)?;
    let over_tls = tls(tlvs)?;
    let client = match family {
        0x11 => Some(pair::<4>(block)?),
        0x21 => Some(pair::<16>(block)?),
        _ => return Some(itself),
    };
    Some(Named {
        length,
        client,
        over_tls,
    })
}

/// Two addresses of so many bytes, and their ports.
fn pair<const SIZE: usize>(block: &[u8]) -> Option<[SocketAddr; 2]>
where
    IpAddr: From<[u8; SIZE]>,
{
    let (source, rest) = block.split_first_chunk::<SIZE>()?;
    let (destination, rest) = rest.split_first_chunk::<SIZE>()?;
    let (&source_port, rest) = rest.split_first_chunk()?;
    let (&destination_port, _) = rest.split_first_chunk()?;
    Some([
        SocketAddr::new(IpAddr::from(*source), u16::from_be_bytes(source_port)),
        SocketAddr::new(
            IpAddr::from(*destination),
            u16::from_be_bytes(destination_port),
        ),
    ])
}

/// Whether the first TLV of TLS says that the client speaks it; none if the TLVs do not fill their place.
fn tls(mut tlvs: &[u8]) -> Option<bool> {
    let mut said = None;
    while !tlvs.is_empty() {
        let (&[kind, high, low], rest) = tlvs.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, rest) = rest.split_at_checked(length)?;
        is_right(kind, value).then_some(())?;
        if kind == SSL {
            said = said.or(Some(value[0] & 1 == 1));
        }
        tlvs = rest;
    }
    Some(said.unwrap_or_default())
}

const SSL: u8 = 0x20;

/// Whether a value can be one of its type (§2.2).
fn is_right(kind: u8, value: &[u8]) -> bool {
    match kind {
        // The checksum.
        0x03 => value.len() == 4,
        SSL => value.len() >= 5,
        // Names.
        0x02 | 0x21..=0x25 | 0x30 => std::str::from_utf8(value).is_ok(),
        _ => true,
    }
}
