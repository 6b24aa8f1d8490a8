//! A request as one value, which the stages enrich: its head is read once, in one pass over its
//! lines, and nothing after that looks at the head again.
//!
//! ```text
//! head ─► Lines (one pass) ─► client, Target, Offer ─► + route ─► Handshake ─► + grants
//! ```

mod answer;
mod client;
mod cookies;
#[cfg_attr(not(feature = "auth"), allow(dead_code))]
mod credential;
mod extensions;
mod fields;
mod forwarded_host;
mod grant;
mod handshake;
mod identity;
mod lines;
mod list;
mod offer;
mod protocol;
mod subprotocols;
mod target;

pub use grant::Grant;
#[allow(unused_imports, reason = "only authentication uses it")]
pub(crate) use grant::{Permit, Watch};
pub use handshake::Handshake;
pub use identity::Identity;

pub(crate) use answer::{describe_own_body, keep_end_to_end, plain_response_headers};
pub(crate) use client::{ClientIdentity, identify};
pub(crate) use cookies::join_cookies;
pub(crate) use extensions::{Deflate, chosen as chosen_extension, to_header as extension_header};
pub(crate) use fields::{
    belongs_to_handshake, is_alias_of, is_forwarding, is_hop_by_hop, is_word_of_proxy,
};
pub(crate) use forwarded_host::{forwarded_host, name as forwarded_host_header};
pub(crate) use handshake::{Explained, Facts, Kind, over_tls, scheme};
pub(crate) use lines::{Lines, SingleLine};
pub(crate) use list::{has_token, only, trim};
pub(crate) use offer::{Acceptance, Offer, is_websocket};
pub(crate) use subprotocols::Subprotocols;
pub(crate) use target::Target;
