//! The gate as a layer of an axum application.
//!
//! ```sh
//! cargo run --example echo_upstream &
//! cargo run --example embed_axum           # or: -- 127.0.0.1:8080 ws://127.0.0.1:9001
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use tokio::net::TcpListener;
use wsgate::{ClientAddr, Config, Gate};

const SETTINGS: &str = r#"
    [upstream.echo]
    servers = ["BACKEND"]

    [[route]]
    name = "echo"
    path = "/ws/*"
    upstream = "echo"
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or("127.0.0.1:8080".to_owned());
    let backend = arguments.next().unwrap_or("ws://127.0.0.1:9001".to_owned());
    let gate = Gate::builder(Config::from_toml(
        "embed_axum",
        &SETTINGS.replace("BACKEND", &backend),
    )?)
    // axum's own name for where a connection came from.
    .client_addr(|request| {
        let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
        peer.map(|ConnectInfo(peer)| ClientAddr::from(*peer))
    })
    .build()?;
    let app = Router::new()
        .route("/", get(|| async { "hello from the host\n" }))
        .fallback(|| async { "nothing here\n" })
        .layer(gate.layer());

    let listener = TcpListener::bind(listen).await?;
    println!(
        "http://{0}/ is ours, ws://{0}/ws/ is the backend's",
        listener.local_addr()?
    );
    let handle = gate.handle();
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async move {
        if let Err(error) = tokio::signal::ctrl_c().await {
            eprintln!("no signals here: {error}");
        }
        // Before the server stops: it does not wait for upgraded connections.
        handle.drain(Duration::from_secs(10)).await;
    })
    .await?;
    Ok(())
}
