//! What the claims of a token have to be, and what is kept of them.

use std::sync::Arc;

use serde_json::Value;

use crate::config::{RequiredValue, Requirement};
use crate::jwt::Claims;
use crate::request::{Handshake, Identity};

/// Whether a claim is one of the values that the route requires.
pub(super) fn meets(required: &Requirement, claims: &Claims, handshake: &Handshake) -> bool {
    let Some(claim) = claims.find(&required.claim) else {
        return false;
    };
    let mut values = required.values.iter();
    values.any(|value| match value {
        RequiredValue::Text(template) => handshake
            .with_values(|values| template.render_decoded(values))
            .is_some_and(|text| !text.is_empty() && holds_text(&required.claim, claim, &text)),
        RequiredValue::Number(number) => holds(claim, |claim| claim.as_i64() == Some(*number)),
        RequiredValue::Bool(value) => holds(claim, |claim| claim.as_bool() == Some(*value)),
    })
}

/// Whether a claim is this text or lists it. Of scopes it may be one of the words (RFC 8693 §4.2, RFC 9068 §2.2.3); in any
/// other claim a space may be a part of a name that somebody has chosen.
fn holds_text(name: &str, claim: &Value, text: &str) -> bool {
    let is_scope = matches!(name.rsplit('.').next(), Some("scope" | "scp"));
    holds(claim, |claim| {
        let claim = claim.as_str();
        claim.is_some_and(|claim| claim == text || is_scope && has_word(claim, text))
    })
}

fn has_word(claim: &str, text: &str) -> bool {
    claim.split(' ').any(|word| word == text)
}

fn holds(claim: &Value, is: impl Fn(&Value) -> bool) -> bool {
    match claim {
        Value::Array(entries) => entries.iter().any(is),
        claim => is(claim),
    }
}

/// Who a token is about: the subject, what tells the token apart, and the claims that the route keeps.
pub(super) fn identity(claims: &Claims, issuer: &Arc<str>, kept: &[String]) -> Identity {
    let identity = Identity::new(claims.subject().unwrap_or_default())
        .with_issuer(Arc::clone(issuer))
        .with_token(claims.token_id(), claims.login());
    let identity = match claims.issued_at() {
        Some(moment) => identity.with_issued_at(moment),
        None => identity,
    };
    kept.iter()
        .fold(identity, |identity, name| match claims.word(name) {
            Some(value) => identity.with_claim(name, value),
            None => identity,
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_equal_or_lists_the_value() {
        for (name, claim, text, expected) in [
            ("scope", json!("chat"), "chat", true),
            ("scope", json!("chat read"), "read", true),
            ("scope", json!("chat read"), "chat read", true),
            ("api.scp", json!(["chat read"]), "read", true),
            ("scope", json!("chatter"), "chat", false),
            ("roles", json!(["chat", "read"]), "read", true),
            ("roles", json!(["chatter"]), "chat", false),
            ("sub", json!("alice bob"), "alice", false),
            ("sub", json!("alice bob"), "alice bob", true),
            ("sub", json!(1), "1", false),
            ("sub", json!(null), "", false),
            ("sub", json!({"chat": 1}), "chat", false),
        ] {
            assert_eq!(
                holds_text(name, &claim, text),
                expected,
                "{name} {claim} {text}"
            );
        }
        assert!(holds(&json!([1, 2]), |claim| claim.as_i64() == Some(2)));
        assert!(!holds(&json!("2"), |claim| claim.as_i64() == Some(2)));
    }
}
