//! What is wrong with a token.

/// Why a token lets nobody in: [`Rejection::Token`](super::Rejection::Token).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenFault {
    /// It has more than 8 KiB.
    TooLong,
    /// It is no signed token (RFC 7515 §7.1), or `crit` lists what is not understood (§4.1.11).
    Malformed,
    /// Its `typ` is that of a token for something else (RFC 8725 §3.11).
    Type,
    /// Its algorithm is none of the issuer's in the settings (RFC 8725 §3.1).
    Algorithm,
    /// The issuer has no key of this name for this algorithm.
    Key,
    /// Its signature is not that of the key.
    Signature,
    /// Its `iss` is none of the settings.
    Issuer,
    /// Its `aud` is for somebody else.
    Audience,
    /// Its `exp` has passed.
    Expired,
    /// Its `nbf` has not come.
    NotYet,
    /// It was revoked, or its user or its login was.
    Revoked,
    /// A claim is missing that every token has, or is not of its form.
    Claims,
}

impl TokenFault {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "token_too_long",
            Self::Malformed => "token_malformed",
            Self::Type => "token_type",
            Self::Algorithm => "token_algorithm",
            Self::Key => "token_key",
            Self::Signature => "token_signature",
            Self::Issuer => "token_issuer",
            Self::Audience => "token_audience",
            Self::Expired => "token_expired",
            Self::NotYet => "token_not_yet",
            Self::Revoked => "token_revoked",
            Self::Claims => "token_claims",
        }
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            Self::TooLong => "the token is too long",
            Self::Malformed => "the token is malformed",
            Self::Type => "this type of token is for something else",
            Self::Algorithm => "the token is signed with an algorithm that is not accepted here",
            Self::Key => "the token is signed with an unknown key",
            Self::Signature => "the signature of the token is wrong",
            Self::Issuer => "the token is of an unknown issuer",
            Self::Audience => "the token is for another audience",
            Self::Expired => "the token has expired",
            Self::NotYet => "the token is not valid yet",
            Self::Revoked => "the access was revoked",
            Self::Claims => "a claim of the token is missing or malformed",
        }
    }
}
