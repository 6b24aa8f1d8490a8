//! Who may come in, in the words of the summary.

use crate::config::checked::auth::{AuthRules, AuthServer};
use crate::config::values::{AnyDuration, Text};

/// What lets in, what is required besides, and who is asked; then where a credential stands.
pub(super) fn words(rules: &AuthRules) -> Vec<String> {
    let mut words = tokens(rules);
    if let Some(keys) = &rules.keys {
        words.push(format!("keys {}", keys.len()));
    }
    if let Some(lifetime) = rules.ticket_lifetime {
        words.push(format!("tickets {}", AnyDuration::print(&lifetime)));
    }
    words.extend(
        rules
            .require
            .iter()
            .map(|required| format!("requires {}", required.claim)),
    );
    words.extend(rules.forward.as_deref().map(asked));
    words.extend(rules.from.iter().map(|source| format!("from {source}")));
    words
}

#[cfg(feature = "auth")]
fn tokens(rules: &AuthRules) -> Vec<String> {
    let issuers = rules.issuers.iter();
    issuers
        .map(|issuer| format!("tokens of {}", issuer.name))
        .collect()
}

#[cfg(not(feature = "auth"))]
fn tokens(_rules: &AuthRules) -> Vec<String> {
    Vec::new()
}

/// Without its path, which may be a secret.
fn asked(server: &AuthServer) -> String {
    let authority = server.url.authority().map_or("", |name| name.as_str());
    let interval = server.recheck;
    let again = interval.map(|interval| format!(" every {}", AnyDuration::print(&interval)));
    format!("asks {authority}{}", again.unwrap_or_default())
}
