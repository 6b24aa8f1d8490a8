//! Connects to one of the addresses of a host.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an address has before the next one is tried beside it (RFC 8305 §8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to the addresses, each a little later than the one before, or at once when that has
/// failed (RFC 8305 §5). The first connection wins, and the others are dropped.
///
/// `failure` is the error if there is no address; `next` makes the error to report of the one before and that of one
/// more address, and breaks where no other address is to be tried.
///
/// # Errors
/// What `next` has made.
pub(crate) async fn race<E>(
    addresses: impl Iterator<Item = SocketAddr>,
    mut failure: E,
    next: impl Fn(E, io::Error) -> ControlFlow<E, E>,
) -> Result<TcpStream, E> {
    let mut attempts = FuturesUnordered::new();
    let mut addresses = by_turns(addresses).into_iter();
    loop {
        match addresses.next() {
            Some(address) => attempts.push(connect(address)),
            None if attempts.is_empty() => return Err(failure),
            None => {}
        }
        let result = match addresses.len() {
            0 => attempts.next().await,
            // Without a result in time, the next attempt begins beside this one.
            _ => timeout(ATTEMPT_DELAY, attempts.next())
                .await
                .unwrap_or(None),
        };
        match result {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => match next(failure, error) {
                ControlFlow::Continue(made) => failure = made,
                ControlFlow::Break(made) => return Err(made),
            },
            None => {}
        }
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // A frame must go out at once, not when the one before it is acknowledged.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The addresses with their families by turns, so that a family that leads nowhere holds the other
/// up only once. The resolver's first address stays the first (RFC 8305 §4).
fn by_turns(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut found = found.peekable();
    let first_is_v6 = found.peek().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        found.partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut addresses = Vec::with_capacity(first.len() + second.len());
    loop {
        let before = addresses.len();
        addresses.extend(first.next());
        addresses.extend(second.next());
        if addresses.len() == before {
            return addresses;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
