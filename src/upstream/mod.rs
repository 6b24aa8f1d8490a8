//! The way to a server: the pool picks one, a connector connects to it, and the exchange asks it for
//! the WebSocket.
//!
//! ```text
//! Pool::connect: lease (balance) ─► connect ─► exchange: request out, 101 back
//! ```
//!
//! A connection of HTTP/1.1 is made for one session and is never put back: not after a refusal, and not after
//! a session, because what is still on its way on it would reach the next client. One of HTTP/2 is shared: each
//! session has a stream of its own on it.

mod balance;
mod connect;
mod connect_error;
mod dial;
mod exchange;
mod failures;
mod http2;
mod passive;
mod pool;
mod proxy_header;
mod read_limit;
mod response;
mod server_state;
mod socket;
mod target;

pub(crate) use connect::Connector;
pub use connect::{Connect, UpstreamStream};
pub use connect_error::{ConnectError, LocalResource};
pub(crate) use dial::{Connected, Purpose, ServerConnection, Tries};
#[cfg(any(test, fuzzing))]
pub(crate) use exchange::exchange_over;
pub(crate) use exchange::{ExchangeFailure, exchange};
pub(crate) use failures::{
    FailureCounts, ServerFailure, ServerFailures, ServerFault, UpstreamError,
};
pub use http2::{Http2Body, Http2Error, Http2Sender};
pub(crate) use pool::{Lease, Pool};
pub(crate) use proxy_header::{ProxiedConnection, ProxyHeader};
pub(crate) use response::UpstreamResponse;
pub use target::{ServerTarget, TargetAddress};
