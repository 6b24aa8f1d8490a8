//! One client of a proxy.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::process::Process;
use super::stream::{NAME, Stream, Target};
use super::wire::{self, Header};

pub(crate) struct Client {
    pub(crate) stream: Stream,
    /// What was read and has not been looked at.
    pub(crate) inbox: Vec<u8>,
}

impl Client {
    /// Connects and makes the handshake.
    pub(crate) async fn open(target: impl Into<Target>, path: &str) -> io::Result<Self> {
        let target = target.into();
        match &target.http2 {
            None => Self::open_with(TcpSocket::new_v4()?, &target, path).await,
            Some(connections) => Ok(Self {
                stream: Stream::Http2(connections.open(&target, path).await?),
                inbox: Vec::new(),
            }),
        }
    }

    /// The same over HTTP/1.1, with a socket of the caller's.
    pub(crate) async fn open_with(
        socket: TcpSocket,
        target: &Target,
        path: &str,
    ) -> io::Result<Self> {
        let mut client = Self {
            stream: Stream::connect(socket, target).await?,
            inbox: Vec::new(),
        };
        let host = match &target.tls {
            None => target.address.to_string(),
            Some(_) => NAME.to_owned(),
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nOrigin: https://example.com\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.stream.write_all(request.as_bytes()).await?;
        let end = loop {
            if let Some(end) = wire::head_end(&client.inbox) {
                break end;
            }
            client.more(1024).await?;
        };
        if !client.inbox.starts_with(b"HTTP/1.1 101") {
            let head = String::from_utf8_lossy(&client.inbox[..end]);
            let status = head.lines().next().unwrap_or_default();
            return Err(io::Error::other(format!("refused: {status}")));
        }
        client.inbox.drain(..end);
        Ok(client)
    }

    /// Sends a frame and waits for the answer to it, which has to be as big.
    pub(crate) async fn echo(&mut self, frame: &[u8], payload: usize) -> io::Result<()> {
        let Self { stream, inbox } = self;
        // Where it does not fit into the sockets' buffers, it has to be read while it is written.
        let mut pong = match stream {
            Stream::Plain(stream) => {
                let (from, into) = stream.split();
                let sent = into.try_write(frame).or_else(|error| match error.kind() {
                    io::ErrorKind::WouldBlock => Ok(0),
                    _ => Err(error),
                })?;
                exchange(from, into, &frame[sent..], inbox, payload).await?
            }
            stream => {
                let (from, into) = tokio::io::split(stream);
                exchange(from, into, frame, inbox, payload).await?
            }
        };
        while let Some(frame) = pong.take() {
            self.stream.write_all(&frame).await?;
            match self.receive().await? {
                Received::Ping(frame) => pong = Some(frame),
                Received::Data(length) if length == payload => {}
                _ => return Err(io::Error::other("that is no echo")),
            }
        }
        Ok(())
    }

    /// Makes the closing handshake and waits for the end.
    pub(crate) async fn close(mut self) -> io::Result<()> {
        let close = wire::frame(wire::CLOSE, &1000_u16.to_be_bytes(), Some(wire::MASK));
        self.stream.write_all(&close).await?;
        loop {
            if let Received::Close = self.receive().await? {
                return Ok(());
            }
        }
    }

    /// Waits for a frame.
    pub(crate) async fn receive(&mut self) -> io::Result<Received> {
        let header = read_frame(&mut self.stream, &mut self.inbox).await?;
        Ok(answer(&mut self.inbox, header))
    }

    /// Reads what there is into the inbox.
    pub(crate) async fn more(&mut self, wanted: usize) -> io::Result<()> {
        fill(&mut self.stream, &mut self.inbox, wanted).await
    }
}

/// Sends the rest of a frame, and waits for the answer to it; returns what a ping that comes before asks for.
async fn exchange(
    mut from: impl AsyncRead + Unpin,
    mut into: impl AsyncWrite + Unpin,
    rest: &[u8],
    inbox: &mut Vec<u8>,
    payload: usize,
) -> io::Result<Option<Vec<u8>>> {
    let send = async {
        into.write_all(rest).await?;
        into.flush().await
    };
    let receive = async {
        loop {
            let header = read_frame(&mut from, inbox).await?;
            let received = answer(inbox, header);
            match received {
                Received::Data(length) if length == payload => return Ok(None),
                Received::Ping(pong) => return Ok(Some(pong)),
                Received::Other => {}
                Received::Data(_) | Received::Close => {
                    return Err(io::Error::other("that is no echo"));
                }
            }
        }
    };
    let ((), pong) = tokio::try_join!(send, receive)?;
    Ok(pong)
}

/// What a frame of the other end was.
pub(crate) enum Received {
    Data(usize),
    /// The answer to it.
    Ping(Vec<u8>),
    Close,
    Other,
}

/// Takes a whole frame out of the inbox.
fn answer(inbox: &mut Vec<u8>, header: Header) -> Received {
    let received = match header.opcode {
        wire::PING => {
            let payload = &inbox[header.length..header.frame()];
            Received::Ping(wire::frame(wire::PONG, payload, Some(wire::MASK)))
        }
        wire::CLOSE => Received::Close,
        wire::PONG => Received::Other,
        _ => Received::Data(header.payload),
    };
    inbox.drain(..header.frame());
    received
}

/// Waits for a whole frame at the front of the inbox.
async fn read_frame<R>(from: &mut R, inbox: &mut Vec<u8>) -> io::Result<Header>
where
    R: AsyncReadExt + Unpin,
{
    loop {
        let header = Header::parse(inbox);
        let wanted = match header {
            Some(header) if inbox.len() >= header.frame() => return Ok(header),
            Some(header) => header.frame() - inbox.len(),
            None => 512,
        };
        fill(from, inbox, wanted).await?;
    }
}

async fn fill<R>(from: &mut R, inbox: &mut Vec<u8>, wanted: usize) -> io::Result<()>
where
    R: AsyncReadExt + Unpin,
{
    inbox.reserve(wanted);
    match from.read_buf(inbox).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

impl Process {
    /// Waits until a session through it works.
    pub(crate) async fn serves(&mut self) -> io::Result<()> {
        let message = wire::message(1);
        self.starts(async |target| come_and_go(target, &message, 1).await)
            .await
    }

    /// Waits until what its first client does works.
    pub(crate) async fn starts<T>(
        &mut self,
        first: impl AsyncFn(&Target) -> io::Result<T>,
    ) -> io::Result<T> {
        let begun = Instant::now();
        loop {
            self.check()?;
            let target = self.target();
            match timeout(START, first(&target)).await {
                Ok(Err(_)) if begun.elapsed() < START => tokio::time::sleep(RETRY).await,
                served => return served?,
            }
        }
    }
}

/// How long a proxy may take to serve its first client, and how often it is asked.
const START: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_millis(20);

/// A session that says one thing and goes.
pub(crate) async fn come_and_go(target: &Target, frame: &[u8], payload: usize) -> io::Result<()> {
    let mut client = Client::open(target.clone(), "/").await?;
    client.echo(frame, payload).await?;
    client.close().await
}
