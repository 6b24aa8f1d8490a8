//! What the tests stand on: a gate in a real server or in the program, raw and real peers on both of
//! its sides, its log, and the harm that networks and peers do.

mod bench;
pub(crate) mod docs;
mod echo;
mod flood;
mod frames;
mod http;
#[cfg(feature = "http2")]
mod http2_upstream;
mod identities;
mod logs;
mod socket;
mod upstream;
mod wire;

#[cfg(feature = "server")]
mod account;
#[cfg(feature = "server")]
mod answering;
#[cfg(feature = "server")]
mod child;
#[cfg(feature = "otel")]
pub(crate) mod collector;
#[cfg(feature = "server")]
#[allow(dead_code, reason = "the tests of the inside use the rest")]
mod engine_server;
#[cfg(feature = "server")]
mod fault;
#[cfg(feature = "server")]
mod hop;
#[cfg(feature = "http2")]
mod http2;
#[cfg(feature = "server")]
mod metrics;
#[cfg(feature = "server")]
mod network;
#[cfg(feature = "server")]
pub(crate) mod openapi;
#[cfg(feature = "server")]
mod publisher;
#[cfg(feature = "server")]
mod served;
#[cfg(feature = "server")]
mod stage;
#[cfg(feature = "server")]
mod stall;
#[cfg(feature = "server")]
mod terminal;
#[cfg(feature = "server")]
mod tls;
#[cfg(feature = "server")]
mod tls_client;
#[cfg(feature = "server")]
pub(crate) mod token;
#[cfg(feature = "server")]
mod vitals;
pub(crate) mod yaml;

use std::fmt::Display;
use std::time::Duration;

pub(crate) use bench::{Bench, Host, Setup, setup};
pub(crate) use echo::Echo;
#[cfg(feature = "server")]
pub(crate) use engine_server::EngineServer;
pub(crate) use flood::{Ended, SIZE, arrived, flood, flood_on, is_held_back, numbered};
pub(crate) use frames::{Frame, bits};
pub(crate) use http::{Head, Request, Response, answer, switching, websocket};
#[cfg(feature = "http2")]
pub(crate) use http2_upstream::Http2Upstream;
pub(crate) use identities::{by_headers, known_as};
pub(crate) use logs::Logs;
pub(crate) use socket::Socket;
pub(crate) use upstream::Upstream;
pub(crate) use wire::Wire;

#[cfg(feature = "http2")]
pub(crate) use http2::{Http2, extended_connect, plain};

#[cfg(feature = "server")]
pub(crate) use self::{
    answering::{ACCEPT, Answer},
    child::{
        Finished, Program, finish, finish_reading, finish_with, settings, spawn, spawn_passed,
        spawn_passed_to,
    },
    fault::{Fault, Side},
    hop::{Hop, Mood},
    network::in_a_network_of_its_own,
    publisher::{ALL, BILLING, PUBLISH, Publisher},
    stage::{CANARY, HTTP_2, Stage},
    terminal::{Screen, Terminal, ended},
    tls::{Authority, Issued, Terminator, Validity},
    tls_client::{BOTH, TlsPeer},
    vitals::Vitals,
};

/// How long anything may take before a test gives up on it; nothing ever waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(30);

/// In how long something has to come that nothing may hold up: what does so in the tests does it for
/// good, and a machine may be busy.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(10);

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

/// Waits until something holds of a gate of this thread. It is looked at whenever the gate has logged
/// something: what comes about has its line, and is there before that.
#[track_caller]
pub(crate) fn until<F: FnMut() -> bool>(
    what: &str,
    mut holds: F,
) -> impl Future<Output = ()> + use<F> {
    let mut written = logs::written();
    soon(what.to_owned(), async move {
        while !holds() {
            written.changed().await.expect("a log");
        }
    })
}

/// Waits until something holds of which there is no notification, such as the descriptors of another
/// process.
#[track_caller]
pub(crate) fn looked_for<F: FnMut() -> bool>(
    what: &str,
    mut holds: F,
) -> impl Future<Output = ()> + use<F> {
    soon(what.to_owned(), async move {
        let mut look = tokio::time::interval(Duration::from_millis(2));
        while !holds() {
            look.tick().await;
        }
    })
}
