//! An authentication policy that waits: a token is looked up in a directory, the user goes to the
//! backend as a header, and the session ends when the token does.
//!
//! ```sh
//! cargo run --example echo_upstream &
//! cargo run --example auth_policy           # or: -- 127.0.0.1:8080 ws://127.0.0.1:9001
//! wsgate probe --header 'Authorization: Bearer alice-for-an-hour' ws://127.0.0.1:8080/
//! ```

use std::error::Error;
use std::time::{Duration, SystemTime};

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use wsgate::{
    ClientAddr, Config, Denial, Event, Gate, Grant, Handshake, Identity, Policy, Rejection,
};

const SETTINGS: &str = r#"
    [upstream.echo]
    servers = ["BACKEND"]

    [[route]]
    name = "echo"
    path = "/*"
    upstream = "echo"

    # The token is for the gate alone.
    [route.headers]
    remove = ["authorization"]
"#;

/// Lets in who shows a token that the directory knows.
struct Tokens {
    directory: Directory,
}

const USER: HeaderName = HeaderName::from_static("x-user");

impl Policy for Tokens {
    async fn check(&self, handshake: &Handshake) -> Result<Grant, Rejection> {
        let header = handshake.headers().get(AUTHORIZATION);
        let token = header
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| Denial::unauthorized("token_missing"))?;
        let user = self.directory.look_up(token).await;
        let user = user.ok_or_else(|| Denial::unauthorized("token_unknown"))?;
        let name = HeaderValue::from_static(user.name);
        Ok(Grant::new()
            .with_identity(Identity::new(user.name))
            // Whatever the client writes into `X-User` itself is taken out.
            .with_header(USER, name)
            .expiring_at(SystemTime::now() + user.left))
    }
}

/// Stands for a database or another service: it takes its time.
struct Directory;

struct User {
    name: &'static str,
    /// For how long the token is good.
    left: Duration,
}

impl Directory {
    async fn look_up(&self, token: &str) -> Option<User> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (name, seconds) = match token {
            "alice-for-an-hour" => ("alice", 3600),
            "bob-for-a-second" => ("bob", 1),
            _ => return None,
        };
        let left = Duration::from_secs(seconds);
        Some(User { name, left })
    }
}

/// Prints who comes and goes.
fn print(event: &Event) {
    match event {
        Event::Refused(refused) => eprintln!("refused: {}", refused.reason),
        Event::Opened(opened) => {
            let identity = opened.session.identity.as_ref();
            let user = identity.map_or("nobody", |identity| identity.subject());
            eprintln!("session {} of {user} begins", opened.session.id);
        }
        Event::Closed(closed) => {
            eprintln!("session {} ends: {}", closed.session.id, closed.reason);
        }
        _ => {}
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or("127.0.0.1:8080".to_owned());
    let backend = arguments.next().unwrap_or("ws://127.0.0.1:9001".to_owned());
    let config = Config::from_toml("auth_policy", &SETTINGS.replace("BACKEND", &backend))?;
    let gate = Gate::builder(config)
        .policy(Tokens {
            directory: Directory,
        })
        .observe(print)
        .build()?;
    let listener = TcpListener::bind(listen).await?;
    println!("ws://{}/ wants a token", listener.local_addr()?);
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
