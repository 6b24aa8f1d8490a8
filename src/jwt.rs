//! JSON Web Tokens (RFC 7519), and the keys that they are verified with (RFC 7517): without sockets and without
//! a clock of its own.
//!
//! ```text
//! text ─► UnverifiedToken (bounds, header) ─► TokenRules + KeySet ─► Claims
//! ```

mod claims;
mod key_set;
mod object;
mod rules;
#[cfg(test)]
mod tests;
mod token;

pub(crate) use claims::Claims;
pub(crate) use key_set::{KeySet, KeySetError};
pub(crate) use rules::TokenRules;
pub(crate) use token::{UnverifiedToken, looks_like_token};
