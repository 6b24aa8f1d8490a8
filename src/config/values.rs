//! The values of settings, each parsed once into a type that cannot be wrong.

pub(super) mod close_code;
pub(super) mod duration;
pub(super) mod error;
pub(super) mod header_name;
pub(super) mod host;
pub(super) mod listen;
pub(super) mod log_filter;
pub(super) mod name;
pub(super) mod network;
pub(super) mod number;
pub(super) mod origin;
pub(super) mod path;
pub(super) mod rate;
pub(super) mod schema;
pub(super) mod secret;
pub(super) mod server_url;
pub(super) mod size;
pub(super) mod template;
pub(super) mod text;
pub(super) mod verdict;
