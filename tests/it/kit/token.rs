//! Tokens of clients, signed by aws-lc-rs: another library than the one that checks them.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use serde_json::{Value, json};

/// The secret of [`ISSUER`].
const SECRET: &str = "a secret of thirty-two bytes ...";

/// Settings with an issuer `main`, whose tokens the route `chat` takes from `Authorization`, unless `from` says otherwise.
pub(crate) fn issuer() -> String {
    format!("[issuer.main]\nissuer = \"tests\"\naudience = [\"chat\"]\nsecret = \"{SECRET}\"\n")
}

/// The seconds since 1970.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock").as_secs()
}

/// A token of alice that is right for ten minutes, with these claims in the place of its own.
pub(crate) fn token(changes: &Value) -> String {
    let mut claims = json!({
        "iss": "tests", "aud": "chat", "sub": "alice", "jti": "token-1", "sid": "login-1",
        "iat": now(), "exp": now() + 600, "scope": "chat", "team": "blue",
    });
    for (name, value) in changes.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    sign(&json!({ "alg": "HS256" }), &claims)
}

/// A token that ends the logins of alice, with these claims in the place of its own.
pub(crate) fn logout_token(changes: &Value) -> String {
    let mut claims = json!({
        "iss": "tests", "aud": "chat", "sub": "alice", "iat": now(), "exp": now() + 60, "jti": "logout-1",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    for (name, value) in changes.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    sign(&json!({ "alg": "HS256", "typ": "logout+jwt" }), &claims)
}

fn sign(header: &Value, claims: &Value) -> String {
    let encode = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let (header, claims) = (header.to_string(), claims.to_string());
    let text = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(claims.as_bytes())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = hmac::sign(&key, text.as_bytes());
    format!("{text}.{}", encode(signature.as_ref()))
}

/// Public keys that another library has made.
pub(crate) fn public_keys() -> String {
    cases()["jwks"].to_string()
}

/// A token with a right signature of one of [`public_keys`], for another service.
pub(crate) fn foreign_token() -> String {
    let cases = cases();
    let token = cases["tokens"][0]["token"].as_str();
    token.expect("a token").to_owned()
}

fn cases() -> Value {
    serde_json::from_str(include_str!("../../tokens/cases.json")).expect("JSON")
}
