//! A backend without a library: it takes thousands of sessions and costs little.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::elsewhere::Elsewhere;
use crate::kit::{Frame, Wire, answer, switching};

/// The server; it ends when this is dropped.
pub(super) struct Backend {
    url: String,
    taken: Arc<AtomicUsize>,
    _elsewhere: Elsewhere,
}

/// What it does with a session that it has taken.
#[derive(Clone, Copy)]
pub(super) enum Manner {
    /// Reads, and says nothing.
    Quiet,
    /// Sends without end, and reads nothing.
    Talking,
    /// Sends this once, and then only reads.
    Saying(&'static [u8]),
}

impl Backend {
    pub(super) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}", listener.local_addr().expect("an address"));
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let listener = listener.into_std().expect("a socket");
        let elsewhere = Elsewhere::run(move || async move {
            let listener = TcpListener::from_std(listener).expect("a socket");
            let mut sessions = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                count.fetch_add(1, Ordering::Relaxed);
                sessions.spawn(serve(stream, manner));
                while sessions.try_join_next().is_some() {}
            }
        });
        Self {
            url,
            taken,
            _elsewhere: elsewhere,
        }
    }

    /// As the settings name it.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// How many connections it has taken so far.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// Takes a handshake, or refuses it where the path asks for that.
async fn serve(mut stream: TcpStream, manner: Manner) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(length) if length > 0 => {}
            _gone => return,
        }
    }
    let head = Wire::read_head(&head);
    let refuses = head.target().contains("refuse");
    let reply = match refuses {
        true => answer("403 Forbidden", "", "no"),
        false => switching(&head, ""),
    };
    if stream.write_all(reply.as_bytes()).await.is_err() || refuses {
        return;
    }
    match manner {
        Manner::Quiet => listen(stream).await,
        Manner::Saying(bytes) => {
            if stream.write_all(bytes).await.is_ok() {
                listen(stream).await;
            }
        }
        Manner::Talking => {
            let frame = Frame::binary(vec![7; 64 * 1024]).plain();
            while stream.write_all(&frame).await.is_ok() {}
        }
    }
}

async fn listen(mut stream: TcpStream) {
    let _ended = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}
