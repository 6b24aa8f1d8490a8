use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::{Admin, Listen, ListenAddress};
use crate::server::listener::descriptors::Budget;

/// A gate on a free port in front of `upstream`.
fn settings(upstream: SocketAddr) -> Config {
    let text = format!(
        r#"
        [[listen]]
        address = "127.0.0.1:0"
        [server]
        workers = 2
        [drain]
        spread = "0s"
        deadline = "5s"
        [upstream.backend]
        servers = ["http://{upstream}"]
        [[route]]
        name = "all"
        path = "/*"
        upstream = "backend"
        http = "forward"
        "#
    );
    Config::from_toml("test.toml", &text).unwrap()
}

fn nowhere() -> SocketAddr {
    "127.0.0.1:9".parse().unwrap()
}

async fn connect(server: &Server) -> TcpStream {
    let address = server.addresses()[0].tcp().unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// What the client reads until the gate closes.
async fn read_all(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_new_one_refused_at_shutdown() {
    let server = Server::start(settings(nowhere())).unwrap();
    let address = server.addresses()[0].tcp().unwrap();
    let mut idle = connect(&server).await;
    // The gate has accepted it for sure once it has accepted the one behind it.
    let mut other = connect(&server).await;
    other.write_all(b"BROKEN\r\n\r\n").await.unwrap();
    assert!(read_all(&mut other).await.starts_with("HTTP/1.1 400 "));
    server.shutdown().await;
    assert_eq!(read_all(&mut idle).await, "");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn nothing_is_served_if_one_listener_cannot_be_had() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.sock");
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = ListenAddress::Tcp(taken.local_addr().unwrap());
    let mut config = settings(nowhere());
    config.listen = [ListenAddress::Unix(path.clone()), taken]
        .map(Listen::from)
        .to_vec();
    let error = Server::start(config).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_unix_socket_serves_and_its_file_goes_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("gate.sock");
    let mut config = settings(nowhere());
    config.listen[0].address = ListenAddress::Unix(path.clone());
    let server = Server::start(config).unwrap();
    assert_eq!(server.addresses(), [BoundAddress::Unix(path.clone())]);
    let mut client = tokio::net::UnixStream::connect(&path).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    server.shutdown().await;
    assert!(UnixStream::connect(&path).is_err());
    assert!(!path.exists());
}

#[tokio::test]
async fn a_head_that_does_not_end_in_time_is_answered_and_silence_is_not() {
    let mut config = settings(nowhere());
    config.server.handshake_timeout = Duration::from_millis(50);
    let server = Server::start(config).unwrap();
    for (sent, expected) in [
        (
            "GET / HTTP/1.1\r\nhost:",
            "HTTP/1.1 408 Request Timeout\r\n",
        ),
        ("", ""),
    ] {
        let mut client = connect(&server).await;
        client.write_all(sent.as_bytes()).await.unwrap();
        let answer = read_all(&mut client).await;
        assert_eq!(answer.is_empty(), expected.is_empty(), "{answer}");
        assert!(answer.starts_with(expected), "{answer}");
    }
    let limiter = server.limiter.clone();
    server.shutdown().await;
    let counts = limiter.counts();
    assert_eq!(counts.late.load(Ordering::Relaxed), 1);
    assert_eq!(counts.silent.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_reload_reaches_the_limiter_and_the_limits_of_connections() {
    let mut config = settings(nowhere());
    let mut server = Server::start(config.clone()).unwrap();
    let before = server.limiter.budget();
    config.server.sessions = 1;
    config.server.handshake_timeout = Duration::from_millis(50);
    config.server.head_size = 1024;
    server.reload(config).await.unwrap();
    let (_, budget) = descriptors::shares(1, server.workers.count(), false);
    assert_eq!(server.limiter.budget(), budget);
    assert_ne!(budget, before, "fewer sessions leave more to the others");

    let long = format!("GET /{}", "x".repeat(1024));
    for (sent, status) in [("GET /", "408 "), ("", ""), (&*long, "414 ")] {
        let mut client = connect(&server).await;
        client.write_all(sent.as_bytes()).await.unwrap();
        let answer = read_all(&mut client).await;
        let found = answer.strip_prefix("HTTP/1.1 ").unwrap_or_default();
        assert!(found.starts_with(status), "{sent}: {answer}");
        assert_eq!(found.is_empty(), status.is_empty(), "{sent}: {answer}");
    }
    let limiter = server.limiter.clone();
    server.shutdown().await;
    let counts = limiter.counts();
    assert_eq!(counts.late.load(Ordering::Relaxed), 1);
    assert_eq!(counts.silent.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_refused_client_may_still_send_a_request_and_read_its_answer() {
    let server = Server::start(settings(nowhere())).unwrap();
    server.limiter.set_budget(Budget::new(Some(0), 0, 1, false));
    let mut busy = Vec::new();
    while let Some(permit) = server.limiter.admit() {
        let request = server.limiter.begin_request(permit.state());
        busy.push((permit, request));
    }
    let mut client = connect(&server).await;
    client.readable().await.unwrap();
    for _ in 0..8 {
        client.write_all(&[b'x'; 8 * 1024]).await.unwrap();
    }
    let answer = read_all(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    // Once by the loop above, once for the client.
    let turned_away = &server.limiter.counts().turned_away;
    assert_eq!(turned_away.load(Ordering::Relaxed), 2);
    drop((client, busy));
    server.shutdown().await;
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused() {
    let mut config = settings(nowhere());
    config.server.head_size = 1024;
    let server = Server::start(config).unwrap();
    let long = "x".repeat(2000);
    let many = "a: b\r\n".repeat(101);
    for head in [
        format!("GET / HTTP/1.1\r\nhost: a\r\nlong: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: a\r\nlong: {long}"),
        format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"),
    ] {
        let mut client = connect(&server).await;
        client.write_all(head.as_bytes()).await.unwrap();
        let answer = read_all(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test]
async fn a_request_under_way_is_finished_at_shutdown() {
    let backend = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start(settings(backend.local_addr().unwrap())).unwrap();
    let mut client = connect(&server).await;
    client
        .write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let (mut upstream, _) = backend.accept().await.unwrap();
    let mut head = [0; 1024];
    let length = upstream.read(&mut head).await.unwrap();
    assert!(head[..length].starts_with(b"GET /slow HTTP/1.1\r\n"));
    let closing = server.tasks.closing.clone();
    let answer = async {
        closing.cancelled().await;
        upstream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone")
            .await
            .unwrap();
        read_all(&mut client).await
    };
    let (_, answer) = tokio::join!(server.shutdown(), answer);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\ndone"), "{answer}");
}

#[tokio::test]
async fn connections_are_spread_over_the_workers() {
    let server = Server::start(settings(nowhere())).unwrap();
    let tasks = || server.workers.iter().map(|worker| worker.load());
    let tasks_alone: usize = tasks().sum();
    let mut clients = Vec::new();
    for count in 1..=8 {
        clients.push(connect(&server).await);
        // There is no other sign of an accept than the connection's task.
        while tasks().sum::<usize>() < tasks_alone + count {
            tokio::task::yield_now().await;
        }
    }
    let loads: Vec<_> = tasks().collect();
    assert_eq!(loads.iter().sum::<usize>(), tasks_alone + 8);
    assert!(loads[0].abs_diff(loads[1]) <= 1, "{loads:?}");
}

#[tokio::test]
async fn the_admin_interface_is_served_beside_the_gate() {
    let mut config = settings(nowhere());
    config.admin = Some(Admin {
        address: ListenAddress::Tcp("127.0.0.1:0".parse().unwrap()),
        token: None,
        tls: None,
    });
    let server = Server::start(config).unwrap();
    let address = server.admin_address().unwrap().tcp().unwrap();
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let answer = read_all(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}
