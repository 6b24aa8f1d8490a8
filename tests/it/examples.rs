//! The examples run, and do what they are there to show.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::kit::{Echo, Request, Socket, Wire, soon};

/// A running example; it ends when this is dropped.
struct Example {
    address: SocketAddr,
    _child: Child,
}

impl Example {
    /// Starts it before a backend, and waits until it says where it listens.
    async fn run(name: &str, backend: &Echo) -> Self {
        let path = built(name);
        let mut child = Command::new(&path)
            .args(["127.0.0.1:0", backend.url()])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; cargo build --examples", path.display()));
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        soon("a first line", output.read_line(&mut line))
            .await
            .unwrap();
        let (_, rest) = line.split_once("://").unwrap();
        let address = rest.split('/').next().unwrap().parse().unwrap();
        Self {
            address,
            _child: child,
        }
    }
}

/// Cargo puts examples beside the folder of the tests.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples").join(name)
}

#[tokio::test]
async fn the_embedding_examples_serve_their_own_pages_and_the_backends_sessions() {
    let backend = Echo::start().await;
    for name in ["embed_hyper", "embed_axum"] {
        let example = Example::run(name, &backend).await;
        let mut socket = Socket::open(&example.address.to_string(), "/ws/room").await;
        socket.echoes("hello").await;
        let mut wire = Wire::connect(example.address).await;
        wire.send(Request::plain("/").text()).await;
        assert_eq!(wire.head().await.status(), 200, "{name}");
    }
}

#[tokio::test]
async fn the_filter_example_passes_what_has_a_type_and_drops_the_rest() {
    let backend = Echo::start().await;
    let example = Example::run("message_filter", &backend).await;
    let mut socket = Socket::open(&example.address.to_string(), "/").await;
    socket.send("no JSON").await;
    let typed = r#"{"type":"greeting"}"#;
    // The first thing to come back is the second that was sent.
    socket.echoes(typed).await;
}
