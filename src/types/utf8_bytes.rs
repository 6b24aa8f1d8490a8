//! Shared bytes that are text.

use std::fmt;
use std::ops::Deref;
use std::str::Utf8Error;

use bytes::Bytes;

/// Text on shared bytes ([`Bytes`]): a clone copies nothing, and the bytes are checked to be UTF-8
/// once, when the text is made. It dereferences to [`str`].
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Utf8Bytes(tungstenite::Utf8Bytes);

impl Utf8Bytes {
    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Deref for Utf8Bytes {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Utf8Bytes {
    fn as_ref(&self) -> &str {
        self
    }
}

impl PartialEq<str> for Utf8Bytes {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl fmt::Debug for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl fmt::Display for Utf8Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl From<&str> for Utf8Bytes {
    /// Copies the text.
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Utf8Bytes {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl TryFrom<Bytes> for Utf8Bytes {
    type Error = Utf8Error;

    /// Checks the bytes and copies nothing.
    fn try_from(bytes: Bytes) -> Result<Self, Utf8Error> {
        tungstenite::Utf8Bytes::try_from(bytes).map(Self)
    }
}

impl From<Utf8Bytes> for Bytes {
    fn from(text: Utf8Bytes) -> Self {
        text.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_shares_the_bytes_that_it_was_made_from_and_is_never_anything_else() {
        let bytes = Bytes::from("grün".as_bytes().to_vec());
        let text = Utf8Bytes::try_from(bytes.clone()).unwrap();
        assert_eq!((&text, text.len()), (&"grün".into(), 5));
        assert_eq!(text, *"grün");
        assert_eq!(Bytes::from(text.clone()).as_ptr(), bytes.as_ptr());
        assert_eq!(
            (format!("{text:?}"), text.to_string()),
            ("\"grün\"".to_owned(), "grün".to_owned())
        );
        assert!(Utf8Bytes::try_from(bytes.slice(..3)).is_err());
    }
}
