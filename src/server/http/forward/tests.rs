use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::config::Config;
use crate::server::Server;

/// A gate in front of a backend that the test plays itself.
struct Scene {
    backend: TcpListener,
    server: Server,
}

impl Scene {
    async fn new() -> Self {
        let backend = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server::start(settings(backend.local_addr().unwrap())).unwrap();
        Self { backend, server }
    }

    async fn client(&self) -> Peer {
        let address = self.server.addresses()[0].tcp().unwrap();
        Peer(TcpStream::connect(address).await.unwrap())
    }

    async fn upstream(&self) -> Peer {
        Peer(self.backend.accept().await.unwrap().0)
    }
}

fn settings(backend: SocketAddr) -> Config {
    let text = format!(
        r#"
        [[listen]]
        address = "127.0.0.1:0"
        [server]
        workers = 1
        [upstream.backend]
        servers = ["http://{backend}/base"]
        [[route]]
        name = "all"
        path = "/*"
        upstream = "backend"
        http.response_timeout = "2s"
        "#
    );
    Config::from_toml("test.toml", &text).unwrap()
}

/// One end of a connection, byte for byte.
struct Peer(TcpStream);

impl Peer {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until what was read ends with `end`.
    async fn read_to(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            match self.0.read_u8().await {
                Ok(byte) => read.push(byte),
                Err(_) => panic!("ended after {:?}", String::from_utf8_lossy(&read)),
            }
        }
        String::from_utf8(read).unwrap()
    }

    async fn read_to_end(&mut self) -> String {
        let mut read = String::new();
        self.0.read_to_string(&mut read).await.unwrap();
        read
    }

    async fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]).await, Ok(0) | Err(_))
    }
}

const GET: &str = "GET /a?b=c HTTP/1.1\r\nhost: gate.example\r\n\r\n";
const EMPTY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn one_connection_serves_request_after_request_of_every_client() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.send(GET).await;
    let mut upstream = scene.upstream().await;
    let request = upstream.read_to("\r\n\r\n").await;
    assert!(
        request.starts_with("GET /base/a?b=c HTTP/1.1\r\n"),
        "{request}"
    );
    upstream.send(EMPTY).await;
    client.read_to("\r\n\r\n").await;
    for _ in 0..2 {
        for mut client in [scene.client().await, scene.client().await] {
            client.send(GET).await;
            upstream.read_to("\r\n\r\n").await;
            upstream.send(EMPTY).await;
            let answer = client.read_to("\r\n\r\n").await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
    }
}

#[tokio::test]
async fn bodies_stream_both_ways_before_they_end() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        .await;
    let mut upstream = scene.upstream().await;
    let request = upstream.read_to("one\r\n").await;
    assert!(request.contains("transfer-encoding: chunked"), "{request}");
    upstream
        .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        .await;
    client.read_to("5\r\nfirst\r\n").await;
    client.send("3\r\ntwo\r\n0\r\n\r\n").await;
    upstream.read_to("3\r\ntwo\r\n0\r\n\r\n").await;
    upstream.send("4\r\nlast\r\n0\r\n\r\n").await;
    client.read_to("4\r\nlast\r\n0\r\n\r\n").await;
}

/// By itself hyper takes a GET or HEAD of unknown length for one without a body.
#[tokio::test]
async fn a_body_in_chunks_goes_on_whatever_the_method() {
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "QUERY", "POST"] {
        let scene = Scene::new().await;
        let mut client = scene.client().await;
        let head = format!("{method} / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
        client.send(&format!("{head}3\r\none\r\n0\r\n\r\n")).await;
        let mut upstream = scene.upstream().await;
        let request = upstream.read_to("\r\n\r\n").await;
        assert!(request.contains("transfer-encoding: chunked"), "{request}");
        assert_eq!(upstream.read_to("0\r\n\r\n").await, "3\r\none\r\n0\r\n\r\n");
    }
}

#[tokio::test]
async fn trailers_reach_a_client_that_takes_them() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client
        .send("GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: te\r\n\r\n")
        .await;
    let mut upstream = scene.upstream().await;
    upstream.read_to("\r\n\r\n").await;
    upstream
        .send(
            "HTTP/1.1 200 OK\r\ntrailer: sum\r\ntransfer-encoding: chunked\r\n\r\n\
             1\r\nx\r\n0\r\nsum: 42\r\n\r\n",
        )
        .await;
    client.read_to("1\r\nx\r\n0\r\nsum: 42\r\n\r\n").await;
}

#[tokio::test]
async fn a_clients_trailers_do_not_reach_the_server() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client
        .send(
            "POST / HTTP/1.1\r\nhost: a\r\ntrailer: x-forwarded-for\r\n\
             transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx-forwarded-for: 192.0.2.1\r\n\r\n",
        )
        .await;
    let mut upstream = scene.upstream().await;
    let request = upstream.read_to("1\r\nx\r\n0\r\n\r\n").await;
    assert!(!request.contains("192.0.2.1"), "{request}");
}

#[tokio::test]
async fn an_idle_connection_that_the_server_closed_costs_no_request() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.send(GET).await;
    let mut first = scene.upstream().await;
    first.read_to("\r\n\r\n").await;
    first.send(EMPTY).await;
    client.read_to("\r\n\r\n").await;
    drop(first);
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody")
        .await;
    let mut second = scene.upstream().await;
    second.read_to("\r\n\r\nbody").await;
    second.send(EMPTY).await;
    let answer = client.read_to("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn what_a_server_does_wrong_is_told_by_the_status() {
    for (response, status) in [
        ("", "502"),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "502"),
        ("HTTP/1.1 200 OK\r\ncontent-le", "502"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
            "502",
        ),
    ] {
        let scene = Scene::new().await;
        let mut client = scene.client().await;
        client.send(GET).await;
        let mut upstream = scene.upstream().await;
        upstream.read_to("\r\n\r\n").await;
        upstream.send(response).await;
        drop(upstream);
        let answer = client.read_to_end().await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{response}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_502_and_a_silent_one_a_504() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.send(GET).await;
    let mut upstream = scene.upstream().await;
    let answer = client.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    upstream.read_to("\r\n\r\n").await;
    assert!(upstream.is_closed().await);

    let Scene { backend, server } = scene;
    drop(backend);
    let mut client = Peer(
        TcpStream::connect(server.addresses()[0].tcp().unwrap())
            .await
            .unwrap(),
    );
    client.send(GET).await;
    let answer = client.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_along() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.send(GET).await;
    let mut upstream = scene.upstream().await;
    upstream.read_to("\r\n\r\n").await;
    drop(client);
    assert!(upstream.is_closed().await);
}

#[tokio::test]
async fn a_connection_with_an_unfinished_response_serves_no_other_request() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.send(GET).await;
    let mut first = scene.upstream().await;
    first.read_to("\r\n\r\n").await;
    first
        .send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        .await;
    client.read_to("half").await;
    drop(client);
    let mut client = scene.client().await;
    client.send(GET).await;
    let mut second = scene.upstream().await;
    second.read_to("\r\n\r\n").await;
    second.send(EMPTY).await;
    let answer = client.read_to("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn connect_is_refused() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client
        .send("CONNECT other.example:80 HTTP/1.1\r\nhost: other.example:80\r\n\r\n")
        .await;
    let answer = client.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}
