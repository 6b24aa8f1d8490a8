//! A WebSocket server that says everything back.

use std::io;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::task::TaskTracker;

/// The demo's backend, on a loopback port that the system chose.
pub(super) struct EchoServer {
    listener: TcpListener,
    address: SocketAddr,
    sessions: TaskTracker,
}

/// Bytes that a session reads at once.
const READ_BUFFER: usize = 8 * 1024;

/// The largest message that is said back: above what the demo's route lets through.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// Sessions at once; beyond them new ones are closed.
const MAX_SESSIONS: usize = 1024;

impl EchoServer {
    /// Must be called on the runtime that is to run it.
    pub(super) fn bind() -> io::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            address: listener.local_addr()?,
            listener: TcpListener::from_std(listener)?,
            sessions: TaskTracker::new(),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves for as long as it is polled, and its sessions with it.
    pub(super) async fn run(self) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) if self.sessions.len() < MAX_SESSIONS => {
                    self.sessions.spawn(serve(stream));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the echo server could not accept");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }
}

async fn serve(stream: TcpStream) {
    if let Err(error) = echo(stream).await {
        tracing::debug!(%error, "an echo session ended");
    }
}

async fn echo(stream: TcpStream) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let settings = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let mut socket = accept_async_with_config(stream, Some(settings)).await?;
    while let Some(message) = socket.next().await {
        match message? {
            message @ (Message::Text(_) | Message::Binary(_)) => socket.send(message).await?,
            // Pings and closes are answered below us.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::connect_async;

    use super::*;

    #[tokio::test]
    async fn text_and_binary_come_back_as_they_were() {
        let server = EchoServer::bind().unwrap();
        let url = format!("ws://{}/", server.address());
        let client = async {
            let (mut client, _) = connect_async(url).await.unwrap();
            for message in [Message::text("hör zu"), Message::binary(vec![0, 255, 7])] {
                client.send(message.clone()).await.unwrap();
                assert_eq!(client.next().await.unwrap().unwrap(), message);
            }
            client.close(None).await.unwrap();
            while let Some(Ok(_)) = client.next().await {}
        };
        tokio::select! {
            () = server.run() => panic!("it serves on"),
            () = client => {}
        }
    }
}
