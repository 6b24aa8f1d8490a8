//! A real WebSocket server that says everything back.

use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::socket::config;

/// The server; it ends when this is dropped.
pub(crate) struct Echo {
    url: String,
    taken: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Echo {
    pub(crate) async fn start() -> Self {
        Self::named("echo").await
    }

    /// Says its name in its 101, as `x-server`. Of offered subprotocols it takes the last.
    pub(crate) async fn named(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}", listener.local_addr().expect("an address"));
        Self::serve(url, name, move |cx| {
            listener.poll_accept(cx).map_ok(|(stream, _)| stream)
        })
    }

    pub(crate) fn unix(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("a socket");
        let url = format!("unix:{}", path.display());
        Self::serve(url, "unix", move |cx| {
            listener.poll_accept(cx).map_ok(|(stream, _)| stream)
        })
    }

    fn serve<S, A>(url: String, name: &'static str, mut accept: A) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        A: FnMut(&mut Context<'_>) -> Poll<io::Result<S>> + Send + 'static,
    {
        let taken = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        let count = Arc::clone(&taken);
        tasks.spawn(async move {
            let mut sessions = JoinSet::new();
            loop {
                let stream = poll_fn(&mut accept).await.expect("a connection");
                count.fetch_add(1, Ordering::Relaxed);
                sessions.spawn(echo(stream, name));
            }
        });
        Self {
            url,
            taken,
            _tasks: tasks,
        }
    }

    /// As the settings name it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How many connections it has taken so far.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

#[expect(
    clippy::result_large_err,
    reason = "the type is that of the library's callback"
)]
async fn echo(stream: impl AsyncRead + AsyncWrite + Unpin, name: &'static str) {
    let greet = |request: &Request, mut response: Response| {
        let headers = response.headers_mut();
        headers.insert("x-server", HeaderValue::from_static(name));
        if let Some(offered) = request.headers().get("sec-websocket-protocol") {
            let offered = offered.to_str().expect("text");
            let last = offered.rsplit(',').next().expect("an offer").trim();
            let chosen = HeaderValue::from_str(last).expect("a token");
            headers.insert("sec-websocket-protocol", chosen);
        }
        Ok(response)
    };
    let Ok(socket) = accept_hdr_async_with_config(stream, greet, config()).await else {
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
