//! wsgate: a WebSocket-aware reverse proxy.
//!
//! ```text
//! listen ─► HTTP ─► handshake ─► policy ─► route ─► upstream dial ─► 101 ─► session ─► close
//! ```

pub mod close;
pub mod config;
mod frame;
mod handshake;
mod limit;
mod policy;
mod proxy;
mod rejection;
mod route;
#[cfg(feature = "server")]
pub mod server;
mod session;
mod transport;
mod types;
mod upstream;

pub use close::{CloseCode, CloseReason};
pub use config::Config;
pub use rejection::Rejection;
pub use types::{ClientAddr, SessionId, Side};
