//! Names of channels: `room.42`.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use super::error::ValueError;

/// The name of a channel: one or more segments between dots, such as `room.42`, of 255 bytes at most.
///
/// A segment is not empty, and is made of ASCII letters, digits and `-`, `_`, `~`, `@`, `:`, `+`, `=`. A clone costs no
/// allocation.
///
/// ```
/// use wsgate::config::ChannelName;
///
/// let name: ChannelName = "room.42".parse()?;
/// assert_eq!(&*name, "room.42");
/// assert!("room..42".parse::<ChannelName>().is_err());
/// # Ok::<(), wsgate::config::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(Arc<str>);

impl ChannelName {
    /// The bytes that a name has at most.
    pub const LONGEST: usize = 255;

    /// The name as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between its dots.
    pub(in crate::config) fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl FromStr for ChannelName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        check(text).map(|()| Self(text.into()))
    }
}

impl Deref for ChannelName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ChannelName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A map of channels is searched with a text.
impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// What the segments of names are made of.
pub(super) const IN_SEGMENTS: &str =
    "letters, digits and the characters - _ ~ @ : + =, with dots between segments";

/// Whether a segment may have this byte.
pub(super) fn is_of_segment(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_~@:+=".contains(&byte)
}

/// Checks what is to be a name, or the text around the placeholders of one.
pub(super) fn check(text: &str) -> Result<(), ValueError> {
    if text.is_empty() {
        return Err(ValueError::new("the name of a channel is not empty"));
    }
    if text.len() > ChannelName::LONGEST {
        return Err(ValueError::new(
            "the name of a channel has 255 bytes at most",
        ));
    }
    if let Some(wrong) = text.chars().find(|character| !is_of_name(*character)) {
        let problem = format!("the name of a channel has no {}", shown(wrong));
        return Err(ValueError::new(problem).help(format!("it has {IN_SEGMENTS}")));
    }
    match text.split('.').any(str::is_empty) {
        true => Err(
            ValueError::new("a segment of the name of a channel is empty")
                .help("a dot stands between two segments, and neither first nor last"),
        ),
        false => Ok(()),
    }
}

fn is_of_name(character: char) -> bool {
    u8::try_from(character).is_ok_and(|byte| byte == b'.' || is_of_segment(byte))
}

/// A character for a sentence. There are no backquotes around it: nothing else of the value is shown.
pub(super) fn shown(character: char) -> String {
    match character {
        ' ' => "space".to_owned(),
        other if other.is_control() => "control character".to_owned(),
        other if !other.is_ascii() => "character beyond ASCII".to_owned(),
        other => format!("\"{other}\""),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a", true)]
    #[case("room.42", true)]
    #[case("user.a-b_c~d@e:f+g=2E", true)]
    #[case("A.b.C", true)]
    #[case("", false)]
    #[case(".", false)]
    #[case(".a", false)]
    #[case("a.", false)]
    #[case("a..b", false)]
    #[case("a b", false)]
    #[case("a/b", false)]
    #[case("a*", false)]
    #[case("a%2Eb", false)]
    #[case("a{b}", false)]
    #[case("\u{e4}", false)]
    #[case("a\n", false)]
    fn a_name_has_segments_between_dots(#[case] text: &str, #[case] is_name: bool) {
        let name = text.parse::<ChannelName>();
        assert_eq!(name.is_ok(), is_name, "{name:?}");
        if let Ok(name) = name {
            assert_eq!(name.to_string(), text);
            assert_eq!(name.segments().collect::<Vec<_>>().join("."), text);
        }
    }

    #[test]
    fn a_name_has_255_bytes_at_most() {
        assert!("a".repeat(255).parse::<ChannelName>().is_ok());
        assert!("a".repeat(256).parse::<ChannelName>().is_err());
    }

    #[test]
    fn an_error_shows_one_character_at_most() {
        for (text, expected) in [
            ("canary/canary", "has no \"/\""),
            ("canary canary", "has no space"),
            ("canary\0", "has no control character"),
            ("canary\u{e4}", "has no character beyond ASCII"),
            ("canary..", "is empty"),
        ] {
            let error = text.parse::<ChannelName>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
