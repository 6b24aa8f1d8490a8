//! The process from its start to its end, and the workers that everything runs on.
//!
//! ```text
//! run ─► server: start ─► serve, and meanwhile reload on signals, file and request ─► shut down
//! ```
//!
//! The service manager is notified of each step, and the next process may take over from this one.

mod certificates;
pub(crate) mod handover;
mod interfaces;
pub(crate) mod notify;
mod orders;
pub(crate) mod process;
pub(crate) mod reload;
pub(crate) mod run;
pub(crate) mod server;
pub(crate) mod signals;
pub(crate) mod workers;
