//! The keys of one issuer (RFC 7517).

use std::fmt;

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The keys that the tokens of one issuer are verified with.
pub(crate) struct KeySet {
    keys: Vec<VerificationKey>,
    /// What it was made from, to tell whether another set is the same.
    source: Vec<u8>,
}

struct VerificationKey {
    id: Option<String>,
    /// What it verifies; never more than one family.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Why a document is no set of keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error("this is no set of keys: a JSON object with a list `keys` (RFC 7517 §5)")]
    Malformed(#[source] serde_json::Error),
    #[error("there are {0} keys, and at most {MOST} are read")]
    TooMany(usize),
    #[error(
        "none of the {0} keys verifies signatures: RSA of 2048 bits or more, P-256, P-384 and Ed25519 do, \
         unless `use` or `key_ops` says otherwise"
    )]
    NoneUsable(usize),
    #[error("an empty secret verifies nothing")]
    EmptySecret,
}

/// The keys of a set: providers have a handful.
const MOST: usize = 100;

/// The bytes of the smallest modulus of RSA that is used (RFC 7518 §3.3).
const SMALLEST_MODULUS: usize = 2048 / 8;

impl KeySet {
    /// Reads a JWK set. Keys for another purpose are passed over, and so are symmetric ones: a set is public.
    ///
    /// # Errors
    /// [`KeySetError`] where no key is left, or too many are there.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        let document: Document = serde_json::from_slice(json).map_err(KeySetError::Malformed)?;
        let count = document.keys.len();
        if count > MOST {
            return Err(KeySetError::TooMany(count));
        }
        let keys: Vec<_> = document.keys.into_iter().filter_map(usable).collect();
        match keys.is_empty() {
            true => Err(KeySetError::NoneUsable(count)),
            false => Ok(Self {
                keys,
                source: json.to_vec(),
            }),
        }
    }

    /// A set of one secret, for HMAC alone.
    ///
    /// # Errors
    /// [`KeySetError::EmptySecret`].
    pub(crate) fn of_secret(secret: &[u8]) -> Result<Self, KeySetError> {
        let key = DecodingKey::from_secret(secret).map_err(|_| KeySetError::EmptySecret)?;
        Ok(Self {
            keys: vec![VerificationKey {
                id: None,
                algorithms: AlgorithmFamily::Hmac.algorithms().to_vec(),
                key,
            }],
            source: secret.to_vec(),
        })
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys that may have signed with this algorithm. A token names its key where there are several; a key
    /// without a name may be any.
    pub(super) fn candidates<'k>(
        &'k self,
        id: Option<&'k str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'k DecodingKey> {
        let keys = self.keys.iter();
        let fitting = keys.filter(move |key| key.algorithms.contains(&algorithm));
        let named = fitting.filter(move |key| match (id, &key.id) {
            (Some(id), Some(key)) => id == key,
            (None, _) | (_, None) => true,
        });
        named.map(|key| &key.key).take(MOST_TRIED)
    }
}

/// The keys that one token is tried with.
const MOST_TRIED: usize = 4;

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// A key that verifies signatures.
fn usable(value: Value) -> Option<VerificationKey> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let common = &jwk.common;
    let is_for_signatures = match &common.public_key_use {
        None | Some(PublicKeyUse::Signature) => true,
        Some(_) => false,
    };
    let verifies = match &common.key_operations {
        None => true,
        Some(operations) => operations.contains(&KeyOperations::Verify),
    };
    if !is_for_signatures || !verifies {
        return None;
    }
    let algorithms = match common.key_algorithm {
        None => possible(&jwk.algorithm),
        Some(algorithm) => {
            let algorithm = of_key(algorithm)?;
            let possible = possible(&jwk.algorithm);
            possible.contains(&algorithm).then(|| vec![algorithm])?
        }
    };
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    (!algorithms.is_empty()).then(|| VerificationKey {
        id: jwk.common.key_id,
        algorithms,
        key,
    })
}

/// What a key of this kind can verify.
fn possible(key: &AlgorithmParameters) -> Vec<Algorithm> {
    match key {
        // The length of its base64 is four thirds of its own.
        AlgorithmParameters::RSA(key) if key.n.len() >= SMALLEST_MODULUS * 4 / 3 => vec![
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => vec![Algorithm::ES256],
            EllipticCurve::P384 => vec![Algorithm::ES384],
            _ => Vec::new(),
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            vec![Algorithm::EdDSA]
        }
        // A secret in a public document verifies nothing.
        _ => Vec::new(),
    }
}

/// The algorithm that a key is pinned to.
fn of_key(algorithm: KeyAlgorithm) -> Option<Algorithm> {
    match algorithm {
        KeyAlgorithm::RS256 => Some(Algorithm::RS256),
        KeyAlgorithm::RS384 => Some(Algorithm::RS384),
        KeyAlgorithm::RS512 => Some(Algorithm::RS512),
        KeyAlgorithm::PS256 => Some(Algorithm::PS256),
        KeyAlgorithm::PS384 => Some(Algorithm::PS384),
        KeyAlgorithm::PS512 => Some(Algorithm::PS512),
        KeyAlgorithm::ES256 => Some(Algorithm::ES256),
        KeyAlgorithm::ES384 => Some(Algorithm::ES384),
        KeyAlgorithm::EdDSA => Some(Algorithm::EdDSA),
        _ => None,
    }
}

impl PartialEq for KeySet {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for KeySet {}

/// A secret may be among them.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet")
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}
