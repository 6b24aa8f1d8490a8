//! The credential of a request: which one is found, what is left without it, and which token is believed.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use data_encoding::BASE64URL_NOPAD;
use http::{HeaderValue, Request, header};
use serde::Deserialize;
use serde_json::Value;

use super::Ways;
use crate::config::{Config, Route, UpstreamHttp};
use crate::handshake::{path_and_query, upstream_request};
use crate::jwt::{KeySet, TokenRules, UnverifiedToken};
use crate::rejection::{Rejection, TokenFault};
use crate::request::{ClientIdentity, Handshake};
use crate::types::ClientAddr;

/// What a client shows: a line for the query, and one each for `Cookie`, `Authorization` and the subprotocols. An empty
/// line is none.
///
/// Ways: 0 the text is a token as a whole, 1 it is a set of keys.
pub fn credential(data: &[u8]) {
    let Some((ways, said)) = Ways::split(data) else {
        return;
    };
    if ways.has(1) {
        let _ = KeySet::parse(said);
        return;
    }
    let Ok(text) = std::str::from_utf8(said) else {
        return;
    };
    match ways.has(0) {
        true => check_token(text),
        false => check_request(text),
    }
}

/// Tokens of another library, and its keys.
#[derive(Deserialize)]
struct Known {
    now: u64,
    jwks: Value,
    tokens: Vec<Case>,
    logouts: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    token: String,
    fault: Option<String>,
}

static KNOWN: LazyLock<(Known, KeySet)> = LazyLock::new(|| {
    let known: Known = serde_json::from_str(include_str!("../tokens/cases.json")).unwrap();
    let keys = KeySet::parse(known.jwks.to_string().as_bytes()).unwrap();
    (known, keys)
});

/// Nobody can sign: only what the other library has signed is believed.
fn check_token(text: &str) {
    let (known, keys) = &*KNOWN;
    let rules = TokenRules {
        issuer: "https://id.example.com/".to_owned(),
        audience: vec!["chat".to_owned()],
        algorithms: ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
            .map(|name| name.parse().unwrap())
            .into(),
        leeway: Duration::from_secs(30),
    };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(known.now);
    let claims = UnverifiedToken::read(text).and_then(|token| rules.verify(&token, keys, now));
    assert_eq!(claims.is_ok(), is_right(&known.tokens, text), "{text}");
    let logout = UnverifiedToken::read_logout(text);
    let logout = logout.and_then(|token| rules.verify_logout(&token, keys, now));
    assert_eq!(logout.is_ok(), is_right(&known.logouts, text), "{text}");
    if let Ok(claims) = claims {
        assert!(claims.expires_at() > Some(now));
    }
}

fn is_right(cases: &[Case], text: &str) -> bool {
    let mut right = cases.iter().filter(|case| case.fault.is_none());
    right.any(|case| case.token == text)
}

fn check_request(text: &str) {
    let lines: Vec<_> = text.split('\n').collect();
    let [query, cookie, authorization, subprotocols] =
        [0, 1, 2, 3].map(|line| lines.get(line).copied().unwrap_or_default());
    let target = match query {
        "" => "/ws".to_owned(),
        query => format!("/ws?{query}"),
    };
    let mut request = Request::get(target)
        .header(header::HOST, "gate.test")
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==");
    for (name, line) in [
        (header::COOKIE, cookie),
        (header::AUTHORIZATION, authorization),
        (header::SEC_WEBSOCKET_PROTOCOL, subprotocols),
    ] {
        if !line.is_empty() {
            request = request.header(name, line.as_bytes());
        }
    }
    let Ok(request) = request.body(()) else {
        return;
    };
    let client = ClientIdentity {
        ip: [192, 0, 2, 1].into(),
        peer: ClientAddr::Unix,
        trusted: None,
    };
    let parts = request.into_parts().0;
    // A URI ends where a fragment begins; the server refuses a request line that has one.
    let query = parts.uri.query().unwrap_or_default();
    let Ok(handshake) = Handshake::websocket(&parts, client, &ROUTE) else {
        return;
    };
    let shown = plain(query, cookie, authorization, handshake.subprotocols());
    match handshake.credential() {
        Ok(None) => assert_eq!(shown, Ok(BTreeSet::new())),
        Ok(Some(one)) => assert_eq!(shown, Ok(BTreeSet::from([one.into_owned()]))),
        Err(Rejection::CredentialAmbiguous) => {
            assert!(shown.map_or(true, |shown| shown.len() > 1));
        }
        Err(rejection) => {
            assert_eq!(rejection, Rejection::Token(TokenFault::Malformed));
            assert!(shown.is_err() || shown.is_ok_and(|shown| shown.len() > 1));
        }
    }
    check_left(&handshake);
}

/// Where a route looks for a credential.
static ROUTE: LazyLock<Arc<Route>> = LazyLock::new(|| {
    let text = r#"
        [issuer.main]
        issuer = "fuzzing"
        audience = ["chat"]
        secret = "a secret of thirty-two bytes ..."
        [upstream.chat]
        servers = ["ws://127.0.0.1:1"]
        [[route]]
        name = "chat"
        path = "/*"
        upstream = "chat"
        [route.auth]
        from = ["header:authorization", "cookie:session", "query:token", "subprotocol:bearer.", "subprotocol:base64url.b."]
        jwt = "main"
    "#;
    let config = Config::from_toml("fuzzing", text).unwrap();
    Arc::clone(&config.routes[0])
});

/// All credentials, by a plain reading; an error where one is no text.
fn plain(
    query: &str,
    cookie: &str,
    authorization: &str,
    subprotocols: &[String],
) -> Result<BTreeSet<String>, ()> {
    let mut shown = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decoded(name) == "token" {
            shown.push(decoded(value));
        }
    }
    for pair in cookie.split(';') {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        if name.trim_matches(is_space) == "session" {
            let value = value.trim_matches(is_space);
            let inner = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'));
            shown.push(inner.unwrap_or(value).trim().to_owned());
        }
    }
    if let Some((scheme, value)) = authorization.trim().split_once(' ')
        && scheme.eq_ignore_ascii_case("bearer")
    {
        shown.push(value.trim_start().to_owned());
    }
    for name in subprotocols {
        if let Some(credential) = name.strip_prefix("bearer.") {
            shown.push(credential.to_owned());
        }
        if let Some(encoded) = name.strip_prefix("base64url.b.") {
            let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(drop)?;
            shown.push(String::from_utf8(bytes).map_err(drop)?);
        }
    }
    Ok(shown.into_iter().filter(|one| !one.is_empty()).collect())
}

fn is_space(letter: char) -> bool {
    letter.is_ascii_whitespace()
}

/// The text without its escapes; as it is where that would be no text.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let digits = part
            .get(..2)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits {
            Some(digits) => {
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Nothing that could be a credential goes on, and all else does.
fn check_left(handshake: &Handshake) {
    let offer = handshake.offer().unwrap();
    let query = handshake.forwarded_query();
    let path = path_and_query("", "/ws", query.as_deref());
    let (request, _) = upstream_request(handshake, offer, path, UpstreamHttp::H1).unwrap();
    let sent = request.headers();
    assert!(sent.get(header::AUTHORIZATION).is_none());
    let line = |name| sent.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    let cookies = String::from_utf8_lossy(line(header::COOKIE)).into_owned();
    let subprotocols = String::from_utf8_lossy(line(header::SEC_WEBSOCKET_PROTOCOL)).into_owned();
    let subprotocols: Vec<_> = subprotocols.split(", ").map(str::to_owned).collect();
    let query = request.uri().query().unwrap_or_default();
    assert_eq!(
        plain(query, &cookies, "", &subprotocols),
        Ok(BTreeSet::new())
    );
    let is_kept = |name: &str| {
        !name.starts_with("bearer.")
            && !name.starts_with("base64url.b.")
            && !["bearer", "base64url.b"].contains(&name)
    };
    let offered = handshake.subprotocols().iter();
    let kept: Vec<_> = offered.filter(|name| is_kept(name)).collect();
    let sent: Vec<_> = subprotocols
        .iter()
        .filter(|name| !name.is_empty())
        .collect();
    assert_eq!(sent, kept);
}
