use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use super::*;
use crate::config::{
    Balance, SentProxyProtocol, ServerAddress, Upstream, UpstreamHttp, UpstreamServer,
};
use crate::rejection::Rejection;
use crate::upstream::{Pool, ProxiedConnection, ServerConnection};

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Connects to every server but the one named `gone` through a pipe, and keeps the other ends.
#[derive(Clone, Default)]
struct Pipes(Arc<Mutex<Vec<(String, DuplexStream)>>>);

impl Connect for Pipes {
    async fn connect(&self, server: ServerTarget<'_>) -> Result<UpstreamStream, ConnectError> {
        if server.server == "gone" {
            return Err(io::Error::from(io::ErrorKind::ConnectionRefused).into());
        }
        let (ours, theirs) = duplex(64);
        let name = format!(
            "{}/{}: {:?}",
            server.upstream, server.server, server.address
        );
        self.0.lock().unwrap().push((name, theirs));
        Ok(UpstreamStream::new(ours))
    }
}

/// Never connects.
struct Silent;

impl Connect for Silent {
    async fn connect(&self, _: ServerTarget<'_>) -> Result<UpstreamStream, ConnectError> {
        std::future::pending().await
    }
}

fn settings(servers: &[&str]) -> Upstream {
    let server = |name: &&str| UpstreamServer {
        name: (*name).into(),
        address: ServerAddress::Tcp {
            host: "chat.example".to_owned(),
            port: 9001,
        },
        is_tls: false,
        base_path: String::new(),
        weight: 1,
    };
    Upstream {
        name: "chat".into(),
        servers: servers.iter().map(server).collect(),
        balance: Balance::RoundRobin,
        http: UpstreamHttp::H1,
        connect_timeout: Duration::from_secs(3),
        handshake_timeout: Duration::from_secs(5),
        retries: crate::config::Retries::AtMost(1),
        head_size: 16 * 1024,
        retry_timeout: Duration::from_secs(10),
        passive: crate::config::Passive::default(),
        tls: None,
        max_connections: None,
        proxy_protocol: SentProxyProtocol::Off,
    }
}

fn pool(servers: &[&str], connector: impl Connect) -> Pool {
    let settings = Arc::new(settings(servers));
    Pool::new(settings, Arc::default(), Connector::custom(connector))
}

#[tokio::test]
async fn a_pool_connects_through_the_embedders_connector_before_and_after_a_reload() {
    let pipes = Pipes::default();
    let pool = pool(&["gone", "a"], pipes.clone());
    let mut connected = pool
        .connect(CLIENT, ProxiedConnection::default())
        .await
        .unwrap();
    assert_eq!(&**connected.lease.server(), "a");
    let (name, mut server) = pipes.0.lock().unwrap().remove(0);
    let address = r#"Tcp { host: "chat.example", port: 9001 }"#;
    assert_eq!(name, format!("chat/a: {address}"));
    let ServerConnection::Http1(transport) = &mut connected.connection else {
        panic!("{connected:?}");
    };
    transport.write_all(b"hello").await.unwrap();
    drop(connected);
    let mut heard = String::new();
    server.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "hello");

    let renewed = pool.renewed(&Arc::new(settings(&["b"])));
    renewed
        .connect(CLIENT, ProxiedConnection::default())
        .await
        .unwrap();
    assert_eq!(pipes.0.lock().unwrap()[0].0, format!("chat/b: {address}"));
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_never_ends_is_given_up_in_time() {
    let started = Instant::now();
    let error = pool(&["a"], Silent)
        .connect(CLIENT, ProxiedConnection::default())
        .await
        .unwrap_err();
    assert_eq!(error.rejection, Rejection::UpstreamTimeout);
    assert_eq!(started.elapsed(), Duration::from_secs(3));
}
