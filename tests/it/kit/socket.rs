//! A real WebSocket client.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::wire::Stream;
use super::{Wire, soon};

/// A client's session.
pub(crate) struct Socket {
    stream: WebSocketStream<Box<dyn Stream>>,
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
    /// Opens a session that has to be let in.
    pub(crate) async fn open(address: &str, target: &str) -> Self {
        let opened = Self::try_open(address, target, &[]).await;
        opened.unwrap_or_else(|status| panic!("refused with {status}"))
    }

    /// Opens a session, or tells the status that it was refused with.
    pub(crate) async fn try_open(
        address: &str,
        target: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let wire = soon("a connection", Wire::connect(address)).await;
        Self::open_on(wire, address, target, headers).await
    }

    /// The same on a connection.
    pub(crate) async fn open_on(
        wire: Wire,
        host: &str,
        target: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let request = format!("ws://{host}{target}").into_client_request();
        let mut request = request.expect("a URL");
        for (name, value) in headers {
            let value = value.parse().expect("a value");
            request.headers_mut().append(*name, value);
        }
        let opened = client_async_with_config(request, wire.into_stream(), config());
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

    /// Sends what the peer may not take to its end.
    pub(crate) async fn try_send(&mut self, message: impl Into<Message>) {
        let _closed = self.stream.send(message.into()).await;
    }

    /// Code and reason of the close that comes next, which is answered.
    #[track_caller]
    pub(crate) fn closed(&mut self) -> impl Future<Output = (u16, String)> {
        let next = self.next();
        async {
            let Message::Close(Some(close)) = next.await else {
                panic!("no close with a code");
            };
            (close.code.into(), close.reason.to_string())
        }
    }

    /// The next message, which closes; then the end, with nothing before it.
    pub(crate) async fn farewell(&mut self) -> Option<(u16, String)> {
        let close = match self.next().await {
            Message::Close(close) => close,
            other => panic!("{other:?} does not close"),
        };
        let end = async {
            while let Some(next) = self.stream.next().await {
                if let Ok(message) = next {
                    panic!("{message:?} behind a close");
                }
            }
        };
        soon("the end", end).await;
        close.map(|close| (close.code.into(), close.reason.to_string()))
    }

    /// Closes with this code, and waits for the answer and the end.
    pub(crate) async fn close_with(mut self, code: u16, reason: &str) -> Option<(u16, String)> {
        let reason = reason.to_owned().into();
        let code = code.into();
        self.send(Message::Close(Some(CloseFrame { code, reason })))
            .await;
        self.farewell().await
    }

    /// Closes, and waits for the end.
    pub(crate) async fn close(mut self) {
        self.try_send(Message::Close(None)).await;
        self.end().await;
    }

    /// Waits for the end, whatever comes before it.
    pub(crate) async fn end(mut self) {
        soon("the end", async {
            while let Some(Ok(_)) = self.stream.next().await {}
        })
        .await;
    }
}
