//! Sessions on streams of HTTP/2 (RFC 8441): an extended CONNECT each, several on one connection.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, StatusCode, Version};
use http_body_util::Empty;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpSocket;
use tokio_util::task::TaskTracker;

use super::stream::{NAME, Stream, Target};

/// So many streams are on a connection before there is another.
const STREAMS: usize = 16;

/// What a stream may hold that its reader has not taken, and what a connection may: as browsers have it.
const STREAM_WINDOW: u32 = 6 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 15 * 1024 * 1024;

/// How long a proxy may take to say what it knows.
const SETTINGS: Duration = Duration::from_secs(1);

/// The connections of all clients of a proxy.
#[derive(Clone, Default)]
pub(crate) struct Connections {
    open: Arc<Mutex<Vec<Connection>>>,
    tasks: TaskTracker,
}

struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    streams: usize,
}

impl Connections {
    /// Opens a session on a stream.
    pub(crate) async fn open(&self, target: &Target, path: &str) -> io::Result<TokioIo<Upgraded>> {
        let mut sender = match self.room() {
            Some(sender) => sender,
            None => self.connect(target).await?,
        };
        let request = Request::builder()
            .method(Method::CONNECT)
            .version(Version::HTTP_2)
            .uri(format!("https://{NAME}{path}"))
            .extension(Protocol::from_static("websocket"))
            .header("origin", "https://example.com")
            .header("sec-websocket-version", "13")
            .body(Empty::new())
            .map_err(io::Error::other)?;
        let response = sender.send_request(request).await;
        let response = response.map_err(io::Error::other)?;
        match response.status() {
            StatusCode::OK => {}
            status => return Err(io::Error::other(format!("refused: {status}"))),
        }
        let upgraded = hyper::upgrade::on(response).await;
        upgraded.map(TokioIo::new).map_err(io::Error::other)
    }

    /// A place on a connection that there is.
    fn room(&self) -> Option<SendRequest<Empty<Bytes>>> {
        let mut connections = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let room = |connection: &&mut Connection| {
            connection.streams < STREAMS && !connection.sender.is_closed()
        };
        let connection = connections.last_mut().filter(room)?;
        connection.streams += 1;
        Some(connection.sender.clone())
    }

    async fn connect(&self, target: &Target) -> io::Result<SendRequest<Empty<Bytes>>> {
        let stream = Stream::connect(TcpSocket::new_v4()?, target).await?;
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let (sender, connection) = http
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // A task of hyper's reads the settings (RFC 8441 §3).
        let begun = Instant::now();
        while !connection.is_extended_connect_protocol_enabled() {
            if begun.elapsed() > SETTINGS {
                return Err(io::Error::other("it knows no extended CONNECT"));
            }
            tokio::task::yield_now().await;
        }
        // It ends with its last stream, or with the proxy.
        self.tasks
            .spawn(async move { connection.await.unwrap_or_default() });
        let mut connections = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        connections.push(Connection {
            sender: sender.clone(),
            streams: 1,
        });
        Ok(sender)
    }
}
