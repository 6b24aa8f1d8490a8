//! Which part of a cluster a key is in.

/// A part of the keys. A cluster has 16,384.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::shared) struct Slot(u16);

/// How many slots there are.
pub(super) const SLOTS: usize = 16_384;

impl Slot {
    /// The slot of all keys with this tag: what stands between `{` and `}`.
    pub(in crate::shared) fn of_tag(tag: &[u8]) -> Self {
        Self(crc16(tag) % SLOTS as u16)
    }

    /// # Errors
    /// `None` if there is no such slot.
    pub(super) fn from_number(number: i64) -> Option<Self> {
        let number = u16::try_from(number).ok()?;
        (usize::from(number) < SLOTS).then_some(Self(number))
    }

    pub(super) fn index(self) -> usize {
        self.0.into()
    }
}

/// CRC16-CCITT as XMODEM has it, which the cluster specification names.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
            match crc & 0x8000 {
                0 => crc << 1,
                _ => (crc << 1) ^ 0x1021,
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (tag, slot) in [("", 0), ("foo", 12182), ("bar", 5061), ("user1000", 3443)] {
            assert_eq!(Slot::of_tag(tag.as_bytes()), Slot(slot), "{tag}");
        }
        assert_eq!(Slot::from_number(16_383), Some(Slot(16_383)));
        assert_eq!(Slot::from_number(16_384), None);
        assert_eq!(Slot::from_number(-1), None);
    }
}
