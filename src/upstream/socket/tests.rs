use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::Instant;

use super::*;
use crate::config::ServerAddress;
use crate::rejection::Rejection;
use crate::transport::race_tests::{refusing, swallowing};
use crate::upstream::failures::ServerFailure;

const LIMIT: Duration = Duration::from_secs(3);

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

pub(in crate::upstream) fn server(address: SocketAddr) -> ServerAddress {
    ServerAddress::Tcp {
        host: address.ip().to_string(),
        port: address.port(),
    }
}

fn target(address: &ServerAddress) -> TargetAddress<'_> {
    TargetAddress::from(address)
}

async fn assert_joined(mut connected: Transport, mut accepted: impl AsyncWriteExt + Unpin) {
    accepted.write_all(b"hello").await.unwrap();
    let mut greeting = [0; 5];
    connected.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"hello");
}

#[tokio::test]
async fn a_tcp_server_is_connected_without_delay() {
    let listener = TcpListener::bind(loopback()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let connected = connect(target(&server(address)), LIMIT).await.unwrap();
    let Transport::Tcp(stream) = &connected else {
        panic!("{connected:?}");
    };
    assert!(stream.nodelay().unwrap());
    assert_joined(connected, listener.accept().await.unwrap().0).await;
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let listener = TcpListener::bind(loopback()).await.unwrap();
    let address = ServerAddress::Tcp {
        host: "localhost".to_owned(),
        port: listener.local_addr().unwrap().port(),
    };
    let connected = connect(target(&address), LIMIT).await.unwrap();
    assert_joined(connected, listener.accept().await.unwrap().0).await;
}

#[tokio::test]
async fn a_unix_server_is_connected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server");
    let listener = UnixListener::bind(&path).unwrap();
    let connected = connect(TargetAddress::Unix(&path), LIMIT).await.unwrap();
    assert_joined(connected, listener.accept().await.unwrap().0).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_refuses() {
    let (_held, address) = refusing();
    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join("stale");
    drop(UnixListener::bind(&stale).unwrap());
    for address in [
        server(address),
        ServerAddress::Unix(stale),
        ServerAddress::Unix(folder.path().join("missing")),
    ] {
        let error = connect(target(&address), LIMIT).await.unwrap_err();
        assert!(matches!(error, ConnectError::Connect(_)), "{error:?}");
        assert_eq!(error.rejection(), Rejection::UpstreamRefused);
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_swallows_packets_times_out() {
    let (_held, address) = swallowing().await;
    let started = Instant::now();
    let error = connect(target(&server(address)), LIMIT).await.unwrap_err();
    assert_eq!(error.rejection(), Rejection::UpstreamTimeout);
    assert_eq!(started.elapsed().as_secs(), LIMIT.as_secs());
}

#[tokio::test]
async fn the_last_address_says_why() {
    let (_held, refuses) = refusing();
    let error = connect_one([refuses].into_iter()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Connect(_)), "{error:?}");
    let error = connect_one([].into_iter()).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoAddress), "{error:?}");
}

#[test]
fn what_the_kernel_gave_up_is_a_time_out() {
    let error = ConnectError::Connect(io::ErrorKind::TimedOut.into());
    assert_eq!(error.rejection(), Rejection::UpstreamTimeout);
}

#[test]
fn what_this_machine_lacks_is_not_told_as_the_servers_refusal() {
    for (code, everywhere, says) in [
        (libc::EMFILE, true, "no file descriptor left in the process"),
        (libc::ENFILE, true, "no file descriptor left in the system"),
        (libc::ENOMEM, true, "no memory left"),
        (libc::ENOBUFS, true, "no memory left"),
        (libc::EADDRNOTAVAIL, false, "no local port or address left"),
    ] {
        for of in [ConnectError::from, ConnectError::resolve] {
            let error = of(io::Error::from_raw_os_error(code));
            assert_eq!(error.rejection(), Rejection::Full, "{error:?}");
            assert_eq!(error.rejection().status(), 503);
            assert_eq!(error.is_everywhere(), everywhere, "{error:?}");
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!(error.failure(), ServerFailure::NotAttempted);
            assert!(std::error::Error::source(&error).is_some());
        }
    }
    for code in [libc::ECONNREFUSED, libc::EACCES, libc::EHOSTUNREACH] {
        let error = ConnectError::from(io::Error::from_raw_os_error(code));
        assert_eq!(error.rejection(), Rejection::UpstreamRefused, "{error:?}");
        assert!(!error.is_everywhere());
        assert_eq!(error.failure(), ServerFailure::Connect);
    }
}

#[test]
fn an_address_without_a_way_there_does_not_hide_what_another_did() {
    let of = |code| ConnectError::from(io::Error::from_raw_os_error(code));
    let (refused, nowhere) = (libc::ECONNREFUSED, libc::EADDRNOTAVAIL);
    for (before, later, told) in [
        (of(refused), of(nowhere), Rejection::UpstreamRefused),
        (of(nowhere), of(refused), Rejection::UpstreamRefused),
        (
            ConnectError::Timeout,
            of(nowhere),
            Rejection::UpstreamTimeout,
        ),
        (ConnectError::NoAddress, of(nowhere), Rejection::Full),
        (of(nowhere), of(nowhere), Rejection::Full),
    ] {
        let shown = format!("{before:?}, {later:?}");
        assert_eq!(more_telling(before, later).rejection(), told, "{shown}");
    }
}
