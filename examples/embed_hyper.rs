//! The gate in a plain hyper server: WebSockets under `/ws/` go to a backend on port 9001, and
//! everything else is the server's own.
//!
//! ```sh
//! cargo run --example echo_upstream &
//! cargo run --example embed_hyper           # or: -- 127.0.0.1:8080 ws://127.0.0.1:9001
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tower::Layer;
use wsgate::{ClientAddr, Config, Gate};

const SETTINGS: &str = r#"
    [upstream.echo]
    servers = ["BACKEND"]

    [[route]]
    name = "echo"
    path = "/ws/*"
    upstream = "echo"

    [route.limits]
    message_size = "64KiB"
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or("127.0.0.1:8080".to_owned());
    let backend = arguments.next().unwrap_or("ws://127.0.0.1:9001".to_owned());
    let gate = Gate::builder(Config::from_toml(
        "embed_hyper",
        &SETTINGS.replace("BACKEND", &backend),
    )?)
    .build()?;
    let service = TowerToHyperService::new(gate.layer().layer(tower::service_fn(hello)));
    let listener = TcpListener::bind(listen).await?;
    println!(
        "http://{0}/ is ours, ws://{0}/ws/ is the backend's",
        listener.local_addr()?
    );

    let connections = TaskTracker::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = tokio::signal::ctrl_c() => break,
        };
        let service = service.clone();
        connections.spawn(async move {
            let service = service_fn(move |mut request: Request<Incoming>| {
                // The gate wants to know where a request came from.
                request.extensions_mut().insert(ClientAddr::from(peer));
                service.call(request)
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            if let Err(error) = connection.await {
                eprintln!("{peer}: {error}");
            }
        });
    }

    // Hyper does not see upgraded connections any more; the gate does.
    let drained = gate.handle().drain(Duration::from_secs(10)).await;
    println!("{} sessions closed, {} cut", drained.closed, drained.cut);
    Ok(())
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("hello from the host\n")))
}
