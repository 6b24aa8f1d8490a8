//! What a token has to be, to be believed.

use std::time::{Duration, SystemTime};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

use super::claims::{Claims, moment};
use super::key_set::KeySet;
use super::object::Object;
use super::token::UnverifiedToken;
use crate::rejection::TokenFault;

/// The rules of one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenRules {
    /// The `iss` of every token.
    pub(crate) issuer: String,
    /// One of these is in `aud`.
    pub(crate) audience: Vec<String>,
    /// Only these; the `alg` of a header is compared with them, and chooses none.
    pub(crate) algorithms: Vec<Algorithm>,
    /// How far the clocks of the issuer and of this machine may be apart.
    pub(crate) leeway: Duration,
}

impl TokenRules {
    /// Verifies a token that is to let somebody in.
    ///
    /// # Errors
    /// The first fault, in this order: the algorithm, the key, the signature, the issuer, the audience, the time.
    pub(crate) fn verify(
        &self,
        token: &UnverifiedToken<'_>,
        keys: &KeySet,
        now: SystemTime,
    ) -> Result<Claims, TokenFault> {
        let claims = self.signed(token, keys)?;
        let Some(expires_at) = claims.get("exp").and_then(moment) else {
            return Err(TokenFault::Claims);
        };
        let expires_at = self.check_time(&claims, Some(expires_at), now)?;
        Ok(Claims {
            values: claims,
            expires_at,
        })
    }

    /// Verifies a token that ends logins, which is only for a short time around its issue
    /// (OpenID Connect Back-Channel Logout 1.0 §2.6).
    ///
    /// # Errors
    /// As [`TokenRules::verify`]; [`TokenFault::Claims`] too where it says of no logout, or of nobody's.
    pub(crate) fn verify_logout(
        &self,
        token: &UnverifiedToken<'_>,
        keys: &KeySet,
        now: SystemTime,
    ) -> Result<Claims, TokenFault> {
        let values = self.signed(token, keys)?;
        let says_logout = values.get("events").and_then(|events| events.get(LOGOUT));
        let issued_at = values.get("iat").and_then(moment);
        let (Some(_), Some(issued_at), None) = (says_logout, issued_at, values.get("nonce")) else {
            return Err(TokenFault::Claims);
        };
        // First, because nothing can be added to the last moment that there is.
        if issued_at > now + self.leeway {
            return Err(TokenFault::NotYet);
        }
        if now > issued_at + self.leeway + LOGOUT_LIFETIME {
            return Err(TokenFault::Expired);
        }
        let expires_at = values.get("exp").and_then(moment);
        let expires_at = self.check_time(&values, expires_at, now)?;
        let claims = Claims { values, expires_at };
        match (claims.subject(), claims.login()) {
            (None, None) => Err(TokenFault::Claims),
            _ => Ok(claims),
        }
    }

    /// The claims, where the signature, the issuer and the audience are right.
    fn signed(
        &self,
        token: &UnverifiedToken<'_>,
        keys: &KeySet,
    ) -> Result<serde_json::Map<String, serde_json::Value>, TokenFault> {
        if !self.algorithms.contains(&token.algorithm) {
            return Err(TokenFault::Algorithm);
        }
        let validation = self.validation(token.algorithm);
        let mut fault = TokenFault::Key;
        for key in keys.candidates(token.key_id.as_deref(), token.algorithm) {
            match decoded(token, key, &validation) {
                // Another key of the same name may have signed it.
                Err(TokenFault::Signature) => fault = TokenFault::Signature,
                Ok(claims) => return self.check_issuer(claims),
                Err(fault) => return Err(fault),
            }
        }
        Err(fault)
    }

    /// What the library checks: the signature, `crit`, the issuer and the audience. Time is checked here, by the
    /// clock of the caller.
    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&self.audience);
        validation.set_required_spec_claims(&["iss", "aud"]);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation
    }

    /// The library also takes a list of issuers, which RFC 7519 §4.1.1 has not.
    fn check_issuer(
        &self,
        claims: serde_json::Map<String, serde_json::Value>,
    ) -> Result<serde_json::Map<String, serde_json::Value>, TokenFault> {
        let issuer = claims.get("iss").and_then(serde_json::Value::as_str);
        match issuer == Some(&*self.issuer) {
            true => Ok(claims),
            false => Err(TokenFault::Issuer),
        }
    }

    /// When the right ends: at `exp`, or so much later as the clocks may differ where that has passed.
    fn check_time(
        &self,
        claims: &serde_json::Map<String, serde_json::Value>,
        expires_at: Option<SystemTime>,
        now: SystemTime,
    ) -> Result<Option<SystemTime>, TokenFault> {
        if let Some(not_before) = claims.get("nbf") {
            let not_before = moment(not_before).ok_or(TokenFault::Claims)?;
            if not_before > now + self.leeway {
                return Err(TokenFault::NotYet);
            }
        }
        match expires_at {
            Some(expires_at) if expires_at > now => Ok(Some(expires_at)),
            Some(expires_at) => match expires_at + self.leeway {
                late if late > now => Ok(Some(late)),
                _ => Err(TokenFault::Expired),
            },
            None => Ok(None),
        }
    }
}

/// The event of a logout (OpenID Connect Back-Channel Logout 1.0 §2.4).
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A token of a logout is of no use later: one that is sent again ends nothing.
const LOGOUT_LIFETIME: Duration = Duration::from_secs(120);

fn decoded(
    token: &UnverifiedToken<'_>,
    key: &DecodingKey,
    validation: &Validation,
) -> Result<serde_json::Map<String, serde_json::Value>, TokenFault> {
    let decoded = decode::<Object>(token.text, key, validation);
    let decoded = decoded.map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => TokenFault::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::MissingAlgorithm => TokenFault::Algorithm,
        ErrorKind::InvalidIssuer => TokenFault::Issuer,
        ErrorKind::InvalidAudience => TokenFault::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => TokenFault::Claims,
        _ => TokenFault::Malformed,
    })?;
    Ok(decoded.claims.0)
}
