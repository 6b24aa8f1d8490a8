//! A backend that echoes, to try the gate with.
//!
//! ```sh
//! cargo run --example echo_upstream            # 127.0.0.1:9001
//! cargo run --example echo_upstream -- 9002
//! ```

use std::error::Error;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;
use tokio_util::task::TaskTracker;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args()
        .nth(1)
        .map_or(Ok(9001), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("echoing on ws://{}", listener.local_addr()?);
    let sessions = TaskTracker::new();
    loop {
        let (stream, peer) = listener.accept().await?;
        sessions.spawn(async move {
            if let Err(error) = echo(stream).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn echo(stream: TcpStream) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let (mut sink, mut messages) = accept_async(stream).await?.split();
    while let Some(message) = messages.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            sink.send(message).await?;
        }
    }
    Ok(())
}
