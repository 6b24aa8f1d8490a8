//! Who may come in: the policies of a route, in one list, which WebSockets and forwarded plain
//! requests both pass.
//!
//! The order is fixed: address, origin, rate, authentication, and then the embedder's own ([`Policy`]). The
//! cheapest come first, and those that a client can influence least. The rate of the subject is the last, because any
//! of the others may find out who the client is.

pub(crate) mod address;
mod custom;
mod list;
pub(crate) mod origin;
pub(crate) mod rate;
mod rates;
mod refusal;

pub use custom::Policy;

pub(crate) use custom::BoxedPolicy;
pub(crate) use list::PolicyList;
pub(crate) use rates::{Places, RateTables};
pub(crate) use refusal::PolicyRefusal;
