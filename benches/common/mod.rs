//! What the benchmarks have in common that start wsgate: the backend behind it, a client, and the
//! process itself.
//!
//! What only one of them needs stands with that one.

pub(crate) mod backend;
pub(crate) mod client;
pub(crate) mod http2;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod publisher;
pub(crate) mod settings;
pub(crate) mod stream;
pub(crate) mod wire;
