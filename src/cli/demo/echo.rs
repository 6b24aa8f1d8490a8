//! A WebSocket server that echoes every message.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::sleep;
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::task::TaskTracker;

/// The demo's backend, on a loopback port that the system chose.
pub(super) struct EchoServer {
    listener: TcpListener,
    address: SocketAddr,
}

/// Bytes that a session reads at once.
const READ_BUFFER: usize = 8 * 1024;

/// The largest message that is echoed: above the limit of the demo's route.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// Sessions at once; beyond them new ones are closed.
const MAX_SESSIONS: usize = 1024;

/// What a failed accept gives the system to recover in.
const AFTER_FAILURE: Duration = Duration::from_millis(50);

impl EchoServer {
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
    pub(super) fn start(self) -> io::Result<()> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = thread::Builder::new().name("echo".to_owned());
        thread.spawn(move || runtime.block_on(self.run()))?;
        Ok(())
    }

    /// Serves for as long as it is polled, and its sessions with it.
    async fn run(self) -> io::Result<Infallible> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let sessions = TaskTracker::new();
        loop {
            match listener.accept().await {
                Ok((stream, _)) if sessions.len() < MAX_SESSIONS => {
                    sessions.spawn(serve(stream));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the echo server could not accept");
                    sleep(AFTER_FAILURE).await;
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
            _ = server.run() => panic!("it serves on"),
            () = client => {}
        }
    }
}
