//! Who may come in: by address, then by origin, then by rate.
//!
//! Each check stands alone; the proxy's flow calls them in this order, the cheapest and the one
//! that a client can influence least first.

pub(crate) mod address;
pub(crate) mod origin;
pub(crate) mod rate;
