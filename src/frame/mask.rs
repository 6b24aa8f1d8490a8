//! Masking (RFC 6455 §5.3): an XOR with four bytes that go round.

/// A masking key, turned so that its first byte is for the next payload byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mask([u8; 4]);

impl Mask {
    pub(crate) fn new(key: [u8; 4]) -> Self {
        Self(key)
    }

    /// A key that cannot be predicted, as §5.3 and §10.3 require.
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }

    pub(crate) fn key(self) -> [u8; 4] {
        self.0
    }

    /// Turns the key on by as many payload bytes as have passed.
    pub(crate) fn advance(&mut self, passed: usize) {
        self.0.rotate_left(passed % 4);
    }

    /// Masks or unmasks in place, and turns the key on.
    pub(crate) fn apply(&mut self, payload: &mut [u8]) {
        let mut chunks = payload.chunks_exact_mut(8);
        let key = self.0;
        let wide = u64::from_ne_bytes([
            key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3],
        ]);
        for chunk in &mut chunks {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            chunk.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
        }
        for (byte, key) in chunks.into_remainder().iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
        self.advance(payload.len());
    }
}

/// Appends a copy of a payload without its mask; a server's frames have none.
pub(crate) fn unmask(payload: &[u8], mask: Option<&mut Mask>, plain: &mut Vec<u8>) {
    let start = plain.len();
    plain.extend_from_slice(payload);
    if let Some(mask) = mask {
        mask.apply(&mut plain[start..]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_payload_unmasked_in_parts_is_the_payload(
            payload in proptest::collection::vec(any::<u8>(), 0..100),
            key: [u8; 4],
            cut in 0usize..100,
        ) {
            let masked: Vec<u8> =
                payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
            let cut = cut.min(masked.len());
            let (mut mask, mut plain) = (Mask::new(key), Vec::new());
            unmask(&masked[..cut], Some(&mut mask), &mut plain);
            unmask(&masked[cut..], Some(&mut mask), &mut plain);
            prop_assert_eq!(plain, payload);
        }
    }
}
