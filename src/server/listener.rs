//! From an address in the settings to a worker that serves the connection.
//!
//! ```text
//! bind, or passed by another process ─► open ─► accept ─► dispatch ─► a connection on a worker
//! ```
//!
//! How many connections there may be at once follows from the descriptors that the process may open.

pub(crate) mod accept;
pub(crate) mod address;
pub(crate) mod bind;
pub(crate) mod descriptors;
pub(crate) mod dispatch;
pub(crate) mod open;
pub(crate) mod own_servers;
pub(crate) mod passed;
pub(crate) mod proxy_header;
