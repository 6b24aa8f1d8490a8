//! What these tests stand on: the program as a child, and raw peers on both of its sides.

mod child;
mod echo;
mod http;
mod socket;
mod upstream;
mod wire;

use std::fmt::Display;
use std::time::Duration;

pub(super) use child::{Finished, Program, finish, finish_with, settings, spawn};
pub(super) use echo::Echo;
pub(super) use http::{Head, Response, websocket};
pub(super) use socket::Socket;
pub(super) use upstream::Upstream;
pub(super) use wire::Wire;

/// How long anything may take before a test gives up on it; nothing ever waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that is bound to come.
#[track_caller]
pub(super) fn soon<W: Display, F: Future>(
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
