//! The credential of a request: where it stands, and what is left of the request without it.

use std::borrow::Cow;

use data_encoding::BASE64URL_NOPAD;
use http::{HeaderValue, header};

use super::handshake::{Explained, Handshake};
use super::subprotocols::Subprotocols;
use crate::config::CredentialSource;
use crate::rejection::{Rejection, TokenFault};

impl Handshake {
    /// The credential that it shows, where the route looks for one; the first place that has one counts.
    ///
    /// # Errors
    /// [`Rejection::CredentialAmbiguous`] where two places show different ones: which of them an upstream would believe is
    /// not known. [`TokenFault::Malformed`] where it is no text.
    pub(crate) fn credential(&self) -> Result<Option<Cow<'_, str>>, Rejection> {
        let mut found: Option<Cow<'_, str>> = None;
        for source in self.credential_sources() {
            for credential in self.shown_in(source)? {
                match &found {
                    Some(first) if *first != credential => {
                        return Err(Rejection::CredentialAmbiguous);
                    }
                    _ => found = Some(credential),
                }
            }
        }
        Ok(found)
    }

    /// The query without the credential.
    pub(crate) fn forwarded_query(&self) -> Option<Cow<'_, str>> {
        let query = self.query()?;
        let names = self.credential_sources().iter().filter_map(parameter_name);
        let names: Vec<_> = names.collect();
        if names.is_empty() {
            return Some(Cow::Borrowed(query));
        }
        let pairs: Vec<_> = query.split('&').collect();
        let kept: Vec<_> = pairs
            .iter()
            .copied()
            .filter(|pair| !names.contains(&&*unescaped(name_of(pair))))
            .collect();
        match kept.len() {
            0 => None,
            all if all == pairs.len() => Some(Cow::Borrowed(query)),
            _ => Some(Cow::Owned(kept.join("&"))),
        }
    }

    /// A line of `Cookie` without the credential; `None` if nothing else is in it.
    pub(crate) fn forwarded_cookies(&self, line: &HeaderValue) -> Option<HeaderValue> {
        let names = self.credential_sources().iter().filter_map(cookie_name);
        let names: Vec<_> = names.collect();
        if names.is_empty() {
            return Some(line.clone());
        }
        let cookies = line.as_bytes().split(|byte| *byte == b';');
        let kept: Vec<_> = cookies
            .map(<[u8]>::trim_ascii)
            .filter(|cookie| !names.iter().any(|name| value_of(cookie, name).is_some()))
            .collect();
        if kept.is_empty() {
            return None;
        }
        let mut kept = HeaderValue::from_bytes(&kept.join(b"; ".as_slice())).ok()?;
        kept.set_sensitive(line.is_sensitive());
        Some(kept)
    }

    /// The subprotocols that go upstream: those without a credential.
    pub(crate) fn forwarded_subprotocols(&self) -> Subprotocols {
        let Some(offer) = self.offer() else {
            return Subprotocols::default();
        };
        let mut prefixes = self.subprotocol_prefixes().peekable();
        match prefixes.peek() {
            None => offer.subprotocols.clone(),
            Some(_) => {
                let prefixes: Vec<_> = prefixes.collect();
                let is_credential = |name: &str| prefixes.iter().any(|prefix| is_of(name, prefix));
                offer.subprotocols.without(is_credential)
            }
        }
    }

    /// What is answered where the upstream chooses none of the others: browsers fail a handshake without an answer
    /// (<https://websockets.spec.whatwg.org/#websocket-protocol>). It is the prefix without its dot, if that is offered
    /// too. Where nothing but the credential is offered there is no other answer than that; it goes to nobody but who has
    /// sent it.
    pub(crate) fn subprotocol_marker(&self) -> Option<&str> {
        let offered = self.subprotocols();
        let is_marker = |name: &str| {
            self.subprotocol_prefixes()
                .any(|prefix| name == marker(prefix))
        };
        if let Some(name) = offered.iter().find(|name| is_marker(name)) {
            return Some(name);
        }
        match offered {
            [only]
                if self
                    .subprotocol_prefixes()
                    .any(|prefix| is_of(only, prefix)) =>
            {
                Some(only)
            }
            _ => None,
        }
    }

    /// Whether nobody has sent it: what would become of it is explained.
    pub(crate) fn is_explained(&self) -> bool {
        self.extensions().get::<Explained>().is_some()
    }

    /// Whether a header is a credential as a whole.
    pub(crate) fn is_credential(&self, name: &str) -> bool {
        let mut sources = self.credential_sources().iter();
        sources.any(|source| match source {
            CredentialSource::Header(header) => super::is_alias_of(header.as_str(), name),
            _ => false,
        })
    }

    fn credential_sources(&self) -> &[CredentialSource] {
        let rules = self.settings().auth.as_ref();
        rules.map_or(&[], |rules| &rules.from)
    }

    fn subprotocol_prefixes(&self) -> impl Iterator<Item = &str> {
        self.credential_sources()
            .iter()
            .filter_map(|source| match source {
                CredentialSource::Subprotocol(prefix) => Some(&**prefix),
                _ => None,
            })
    }

    /// The credentials in one place; empty ones are none.
    fn shown_in(&self, source: &CredentialSource) -> Result<Vec<Cow<'_, str>>, Rejection> {
        let shown: Vec<Cow<'_, str>> = match source {
            CredentialSource::Header(name) => {
                let lines = self.headers().get_all(name).iter();
                let values = lines.map(|line| text(line.as_bytes()));
                let values: Vec<_> = values.collect::<Result<_, _>>()?;
                let is_authorization = *name == header::AUTHORIZATION;
                let values = values
                    .into_iter()
                    .filter_map(|value| match is_authorization {
                        true => bearer(value),
                        false => Some(value),
                    });
                values.map(Cow::Borrowed).collect()
            }
            CredentialSource::Cookie(name) => {
                let lines = self.headers().get_all(header::COOKIE).iter();
                let cookies = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
                let values = cookies.filter_map(|cookie| value_of(cookie.trim_ascii(), name));
                let values = values.map(|value| text(unquoted(value)).map(Cow::Borrowed));
                values.collect::<Result<_, _>>()?
            }
            CredentialSource::Query(name) => {
                let pairs = self.query().unwrap_or_default().split('&');
                let named = pairs.filter(|pair| unescaped(name_of(pair)) == name.as_str());
                let values = named.map(|pair| pair.split_once('=').map_or("", |(_, value)| value));
                values.map(unescaped).collect()
            }
            CredentialSource::Subprotocol(prefix) => {
                let offered = self.subprotocols().iter();
                let credentials = offered.filter_map(|name| name.strip_prefix(&**prefix));
                let credentials = credentials.map(|credential| decoded(prefix, credential));
                credentials.collect::<Result<_, _>>()?
            }
        };
        let shown = shown
            .into_iter()
            .filter(|credential| !credential.is_empty());
        Ok(shown.collect())
    }
}

/// A credential behind this prefix is in base64url, as Kubernetes has it: a token of somebody else may have characters
/// that no subprotocol has.
const ENCODED: &str = "base64url.";

fn decoded<'c>(prefix: &str, credential: &'c str) -> Result<Cow<'c, str>, Rejection> {
    if !prefix.starts_with(ENCODED) {
        return Ok(Cow::Borrowed(credential));
    }
    let bytes = BASE64URL_NOPAD.decode(credential.as_bytes());
    let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Cow::Owned).ok_or(MALFORMED)
}

const MALFORMED: Rejection = Rejection::Token(TokenFault::Malformed);

fn text(value: &[u8]) -> Result<&str, Rejection> {
    let text = std::str::from_utf8(value).map_err(|_| MALFORMED)?;
    Ok(text.trim())
}

/// What stands behind `Bearer` (RFC 6750 §2.1); the name of a scheme has no case (RFC 9110 §11.1). Another scheme is
/// no credential here.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, credential) = value.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| credential.trim_start())
}

/// The value of a cookie of this name.
fn value_of<'c>(cookie: &'c [u8], name: &str) -> Option<&'c [u8]> {
    let rest = cookie.strip_prefix(name.as_bytes())?.trim_ascii_start();
    Some(rest.strip_prefix(b"=")?.trim_ascii_start())
}

/// A cookie's value may stand in quotes (RFC 6265 §4.1.1).
fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""));
    inner.unwrap_or(value)
}

fn cookie_name(source: &CredentialSource) -> Option<&str> {
    match source {
        CredentialSource::Cookie(name) => Some(name),
        _ => None,
    }
}

fn parameter_name(source: &CredentialSource) -> Option<&str> {
    match source {
        CredentialSource::Query(name) => Some(name),
        _ => None,
    }
}

fn name_of(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name)
}

/// The text without its escapes, as an upstream reads it (RFC 3986 §2.1). What is no UTF-8 then stays as it is.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let escaped = match byte {
            b'%' => behind.get(..2).and_then(hexadecimal),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(byte));
        rest = match escaped {
            Some(_) => &behind[2..],
            None => behind,
        };
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    // The library takes a sign as well.
    match digits.iter().all(u8::is_ascii_hexdigit) {
        true => u8::from_str_radix(text, 16).ok(),
        false => None,
    }
}

fn is_of(name: &str, prefix: &str) -> bool {
    name.starts_with(prefix) || name == marker(prefix)
}

/// What a client may offer beside its credential, to be answered with it.
fn marker(prefix: &str) -> &str {
    prefix.strip_suffix('.').unwrap_or(prefix)
}
