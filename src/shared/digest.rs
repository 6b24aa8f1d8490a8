//! Names of somebody or something, as the engine may have them.

use aws_lc_rs::digest::{Context, SHA256};

/// 128 bits are the same for no two of them.
pub(super) type Digest = [u8; 16];

/// The digest of several parts, in this order.
pub(super) fn digest(parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut digest = Digest::default();
    let length = digest.len();
    digest.copy_from_slice(&context.finish().as_ref()[..length]);
    digest
}
