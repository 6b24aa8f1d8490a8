//! Tokens that another library has made: `tests/tokens/make.py` says how.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::token::looks_like_token;
use super::*;
use crate::rejection::{Rejection, TokenFault};

#[derive(Deserialize)]
struct Cases {
    now: u64,
    jwks: Value,
    tokens: Vec<Case>,
    logouts: Vec<Case>,
    secret: SecretCase,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    token: String,
    fault: Option<String>,
}

#[derive(Deserialize)]
struct SecretCase {
    secret: String,
    token: String,
    other: String,
}

fn cases() -> Cases {
    serde_json::from_str(include_str!("../../tests/tokens/cases.json")).unwrap()
}

impl Cases {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.now)
    }

    fn keys(&self) -> KeySet {
        KeySet::parse(self.jwks.to_string().as_bytes()).unwrap()
    }
}

fn rules(algorithms: &[&str]) -> TokenRules {
    TokenRules {
        issuer: "https://id.example.com/".to_owned(),
        audience: vec!["chat".to_owned()],
        algorithms: algorithms
            .iter()
            .map(|name| name.parse().unwrap())
            .collect(),
        leeway: Duration::from_secs(30),
    }
}

const PINNED: &[&str] = &["RS256", "PS256", "ES256", "ES384", "EdDSA"];

/// What a token comes to: the word for its fault.
fn outcome(read: Result<Claims, TokenFault>) -> Option<String> {
    let fault = read.err()?;
    Some(Rejection::Token(fault).reason().to_owned())
}

#[test]
fn each_token_is_what_its_maker_says() {
    let cases = cases();
    let (rules, keys) = (rules(PINNED), cases.keys());
    for Case { name, token, fault } in &cases.tokens {
        let claims = UnverifiedToken::read(token);
        let claims = claims.and_then(|token| rules.verify(&token, &keys, cases.now()));
        assert_eq!(&outcome(claims), fault, "{name}");
    }
    assert!(cases.tokens.len() >= 70);
}

#[test]
fn each_token_of_a_logout_is_what_its_maker_says() {
    let cases = cases();
    let (rules, keys) = (rules(PINNED), cases.keys());
    for Case { name, token, fault } in &cases.logouts {
        let claims = UnverifiedToken::read_logout(token);
        let claims = claims.and_then(|token| rules.verify_logout(&token, &keys, cases.now()));
        assert_eq!(&outcome(claims), fault, "{name}");
    }
}

#[test]
fn the_claims_of_a_token_are_found_by_name_and_by_path() {
    let cases = cases();
    let token = UnverifiedToken::read(&cases.tokens[0].token).unwrap();
    let claims = rules(PINNED).verify(&token, &cases.keys(), cases.now());
    let claims = claims.unwrap();
    assert_eq!(token.issuer(), Some("https://id.example.com/"));
    assert_eq!(claims.subject(), Some("alice"));
    assert_eq!(claims.token_id(), Some("token-1"));
    assert_eq!(claims.login(), Some("login-1"));
    assert_eq!(
        claims.issued_at(),
        Some(cases.now() - Duration::from_secs(10))
    );
    assert_eq!(
        claims.expires_at(),
        Some(cases.now() + Duration::from_secs(600))
    );
    assert_eq!(
        claims.word("realm_access.roles").as_deref(),
        Some("chat,admin")
    );
    assert_eq!(claims.word("exp"), Some((cases.now + 600).to_string()));
    assert_eq!(claims.word("realm_access"), None);
    assert_eq!(claims.word("sub.name"), None);
}

#[test]
fn the_right_to_a_session_ends_with_the_leeway_where_the_token_has_expired() {
    let cases = cases();
    let late = cases.tokens.iter();
    let late = late.filter(|case| case.name == "expired within the leeway");
    let token = &late.map(|case| &case.token).next().unwrap();
    let token = UnverifiedToken::read(token).unwrap();
    let claims = rules(PINNED).verify(&token, &cases.keys(), cases.now());
    let expires_at = claims.unwrap().expires_at();
    assert_eq!(expires_at, Some(cases.now() + Duration::from_secs(10)));
}

#[test]
fn a_secret_verifies_its_own_tokens_alone() {
    let cases = cases();
    let keys = KeySet::of_secret(cases.secret.secret.as_bytes()).unwrap();
    let verify = |algorithms: &[&str], token: &str| {
        let token = UnverifiedToken::read(token).unwrap();
        outcome(rules(algorithms).verify(&token, &keys, cases.now()))
    };
    assert_eq!(verify(&["HS256"], &cases.secret.token), None);
    let fault = verify(&["HS256"], &cases.secret.other);
    assert_eq!(fault.as_deref(), Some("token_signature"));
    let fault = verify(&["HS512"], &cases.secret.token);
    assert_eq!(fault.as_deref(), Some("token_algorithm"));
    // A public key is none of these.
    let fault = verify(PINNED, &cases.tokens[0].token);
    assert_eq!(fault.as_deref(), Some("token_key"));
}

#[test]
fn a_set_of_keys_has_bounds_and_a_use() {
    let error = |json: &str| KeySet::parse(json.as_bytes()).unwrap_err().to_string();
    assert!(error("[]").contains("no set of keys"));
    assert!(error("{}").contains("no set of keys"));
    assert!(error(r#"{"keys": []}"#).contains("none of the 0 keys"));
    let symmetric = r#"{"keys": [{"kty": "oct", "k": "AAAA"}]}"#;
    assert!(error(symmetric).contains("none of the 1 keys"));
    let many = format!(r#"{{"keys": [{}]}}"#, ["{}"; 101].join(","));
    assert!(error(&many).contains("101 keys"));
    assert!(KeySet::of_secret(b"").is_err());
    // The symmetric one, the one for encryption and the one that is too small are left out.
    assert_eq!(cases().keys().len(), 7);
}

#[test]
fn no_key_and_no_claim_is_shown() {
    let cases = cases();
    let keys = KeySet::of_secret(b"canary").unwrap();
    assert!(!format!("{keys:?}").contains("canary"));
    let token = UnverifiedToken::read(&cases.tokens[0].token).unwrap();
    let claims = rules(PINNED).verify(&token, &cases.keys(), cases.now());
    assert!(!format!("{:?}", claims.unwrap()).contains("alice"));
    assert!(looks_like_token(&cases.tokens[0].token));
    assert!(!looks_like_token("ticket"));
}

#[test]
fn a_list_that_would_look_like_another_one_is_no_word() {
    let claims = |roles: Value| Claims {
        values: [("roles".to_owned(), roles)].into_iter().collect(),
        expires_at: None,
    };
    let word = |roles| claims(roles).word("roles");
    assert_eq!(word(serde_json::json!(["a", 1])).as_deref(), Some("a,1"));
    assert_eq!(word(serde_json::json!(["a,admin"])), None);
    assert_eq!(word(serde_json::json!([])).as_deref(), Some(""));
    assert_eq!(word(serde_json::json!(["a", null])), None);
}
