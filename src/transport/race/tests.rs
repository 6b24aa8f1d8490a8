use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Instant;

use super::*;

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// A port that refuses for as long as it is held: bound, but nobody listens.
pub(crate) fn refusing() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(loopback()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A port that answers no SYN for as long as it is held: its queue is full.
pub(crate) async fn swallowing() -> ((TcpListener, TcpStream), SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(loopback()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let queued = TcpStream::connect(address).await.unwrap();
    ((listener, queued), address)
}

/// The stream, or how many addresses have failed.
async fn raced(addresses: Vec<SocketAddr>) -> Result<TcpStream, u32> {
    let next = |failed, _| ControlFlow::Continue(failed + 1);
    race(addresses.into_iter(), 0, next).await
}

async fn assert_joined(mut connected: TcpStream, listener: &TcpListener) {
    let mut accepted = listener.accept().await.unwrap().0;
    accepted.write_all(b"hello").await.unwrap();
    let mut greeting = [0; 5];
    connected.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"hello");
}

#[tokio::test(start_paused = true)]
async fn the_next_address_does_not_wait_for_one_that_swallows_packets() {
    let listener = TcpListener::bind(loopback()).await.unwrap();
    let (_held, refuses) = refusing();
    let (_full, swallows) = swallowing().await;
    let (_full_too, swallows_too) = swallowing().await;
    let works = listener.local_addr().unwrap();
    let started = Instant::now();
    let connected = raced(vec![refuses, swallows, swallows_too, works]).await;
    assert_joined(connected.unwrap(), &listener).await;
    assert_eq!(started.elapsed(), 2 * ATTEMPT_DELAY);
}

#[tokio::test]
async fn an_address_that_refuses_delays_nothing() {
    let listener = TcpListener::bind(loopback()).await.unwrap();
    let (_held, refuses) = refusing();
    let addresses = vec![refuses, listener.local_addr().unwrap()];
    assert_joined(raced(addresses).await.unwrap(), &listener).await;
}

#[tokio::test]
async fn every_address_has_failed_at_the_end_unless_the_caller_breaks() {
    let (_held, refuses) = refusing();
    assert_eq!(raced(vec![refuses; 3]).await.unwrap_err(), 3);
    assert_eq!(raced(Vec::new()).await.unwrap_err(), 0);
    let addresses = vec![refuses; 3].into_iter();
    let stopped = race(addresses, 0, |failed, _| ControlFlow::Break(failed + 1)).await;
    assert_eq!(stopped.unwrap_err(), 1);
}

#[test]
fn the_families_take_turns_behind_the_first_address() {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let found = [
        "[::1]:1",
        "[::2]:1",
        "[::3]:1",
        "127.0.0.1:1",
        "127.0.0.2:1",
    ];
    let expected = [
        "[::1]:1",
        "127.0.0.1:1",
        "[::2]:1",
        "127.0.0.2:1",
        "[::3]:1",
    ];
    let found = found.map(address).into_iter();
    assert_eq!(by_turns(found), expected.map(address));
    assert_eq!(by_turns([].into_iter()), []);
}
