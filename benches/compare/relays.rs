//! Proxies to measure against that are as small as they can be: two that understand nothing, and one
//! that understands messages.

mod bare;

use std::io;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::handshake::server::Request;
use tokio_tungstenite::{accept_hdr_async, client_async};

/// Copies bytes both ways and looks at none.
pub(crate) async fn tunnel(listener: TcpListener, backend: SocketAddr) -> io::Result<()> {
    let mut sessions = JoinSet::new();
    loop {
        let (mut client, _) = listener.accept().await?;
        sessions.spawn(async move {
            let mut server = connect(&client, backend).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await?;
            io::Result::Ok(())
        });
        while sessions.try_join_next().is_some() {}
    }
}

/// The same with the least that it can be done with.
pub(crate) async fn bare(listener: TcpListener, backend: SocketAddr) -> io::Result<()> {
    let mut sessions = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await?;
        sessions.spawn(async move {
            let server = connect(&client, backend).await?;
            bare::relay(client, server).await
        });
        while sessions.try_join_next().is_some() {}
    }
}

/// Reads messages of the one side and writes them to the other.
pub(crate) async fn messages(listener: TcpListener, backend: SocketAddr) -> io::Result<()> {
    let mut sessions = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await?;
        sessions.spawn(async move {
            let server = connect(&client, backend).await?;
            let mut path = String::new();
            #[expect(clippy::result_large_err, reason = "the callback's type is theirs")]
            let note_path = |request: &Request, response| {
                request.uri().path().clone_into(&mut path);
                Ok(response)
            };
            let client = accept_hdr_async(client, note_path).await?;
            let (server, _) = client_async(format!("ws://{backend}{path}"), server).await?;
            let (mut to_client, mut from_client) = client.split();
            let (mut to_server, mut from_server) = server.split();
            let up = async {
                while let Some(message) = from_client.next().await {
                    to_server.send(message?).await?;
                }
                to_server.close().await
            };
            let down = async {
                while let Some(message) = from_server.next().await {
                    to_client.send(message?).await?;
                }
                to_client.close().await
            };
            tokio::try_join!(up, down)?;
            Result::<_, Error>::Ok(())
        });
        while sessions.try_join_next().is_some() {}
    }
}

async fn connect(client: &TcpStream, backend: SocketAddr) -> io::Result<TcpStream> {
    client.set_nodelay(true)?;
    let server = TcpStream::connect(backend).await?;
    server.set_nodelay(true)?;
    Ok(server)
}
