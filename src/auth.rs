//! Who a client is, as servers of others say: the keys of issuers, and authentication servers.

mod key_source;

pub(crate) use key_source::{KeySource, KeySourceInfo, KeysUnavailable};
