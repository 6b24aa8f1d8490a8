//! What the program's own interfaces have in common, which speak JSON over HTTP: `admin/` is for operators.
//!
//! `definition.rs` is what an interface has of its own. `service.rs` serves connections: `places.rs` chooses among
//! them, `secured.rs` makes their TLS handshakes, `guard.rs` watches their clients, `answer.rs` sees the end of an
//! answer, and `turns.rs` has the answers of a worker made one after the other. Requests are read with `query.rs`, `value.rs` and `body.rs`, and answered with `response.rs`. `router.rs`
//! adds to the endpoints of an interface the answers to all other requests; `openapi.rs` and `schema.rs` complete its
//! document.

pub(crate) mod answer;
pub(crate) mod bearer;
pub(crate) mod body;
pub(crate) mod channels;
pub(crate) mod definition;
pub(crate) mod guard;
mod library;
pub(crate) mod openapi;
pub(crate) mod path;
mod percent;
pub(crate) mod places;
pub(crate) mod probes;
pub(crate) mod query;
pub(crate) mod response;
pub(crate) mod router;
pub(crate) mod schema;
mod secured;
pub(crate) mod service;
pub(crate) mod tickets;
pub(crate) mod timestamp;
pub(crate) mod turns;
pub(crate) mod value;
