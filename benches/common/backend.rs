//! The backend behind every proxy: it echoes messages, or sends without end.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::wire::{self, Header};

/// A path that sends as fast as it is read, and does not echo.
pub(crate) const ENDLESS: &str = "/endless";

/// What one message of [`ENDLESS`] is big.
pub(crate) const ENDLESS_MESSAGE: usize = 16 * 1024;

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    let mut sessions = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        // How a session ends is the client's to judge.
        sessions.spawn(async move { session(stream).await.unwrap_or_default() });
        while sessions.try_join_next().is_some() {}
    }
}

async fn session(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut inbox = Vec::new();
    let end = loop {
        if let Some(end) = wire::head_end(&inbox) {
            break end;
        }
        if stream.read_buf(&mut inbox).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&inbox[..end]).into_owned();
    stream.write_all(acceptance(&head)?.as_bytes()).await?;
    inbox.drain(..end);
    let path = head.split(' ').nth(1);
    if path == Some(ENDLESS) {
        let message = wire::frame(wire::BINARY, &[7; ENDLESS_MESSAGE], None);
        loop {
            stream.write_all(&message).await?;
        }
    }
    echo(stream, inbox).await
}

async fn echo(mut stream: TcpStream, mut inbox: Vec<u8>) -> io::Result<()> {
    loop {
        let mut at = 0;
        let mut wanted = 4096;
        while let Some(header) = Header::parse(&inbox[at..]) {
            let whole = header.frame();
            if inbox.len() - at < whole {
                wanted = whole - (inbox.len() - at);
                break;
            }
            let reply = reply(&header, &mut inbox[at..at + whole]);
            stream.write_all(reply).await?;
            if header.opcode == wire::CLOSE {
                return stream.shutdown().await;
            }
            at += whole;
        }
        inbox.drain(..at);
        inbox.reserve(wanted);
        if stream.read_buf(&mut inbox).await? == 0 {
            return Ok(());
        }
    }
}

/// Turns a client's frame into the answer to it, in place.
fn reply<'a>(header: &Header, frame: &'a mut [u8]) -> &'a [u8] {
    let Some(mask) = header.mask else {
        return &[];
    };
    let front = header.length - mask.len();
    let (head, payload) = frame.split_at_mut(header.length);
    wire::apply(mask, payload);
    head[1] &= 0x7f;
    if header.opcode == wire::PING {
        head[0] = 0x80 | wire::PONG;
    }
    head.copy_within(..front, mask.len());
    if header.opcode == wire::PONG {
        return &[];
    }
    &frame[mask.len()..]
}

/// The answer to a handshake.
pub(crate) fn acceptance(head: &str) -> io::Result<String> {
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key(head)?.as_bytes())
    ))
}

fn key(head: &str) -> io::Result<&str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut keys = lines.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    let key = keys.next().map(|(_, value)| value.trim());
    key.ok_or_else(|| io::Error::other("a request without a key"))
}
