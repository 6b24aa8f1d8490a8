//! A message filter: clients may only send JSON objects that have a `type`.
//!
//! ```sh
//! cargo run --example echo_upstream &
//! cargo run --example message_filter           # or: -- 127.0.0.1:8080 ws://127.0.0.1:9001
//! ```

use std::error::Error;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use wsgate::{ClientAddr, CloseCode, Config, Gate, Message, MessageFilter, Side, Verdict};

// A filter reads payloads, so the route must not let clients compress them.
const SETTINGS: &str = r#"
    [upstream.echo]
    servers = ["BACKEND"]

    [[route]]
    name = "typed"
    path = "/*"
    upstream = "echo"
    compression = "off"
"#;

/// One is made for each session, so it can count.
#[derive(Default)]
struct TypedJson {
    faults: u32,
}

/// The fault that ends a session; those before it are dropped.
const LAST_FAULT: u32 = 3;

impl MessageFilter for TypedJson {
    fn on_message(&mut self, message: Message) -> Verdict {
        if message.from == Side::Upstream || is_typed(&message) {
            return Verdict::Forward(message);
        }
        self.faults += 1;
        match self.faults {
            ..LAST_FAULT => Verdict::Discard,
            _ => Verdict::Close(
                CloseCode::POLICY,
                "send JSON objects with a type".to_owned(),
            ),
        }
    }
}

fn is_typed(message: &Message) -> bool {
    let value: Option<Value> = message
        .text()
        .and_then(|text| serde_json::from_str(text).ok());
    value.is_some_and(|value| value.get("type").is_some_and(Value::is_string))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or("127.0.0.1:8080".to_owned());
    let backend = arguments.next().unwrap_or("ws://127.0.0.1:9001".to_owned());
    let config = Config::from_toml("message_filter", &SETTINGS.replace("BACKEND", &backend))?;
    let gate = Gate::builder(config)
        .filter("typed", |_| TypedJson::default())
        .build()?;
    let listener = TcpListener::bind(listen).await?;
    println!(
        "ws://{}/ passes JSON objects with a type",
        listener.local_addr()?
    );
    let connections = TaskTracker::new();
    loop {
        let (stream, peer) = listener.accept().await?;
        let gate = gate.service();
        connections.spawn(async move {
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(ClientAddr::from(peer));
                Service::call(&gate, request)
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
}
