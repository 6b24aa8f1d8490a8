//! SHA-256, by which keys and tickets are known.

use aws_lc_rs::digest::{SHA256, digest as compute};

/// The SHA-256 of a credential.
pub(super) type Digest = [u8; 32];

/// What stands for a credential: nothing is kept that could be shown.
pub(super) fn digest(credential: &[u8]) -> Digest {
    let mut digest = [0; 32];
    digest.copy_from_slice(compute(&SHA256, credential).as_ref());
    digest
}
