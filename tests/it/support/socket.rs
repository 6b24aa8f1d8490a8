//! A real WebSocket client.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::soon;

/// A client's session.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// The 101.
    pub(crate) response: Response,
}

/// Buffers are small, because there may be many.
pub(super) fn config() -> Option<WebSocketConfig> {
    const SIZE: usize = 16 * 1024;
    let config = WebSocketConfig::default();
    Some(config.read_buffer_size(SIZE).write_buffer_size(SIZE))
}

impl Socket {
    /// Opens a session, or tells the status that it was refused with.
    pub(crate) async fn open(
        address: SocketAddr,
        target: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{address}{target}")
            .into_client_request()
            .expect("a URL");
        for (name, value) in headers {
            request
                .headers_mut()
                .append(*name, value.parse().expect("a value"));
        }
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        let opened = client_async_with_config(request, stream, config());
        match soon("a handshake", opened).await {
            Ok((stream, response)) => Ok(Self { stream, response }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, message: impl Into<Message>) -> impl Future<Output = ()> {
        let message = message.into();
        soon("a message to be taken", async move {
            self.stream.send(message).await.expect("a session");
        })
    }

    /// The next message; pings and pongs are passed over.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = Message> {
        soon("a message", async move {
            loop {
                let message = self.stream.next().await.expect("a session");
                let message = message.expect("a message");
                if !message.is_ping() && !message.is_pong() {
                    return message;
                }
            }
        })
    }

    /// Sends a text and checks that it comes back.
    #[track_caller]
    pub(crate) fn echoes(&mut self, text: &str) -> impl Future<Output = ()> {
        let message = Message::from(text);
        async move {
            self.send(message.clone()).await;
            assert_eq!(self.next().await, message);
        }
    }

    /// The next message, which closes; then the end.
    pub(crate) async fn closed(&mut self) -> Option<(u16, String)> {
        let close = match self.next().await {
            Message::Close(close) => close,
            other => panic!("{other:?} does not close"),
        };
        self.end().await;
        close.map(|close| (close.code.into(), close.reason.to_string()))
    }

    /// Closes, and waits for the answer and the end.
    pub(crate) async fn close(mut self, code: u16, reason: &str) -> Option<(u16, String)> {
        let reason = reason.to_owned().into();
        let code = code.into();
        self.send(Message::Close(Some(CloseFrame { code, reason })))
            .await;
        self.closed().await
    }

    /// Waits for the end.
    pub(crate) async fn end(&mut self) {
        let end = async {
            while let Some(next) = self.stream.next().await {
                if let Ok(message) = next {
                    panic!("{message:?} behind a close");
                }
            }
        };
        soon("the end", end).await;
    }
}
