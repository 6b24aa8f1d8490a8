//! An open session: a ping, an echo, and the closing handshake.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::error::ProbeError;

/// The client's end.
pub(super) struct Session(WebSocketStream<TokioIo<Upgraded>>);

/// How the server answered the close frame.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) code: Option<u16>,
    pub(super) reason: String,
}

const PING: &[u8] = b"wsgate probe";

impl Session {
    pub(super) async fn new(stream: TokioIo<Upgraded>) -> Self {
        Self(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
    }

    /// Waits for the pong.
    pub(super) async fn ping(&mut self) -> Result<(), ProbeError> {
        let payload = Bytes::from_static(PING);
        self.send(Message::Ping(payload.clone())).await?;
        self.wait_for(&Message::Pong(payload)).await
    }

    /// Waits for a message with the same text.
    pub(super) async fn echo(&mut self, text: &str) -> Result<(), ProbeError> {
        let message = Message::text(text);
        self.send(message.clone()).await?;
        self.wait_for(&message).await
    }

    /// Closes with 1000, and waits for the server's close frame.
    pub(super) async fn close(&mut self) -> Result<Closed, ProbeError> {
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        self.send(Message::Close(Some(frame))).await?;
        loop {
            if let Message::Close(frame) = self.next().await? {
                return Ok(Closed::new(frame));
            }
        }
    }

    async fn wait_for(&mut self, wanted: &Message) -> Result<(), ProbeError> {
        loop {
            match self.next().await? {
                Message::Close(frame) => {
                    let Closed { code, reason } = Closed::new(frame);
                    return Err(ProbeError::Closed { code, reason });
                }
                message if message == *wanted => return Ok(()),
                // The server may have something else to say first.
                _ => {}
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), ProbeError> {
        self.0.send(message).await.map_err(failure)
    }

    async fn next(&mut self) -> Result<Message, ProbeError> {
        let next = self.0.next().await;
        next.unwrap_or(Err(Error::ConnectionClosed))
            .map_err(failure)
    }
}

impl Closed {
    fn new(frame: Option<CloseFrame>) -> Self {
        let (code, reason) = frame.map_or((None, String::new()), |frame| {
            (Some(frame.code.into()), frame.reason.to_string())
        });
        Self { code, reason }
    }
}

fn failure(error: Error) -> ProbeError {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | Error::Io(_)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => ProbeError::Lost(error),
        error => ProbeError::Protocol(error),
    }
}
