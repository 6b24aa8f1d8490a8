//! The demo's chat server: it reads WebSockets and never writes to one. What it has to say, it publishes.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::sleep;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::task::TaskTracker;

use super::publisher::Publisher;

/// The demo's second backend, on a loopback port that the system chose.
pub(super) struct ChatServer {
    listener: TcpListener,
    address: SocketAddr,
}

/// What a person says.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    text: String,
}

/// The bytes of a message that is read.
const MAX_MESSAGE: usize = 4 * 1024;

/// The characters of a name, and of what is said at once.
const LONGEST: (usize, usize) = (40, 1000);

/// Sessions at once; beyond them new ones are closed.
const MAX_SESSIONS: usize = 1024;

/// What a failed accept gives the system to recover in.
const AFTER_FAILURE: Duration = Duration::from_millis(50);

impl ChatServer {
    pub(super) fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on a thread of its own, until the process ends.
    pub(super) fn start(self, publisher: Publisher) -> io::Result<()> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = thread::Builder::new().name("chat".to_owned());
        thread.spawn(move || runtime.block_on(self.run(Arc::new(publisher))))?;
        Ok(())
    }

    async fn run(self, publisher: Arc<Publisher>) -> io::Result<Infallible> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let sessions = TaskTracker::new();
        loop {
            match listener.accept().await {
                Ok((stream, _)) if sessions.len() < MAX_SESSIONS => {
                    sessions.spawn(serve(stream, Arc::clone(&publisher)));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the chat server could not accept");
                    sleep(AFTER_FAILURE).await;
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, publisher: Arc<Publisher>) {
    if let Err(error) = listen(stream, &publisher).await {
        tracing::debug!(%error, "a chat session ended");
    }
}

/// Publishes to the room what is said in a session.
async fn listen(stream: TcpStream, publisher: &Publisher) -> Result<(), Error> {
    let settings = WebSocketConfig::default()
        .read_buffer_size(MAX_MESSAGE)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let mut room = None;
    #[expect(
        clippy::result_large_err,
        reason = "the type of tungstenite's callbacks"
    )]
    let note_room = |request: &Request, response| -> Result<Response, ErrorResponse> {
        room = room_of(request.uri().path());
        Ok(response)
    };
    let accepted = accept_hdr_async_with_config(stream, note_room, Some(settings)).await;
    let mut socket = accepted?;
    let Some(room) = room else {
        return socket.close(None).await;
    };
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else {
            continue;
        };
        let Some(line) = line_of(&text) else {
            tracing::debug!("a chat message has another form than the page's");
            continue;
        };
        if let Err(error) = publisher.publish(&room, line).await {
            tracing::warn!(%error, "the chat server could not publish");
        }
    }
    Ok(())
}

/// The channel of the room that a path names.
fn room_of(path: &str) -> Option<String> {
    let room = path.strip_prefix("/chat/")?;
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let is_room = !room.is_empty() && room.len() <= 40 && room.chars().all(is_name);
    is_room.then(|| format!("room.{room}"))
}

/// What is said, as the room gets it; none where it has another form than the page's.
fn line_of(text: &str) -> Option<String> {
    let mut line: Line = serde_json::from_str(text).ok()?;
    for (part, longest) in [(&mut line.name, LONGEST.0), (&mut line.text, LONGEST.1)] {
        *part = part.trim().to_owned();
        if part.is_empty() || part.chars().count() > longest {
            return None;
        }
    }
    serde_json::to_string(&line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_a_plain_name() {
        assert_eq!(room_of("/chat/lobby").as_deref(), Some("room.lobby"));
        for none in ["/chat/", "/chat/a.b", "/chat/a/b", "/chat/%2E", "/echo"] {
            assert_eq!(room_of(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_said_has_a_name_and_a_text() {
        let said = line_of(r#"{"name":" Ada ","text":"hör zu"}"#);
        assert_eq!(said.as_deref(), Some(r#"{"name":"Ada","text":"hör zu"}"#));
        let long = format!(r#"{{"name":"Ada","text":"{}"}}"#, "x".repeat(1001));
        for wrong in [
            "hello",
            r#"{"name":"Ada"}"#,
            r#"{"name":"","text":"a"}"#,
            r#"{"name":"Ada","text":"a","room":"b"}"#,
            &long,
        ] {
            assert_eq!(line_of(wrong), None, "{wrong}");
        }
    }
}
