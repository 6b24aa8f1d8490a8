//! Percent-encoded text (RFC 3986 §2.1), read strictly.

/// Decodes what a form has encoded: `+` is a space, and `%` stands before two hexadecimal digits.
pub(super) fn decode_form(text: &str) -> Option<String> {
    decode(text, b' ')
}

/// Decodes a segment of a path, where `+` is itself.
pub(super) fn decode_segment(text: &str) -> Option<String> {
    decode(text, b'+')
}

fn decode(text: &str, plus: u8) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => plus,
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_decoded_strictly() {
        for (text, expected) in [
            ("a+b", Some("a+b")),
            ("a%2Fb%2f", Some("a/b/")),
            ("%C3%A4", Some("ä")),
            ("%", None),
            ("%2", None),
            ("%zz", None),
            ("%+1", None),
            ("%ff", None),
        ] {
            assert_eq!(decode_segment(text).as_deref(), expected, "{text}");
        }
    }
}
