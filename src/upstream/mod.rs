//! The way to a server: the pool picks one, a connector connects to it, and the exchange asks it for
//! the WebSocket.
//!
//! ```text
//! Pool::connect: lease (balance) ─► connect ─► exchange: request out, 101 back
//! ```
//!
//! A connection is made for one session and is never put back: not after a refusal, and not after
//! a session, because what is still on its way on it would reach the next client.

mod balance;
mod connect;
mod connect_error;
mod exchange;
mod failures;
mod passive;
mod pool;
mod proxy_header;
mod read_limit;
mod server_state;
mod socket;
mod target;

pub(crate) use connect::Connector;
pub use connect::{Connect, UpstreamStream};
pub use connect_error::{ConnectError, LocalResource};
#[cfg(any(test, fuzzing))]
pub(crate) use exchange::exchange_over;
pub(crate) use exchange::{UpstreamResponse, exchange};
pub(crate) use failures::{
    FailureCounts, ServerFailure, ServerFailures, ServerFault, UpstreamError,
};
pub(crate) use pool::{Connected, Lease, Pool};
pub(crate) use proxy_header::{ProxiedConnection, ProxyHeader};
pub use target::{ServerTarget, TargetAddress};
