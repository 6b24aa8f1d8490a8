//! Certificates that an authority issues by ACME (RFC 8555), as `[acme.NAME]` has them.
//!
//! ```text
//! Keeper: is it due? ─► lock ─► account ─► order ─► proofs (TLS-ALPN-01) ─► certificate ─► state_dir ─► new handshakes
//! ```
//!
//! The authority connects to the listener itself for its proofs: the [`TlsAcceptor`](crate::tls::TlsAcceptor) answers
//! it in the handshake. Whatever the authority does, the listeners show what there is: the last certificate, also one
//! that has expired, or else one that is signed by its own key.
//!
//! The program does this by itself. A host that serves the listeners of the settings opens the orders before it
//! serves, and lets each of them run:
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let config = wsgate::Config::from_file("wsgate.toml".as_ref())?;
//! let mut tasks = tokio::task::JoinSet::new();
//! for order in wsgate::acme::Order::open_all(&config)? {
//!     tasks.spawn(order.keep());
//! }
//! # Ok(()) }
//! ```

mod authority;
mod client;
mod error;
mod keeper;
mod made;
mod order;
mod plan;
mod retry;
mod state;
mod status;

pub use order::{Order, TryAgain};
pub use state::{StateError, certificate_file};
pub use status::Status;
