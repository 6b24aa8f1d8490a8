//! What these tests stand on: the program as a child, and raw peers on both of its sides.

mod child;
#[cfg(feature = "otel")]
pub(crate) mod collector;
mod echo;
mod http;
mod socket;
mod terminal;
mod upstream;
mod wire;

use std::fmt::Display;
use std::time::Duration;

pub(crate) use child::{Finished, Program, finish, finish_with, settings, spawn, spawn_passed};
pub(crate) use echo::Echo;
pub(crate) use http::{Head, Response, websocket};
pub(crate) use socket::Socket;
pub(crate) use terminal::{Screen, Terminal, ended};
pub(crate) use upstream::Upstream;
pub(crate) use wire::Wire;

/// How long anything may take before a test gives up on it; nothing ever waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that is bound to come.
#[track_caller]
pub(crate) fn soon<W: Display, F: Future>(
    what: W,
    future: F,
) -> impl Future<Output = F::Output> + use<W, F> {
    let at = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => panic!("{at}: waited in vain for {what}"),
        }
    }
}
