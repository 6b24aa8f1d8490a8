//! Servers of the benchmark itself, for clients that it knows: the least that a fan-out can be done with,
//! and the backend that tells Pushpin who is in the channel.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{CHANNEL, TEXT};
use crate::common::{backend, wire};

type Members = Arc<Mutex<Vec<TcpStream>>>;

/// Writes one frame to a socket after the other. A member that is behind is dropped.
pub(crate) async fn bare(listener: TcpListener) -> io::Result<()> {
    let members = Members::default();
    serve(listener, move |stream| {
        bare_connection(stream, members.clone())
    })
    .await
}

async fn bare_connection(mut stream: TcpStream, members: Members) -> io::Result<()> {
    let lock = || members.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(request) = Request::read(&mut stream).await? {
        if !request.head.starts_with("POST ") {
            let acceptance = backend::acceptance(&request.head)?;
            stream.write_all(acceptance.as_bytes()).await?;
            lock().push(stream);
            return Ok(());
        }
        let frame = wire::frame(TEXT, &request.body, None);
        let is_written = |member: &mut TcpStream| {
            let written = member.try_write(&frame);
            written.is_ok_and(|length| length == frame.len())
        };
        lock().retain_mut(is_written);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await?;
    }
    Ok(())
}

/// Lets every session of Pushpin into the channel, by the WebSocket-over-HTTP protocol.
pub(crate) async fn grip(listener: TcpListener) -> io::Result<()> {
    serve(listener, grip_connection).await
}

async fn grip_connection(mut stream: TcpStream) -> io::Result<()> {
    let subscribe = format!(r#"c:{{"type":"subscribe","channel":"{CHANNEL}"}}"#);
    let opened = format!("OPEN\r\nTEXT {:X}\r\n{subscribe}\r\n", subscribe.len());
    while let Some(request) = Request::read(&mut stream).await? {
        let events = match request.body.starts_with(b"OPEN\r\n") {
            true => opened.as_str(),
            false => "",
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/websocket-events\r\n\
             Sec-WebSocket-Extensions: grip; message-prefix=\"\"\r\nContent-Length: {}\r\n\r\n{events}",
            events.len()
        );
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

async fn serve<F>(listener: TcpListener, connection: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        connections.spawn(connection(stream));
        while connections.try_join_next().is_some() {}
    }
}

struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    /// The next one, if the client sends one more. Nothing comes behind it before it is answered.
    async fn read(stream: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = wire::head_end(&bytes) {
                let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
                if bytes.len() >= end + content_length(&head) {
                    let body = bytes.split_off(end);
                    return Ok(Some(Self { head, body }));
                }
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        }
    }
}

fn content_length(head: &str) -> usize {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}
