//! A message filter that knows its client: clients may only send JSON objects that have a `type`,
//! and the backend gets them with the client's address in them.
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
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use wsgate::{
    Body, ClientAddr, CloseCode, Config, Gate, Message, MessageFilter, SessionInfo, Side, Verdict,
};

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

/// One is made for each session, so that it knows its client and can count.
struct TypedJson {
    client: String,
    faults: u32,
}

/// The fault that ends a session; those before it are dropped.
const LAST_FAULT: u32 = 3;

impl TypedJson {
    fn new(session: &SessionInfo) -> Self {
        Self {
            client: session.client.to_string(),
            faults: 0,
        }
    }
}

impl MessageFilter for TypedJson {
    fn on_message(&mut self, message: Message) -> Verdict {
        if message.from == Side::Upstream {
            return Verdict::Forward(message);
        }
        if let Some(mut object) = typed(&message) {
            // The backend learns who says it.
            object.insert("client".to_owned(), self.client.clone().into());
            let text = Value::Object(object).to_string();
            return Verdict::Forward(Message {
                from: message.from,
                body: Body::Text(text.into()),
            });
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

/// The object, if the message is one and has a `type`.
fn typed(message: &Message) -> Option<Map<String, Value>> {
    let value = serde_json::from_str(message.text()?).ok()?;
    let Value::Object(object) = value else {
        return None;
    };
    object.get("type")?.is_string().then_some(object)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or("127.0.0.1:8080".to_owned());
    let backend = arguments.next().unwrap_or("ws://127.0.0.1:9001".to_owned());
    let config = Config::from_toml("message_filter", &SETTINGS.replace("BACKEND", &backend))?;
    let gate = Gate::builder(config)
        .filter("typed", TypedJson::new)
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
