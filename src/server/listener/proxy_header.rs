//! The header of the PROXY protocol, in which a proxy names the client of a connection.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, versions 1 and 2.

use std::io;
use std::net::SocketAddr;

use proxy_header::{ParseConfig, Protocol, ProxiedAddress, ProxyHeader};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixStream;

use crate::config::{Network, ProxyProtocol, networks_contain};
use crate::{ClientAddr, OverTls, Transport};

/// Why a connection is closed before its first request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyHeaderError {
    #[error("the peer is none of the proxies of this listener")]
    UnknownPeer,
    #[error("the connection does not begin with a right PROXY header")]
    Malformed,
    #[error("the connection ended in its PROXY header")]
    Ended(#[source] io::Error),
}

/// The client of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) address: ClientAddr,
    /// What it connected to, if the proxy says so.
    pub(crate) destination: Option<SocketAddr>,
    /// What is known of the client's TLS, if it speaks TLS: to us, or to the proxy, which says so.
    pub(crate) over_tls: Option<OverTls>,
}

impl Client {
    /// The peer itself.
    pub(crate) fn of(peer: ClientAddr) -> Self {
        Self {
            address: peer,
            destination: None,
            over_tls: None,
        }
    }
}

/// What every header of version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// What every header of version 1 begins with.
const WORD: &[u8] = b"PROXY ";

/// Version 2, and the command of a proxy that speaks for itself.
const LOCAL: u8 = 0x20;

/// The longest header of version 1 (§2.1).
const LONGEST_LINE: usize = 107;

/// The longest rest of a header of version 2 that is read: the addresses and what some proxies add.
const LONGEST_REST: usize = 4096;

/// Reads the header, if the listener asks for one, and returns the client: the one that the header names, or
/// the peer itself, where the proxy speaks for itself (LOCAL, UNKNOWN).
///
/// Nothing is read behind the header. The caller limits the time.
pub(crate) async fn read(
    setting: &ProxyProtocol,
    socket: &mut Transport,
    peer: ClientAddr,
) -> Result<Client, ProxyHeaderError> {
    let ProxyProtocol::From(proxies) = setting else {
        return Ok(Client::of(peer));
    };
    if !may_speak(peer, proxies) {
        return Err(ProxyHeaderError::UnknownPeer);
    }
    let mut header = vec![0; SIGNATURE.len()];
    read_exact(socket, &mut header).await?;
    if header == SIGNATURE {
        read_rest(socket, &mut header).await?;
    } else if header.starts_with(WORD) {
        read_line(socket, &mut header).await?;
    } else {
        return Err(ProxyHeaderError::Malformed);
    }
    client(&header, peer).ok_or(ProxyHeaderError::Malformed)
}

fn may_speak(peer: ClientAddr, proxies: &[Network]) -> bool {
    match peer {
        ClientAddr::Tcp(_) => networks_contain(proxies, peer.ip()),
        ClientAddr::Unix => true,
    }
}

/// The client that a whole header names; none if it is malformed.
fn client(header: &[u8], peer: ClientAddr) -> Option<Client> {
    if is_local(header) {
        return Some(Client::of(peer));
    }
    let (parsed, length) = ProxyHeader::parse(header, ParseConfig::default()).ok()?;
    if length != header.len() || parsed.tlvs().any(|tlv| tlv.is_err()) {
        return None;
    }
    let proxied = match parsed.proxied_address() {
        None => return Some(Client::of(peer)),
        Some(proxied) if proxied.protocol == Protocol::Stream => proxied,
        // Nobody sends a WebSocket in datagrams.
        Some(_) => return None,
    };
    if header.starts_with(WORD) && !has_plain_ports(header, proxied) {
        return None;
    }
    let is_over_tls = parsed.ssl().is_some_and(|ssl| ssl.client_ssl());
    Some(Client {
        address: proxied.source.into(),
        destination: Some(proxied.destination),
        over_tls: is_over_tls.then(OverTls::new),
    })
}

/// Whether it is of version 2 and the proxy speaks for itself. What else it holds is not looked at then, the
/// family included (§2.2).
fn is_local(header: &[u8]) -> bool {
    header.starts_with(&SIGNATURE) && header.get(SIGNATURE.len()) == Some(&LOCAL)
}

/// Whether a line has its ports as digits alone, without a sign and without zeros in front (§2.1), which the
/// parser lets pass.
fn has_plain_ports(line: &[u8], proxied: &ProxiedAddress) -> bool {
    let ports = [proxied.source, proxied.destination].map(|address| address.port());
    let [source, destination] = ports;
    line.ends_with(format!(" {source} {destination}\r\n").as_bytes())
}

/// Reads what follows the signature of version 2.
async fn read_rest(socket: &mut Transport, header: &mut Vec<u8>) -> Result<(), ProxyHeaderError> {
    let mut fixed = [0; 4];
    read_exact(socket, &mut fixed).await?;
    header.extend_from_slice(&fixed);
    let [_, _, high, low] = fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST_REST {
        return Err(ProxyHeaderError::Malformed);
    }
    let start = header.len();
    header.resize(start + length, 0);
    read_exact(socket, &mut header[start..]).await
}

/// Reads what follows the beginning of version 1, up to the end of its line. Only what belongs to it is taken
/// off the socket.
async fn read_line(socket: &mut Transport, line: &mut Vec<u8>) -> Result<(), ProxyHeaderError> {
    while line.last() != Some(&b'\n') {
        let room = LONGEST_LINE - line.len();
        let mut ahead = [0; LONGEST_LINE];
        let ahead = &mut ahead[..room];
        let found = peek(socket, ahead).await.map_err(ProxyHeaderError::Ended)?;
        let found = &ahead[..found];
        let end = found.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(found.len(), |end| end + 1);
        let is_whole = end.is_some();
        if found.is_empty() || (!is_whole && length == room) {
            return Err(ProxyHeaderError::Malformed);
        }
        let start = line.len();
        line.resize(start + length, 0);
        read_exact(socket, &mut line[start..]).await?;
    }
    Ok(())
}

async fn read_exact(socket: &mut Transport, bytes: &mut [u8]) -> Result<(), ProxyHeaderError> {
    let read = socket.read_exact(bytes).await;
    read.map(drop).map_err(ProxyHeaderError::Ended)
}

/// What comes next on the socket, which stays there; nothing at its end.
async fn peek(socket: &mut Transport, bytes: &mut [u8]) -> io::Result<usize> {
    match socket {
        Transport::Tcp(stream) => stream.peek(bytes).await,
        Transport::Unix(stream) => peek_unix(stream, bytes).await,
        // Listeners accept no others.
        Transport::Tls(_) | Transport::Custom(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

async fn peek_unix(stream: &UnixStream, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        let socket = SockRef::from(stream);
        let peeked = stream.try_io(Interest::READABLE, || {
            rustix::net::recv(&*socket, &mut *bytes, rustix::net::RecvFlags::PEEK)
                .map(|(read, _)| read)
                .map_err(io::Error::from)
        });
        match peeked {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            peeked => return peeked,
        }
    }
}

#[cfg(test)]
mod tests;
