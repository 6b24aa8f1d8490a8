//! A real WebSocket server that says everything back.

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::accept_async_with_config;

use super::socket::config;

/// The server; it ends when this is dropped.
pub(crate) struct Echo {
    url: String,
    _tasks: JoinSet<()>,
}

impl Echo {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}", listener.local_addr().expect("an address"));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut sessions = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                sessions.spawn(echo(stream));
            }
        });
        Self { url, _tasks: tasks }
    }

    /// As the settings name it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

async fn echo(stream: TcpStream) {
    let Ok(socket) = accept_async_with_config(stream, Some(config())).await else {
        return;
    };
    let (mut sink, mut messages) = socket.split();
    while let Some(Ok(message)) = messages.next().await {
        let answered = match message.is_text() || message.is_binary() {
            true => sink.send(message).await,
            // Pongs and close frames are the library's; they want to be sent.
            false => sink.flush().await,
        };
        if answered.is_err() {
            return;
        }
    }
}
