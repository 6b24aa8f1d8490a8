//! Whom a ticket lets in, and the record of that in the engine of several gates.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::request::Identity;

/// Whom a ticket lets in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    pub(super) identity: Identity,
    /// When the right to the session ends.
    pub(super) session_expires: Option<SystemTime>,
}

/// The same, as the engine keeps it.
#[derive(Deserialize, Serialize)]
struct Record {
    subject: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claims: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_at: Option<SystemTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_expires: Option<SystemTime>,
}

impl Admitted {
    /// The bytes to keep.
    pub(super) fn to_record(&self) -> Vec<u8> {
        let identity = &self.identity;
        let claims = identity.claims();
        let record = Record {
            subject: identity.subject().to_owned(),
            claims: claims
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            issuer: identity.issuer().map(str::to_owned),
            token_id: identity.token_id().map(str::to_owned),
            login: identity.login().map(str::to_owned),
            issued_at: identity.issued_at(),
            session_expires: self.session_expires,
        };
        // Strings and times before 1970 alone could fail; nobody comes in with what cannot be read.
        serde_json::to_vec(&record).unwrap_or_default()
    }

    /// Whom the bytes let in; nobody, where they are no record.
    pub(super) fn from_record(bytes: &[u8]) -> Option<Self> {
        let record: Record = serde_json::from_slice(bytes).ok()?;
        let identity = Identity::new(record.subject)
            .with_token(record.token_id.as_deref(), record.login.as_deref());
        let claims = record.claims.into_iter();
        let identity = claims.fold(identity, |identity, (name, value)| {
            identity.with_claim(name, value)
        });
        let identity = match record.issuer {
            Some(issuer) => identity.with_issuer(issuer),
            None => identity,
        };
        let identity = match record.issued_at {
            Some(moment) => identity.with_issued_at(moment),
            None => identity,
        };
        Some(Self {
            identity,
            session_expires: record.session_expires,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_record_is_read_as_it_is_written() {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_123);
        let plain = Identity::new("alice");
        let full = Identity::new("b\u{fc}b \"\\")
            .with_claim("name", "B")
            .with_claim("role", "admin editor")
            .with_issuer("main")
            .with_token(Some("t1"), Some("l1"))
            .with_issued_at(moment);
        for (identity, session_expires) in [(plain, None), (full, Some(moment))] {
            let admitted = Admitted {
                identity,
                session_expires,
            };
            assert_eq!(Admitted::from_record(&admitted.to_record()), Some(admitted));
        }
        for wrong in ["", "{}", "null", "{\"subject\":1}", "{\"subject\":\"a\""] {
            assert_eq!(Admitted::from_record(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
