//! UTF-8 that comes in pieces (RFC 6455 §8.1).

/// Checks a text as it comes, wherever it is cut.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8 {
    /// The beginning of a character whose end has not come.
    partial: [u8; 4],
    length: u8,
}

/// The text is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidUtf8;

impl Utf8 {
    /// Takes the next piece.
    pub(crate) fn push(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        while self.length > 0 {
            let [byte, rest @ ..] = piece else {
                return Ok(());
            };
            piece = rest;
            // A fourth byte completes any character or breaks it, so there is always room.
            self.partial[usize::from(self.length)] = *byte;
            self.length += 1;
            match std::str::from_utf8(&self.partial[..usize::from(self.length)]) {
                Ok(_) => self.length = 0,
                Err(error) if error.error_len().is_some() => return Err(InvalidUtf8),
                Err(_) => {}
            }
        }
        let Err(error) = std::str::from_utf8(piece) else {
            return Ok(());
        };
        if error.error_len().is_some() {
            return Err(InvalidUtf8);
        }
        let partial = &piece[error.valid_up_to()..];
        self.partial[..partial.len()].copy_from_slice(partial);
        self.length = partial.len() as u8;
        Ok(())
    }

    /// Ends the text: no character may be left half.
    pub(crate) fn finish(&mut self) -> Result<(), InvalidUtf8> {
        match std::mem::take(&mut self.length) {
            0 => Ok(()),
            _ => Err(InvalidUtf8),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pieces: &[&[u8]]) -> Result<(), InvalidUtf8> {
        let mut utf8 = Utf8::default();
        pieces.iter().try_for_each(|piece| utf8.push(piece))?;
        utf8.finish()
    }

    #[test]
    fn what_is_not_utf8_is_found_wherever_it_is_cut() {
        let bad: [&[u8]; 6] = [
            b"\xC0\xAF",         // overlong
            b"\xED\xA0\x80",     // surrogate
            b"\xF4\x90\x80\x80", // above U+10FFFF
            b"abc\x80",          // continuation of nothing
            b"\xE2\x82",         // cut at the end
            b"\xF0\x9F\x98a",    // broken off
        ];
        for text in bad {
            for cut in 0..=text.len() {
                assert_eq!(
                    check(&[&text[..cut], &text[cut..]]),
                    Err(InvalidUtf8),
                    "{text:x?}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_standard_library_on_any_bytes_in_any_pieces(
            text in proptest::collection::vec(any::<u8>(), 0..12),
            cuts in proptest::collection::vec(0usize..12, 0..4),
        ) {
            let (mut cuts, mut from, mut pieces) = (cuts, 0, Vec::new());
            cuts.sort_unstable();
            for cut in cuts {
                let cut = cut.min(text.len());
                pieces.push(&text[from..cut]);
                from = cut;
            }
            pieces.push(&text[from..]);
            prop_assert_eq!(check(&pieces).is_ok(), std::str::from_utf8(&text).is_ok());
        }

        #[test]
        fn real_text_passes_byte_by_byte(text in "\\PC*") {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            prop_assert_eq!(check(&pieces), Ok(()));
        }
    }
}
