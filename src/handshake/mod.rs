//! The opening handshake on the leg to the upstream, and its answer on the client's (RFC 6455 §4):
//! the upstream gets a request of its own, and its response is checked before the client hears of
//! it.
//!
//! Nothing is ever copied from one leg to the other as bytes: both heads are written anew from
//! what was read.

mod channels_header;
#[cfg(test)]
mod fixtures;
mod forward;
mod forwarded;
mod max_forwards;
mod response;
mod via;

pub(crate) use forward::{path_and_query, plain_request_headers, upstream_request};
pub(crate) use response::{Agreed, accepted, refused, verify};
pub(crate) use via::Pseudonym;
