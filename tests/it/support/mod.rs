//! What the tests stand on: a gate in a real server, raw peers on both of its sides, and its log.

mod bench;
mod echo;
mod flood;
mod frames;
mod http;
mod listener;
mod logs;
mod socket;
mod wire;

use std::time::Duration;

pub(crate) use bench::{Bench, Host, Setup, setup};
pub(crate) use echo::Echo;
#[cfg(feature = "server")]
pub(crate) use flood::Ended;
pub(crate) use flood::{SIZE, arrived, flood, flood_on, is_held_back, numbered};
pub(crate) use frames::{Frame, bits};
pub(crate) use http::{Head, Request, answer, switching};
pub(crate) use listener::Listener;
pub(crate) use logs::{Event, Logs};
pub(crate) use socket::Socket;
pub(crate) use wire::Wire;

/// How long anything may take before a test gives up on it; nothing ever waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// In how long something has to come that nothing may hold up: what does so in the tests does it for
/// good, and a machine may be busy.
#[cfg(feature = "server")]
pub(crate) const AT_ONCE: Duration = Duration::from_secs(10);

/// Waits for something that is bound to come.
#[track_caller]
pub(crate) fn soon<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let at = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => panic!("{at}: waited in vain for {what}"),
        }
    }
}

/// Waits until something holds that announces itself in no other way.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let mut holds = holds;
    soon(what, async move {
        while !holds() {
            tokio::task::yield_now().await;
        }
    })
}
