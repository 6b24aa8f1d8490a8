//! A token as it was received.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::Algorithm;
use serde_json::Value;

use super::object::Object;
use crate::rejection::TokenFault;

/// A token whose signature has not been verified. Nothing that it says is believed; it says which key to look for.
pub(crate) struct UnverifiedToken<'t> {
    pub(super) text: &'t str,
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    claims: Object,
}

/// The bytes of a token: identity providers stay below it, and each one costs memory before it is verified.
const LONGEST: usize = 8 * 1024;

/// The types of tokens that let somebody in (RFC 7519 §5.1, RFC 9068 §2.1), without `application/`. Others are
/// for other purposes: a token of a logout is signed with the same key.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// The type of a token that ends logins (OpenID Connect Back-Channel Logout 1.0 §2.4).
const LOGOUT: &str = "logout+jwt";

impl<'t> UnverifiedToken<'t> {
    /// Reads the text of a token that is to let somebody in.
    ///
    /// # Errors
    /// The fault of its form, its type or its algorithm's name. What `crit` lists is for [`super::TokenRules`].
    pub(crate) fn read(text: &'t str) -> Result<Self, TokenFault> {
        Self::of_type(text, |kind| TYPES.contains(&kind))
    }

    /// Reads the text of a token that ends logins. Not every provider gives it a type of its own.
    ///
    /// # Errors
    /// As [`UnverifiedToken::read`].
    pub(crate) fn read_logout(text: &'t str) -> Result<Self, TokenFault> {
        Self::of_type(text, |kind| matches!(kind, LOGOUT | "jwt"))
    }

    fn of_type(text: &'t str, is_known: impl Fn(&str) -> bool) -> Result<Self, TokenFault> {
        if text.len() > LONGEST {
            return Err(TokenFault::TooLong);
        }
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(_signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenFault::Malformed);
        };
        let Object(header) = object(header)?;
        let Some(Value::String(algorithm)) = header.get("alg") else {
            return Err(TokenFault::Malformed);
        };
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(TokenFault::Malformed),
        };
        match header.get("typ") {
            None => {}
            Some(Value::String(kind)) => {
                let kind = kind.to_ascii_lowercase();
                if !is_known(kind.strip_prefix("application/").unwrap_or(&kind)) {
                    return Err(TokenFault::Type);
                }
            }
            Some(_) => return Err(TokenFault::Malformed),
        }
        Ok(Self {
            text,
            algorithm: algorithm.parse().map_err(|_| TokenFault::Algorithm)?,
            key_id,
            claims: object(claims)?,
        })
    }

    /// Who it says has issued it: this chooses among the issuers of the settings, which then verify it.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.claims.0.get("iss")?.as_str()
    }
}

/// Whether a credential has the form of a token at all; a key and a ticket have no dots.
pub(crate) fn looks_like_token(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
}

fn object(part: &str) -> Result<Object, TokenFault> {
    let json = BASE64URL_NOPAD.decode(part.as_bytes());
    let json = json.map_err(|_| TokenFault::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenFault::Malformed)
}
