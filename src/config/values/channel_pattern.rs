//! Patterns of channels: `user.*`, `room.**`, `**`.

use std::fmt;
use std::str::FromStr;

use super::channel_name::{self, ChannelName};
use super::error::ValueError;
use super::text::text;

/// The channels of a token: segments between dots, where `*` is any one segment, and `**` at the end one or more.
///
/// `user.*` takes `user.1` and neither `user` nor `user.1.2`; `user.**` takes both `user.1` and `user.1.2`, and `**` takes
/// every channel.
///
/// ```
/// use wsgate::config::ChannelPattern;
///
/// let pattern: ChannelPattern = "user.*".parse()?;
/// assert!(pattern.matches(&"user.1".parse()?));
/// assert!(!pattern.matches(&"user.1.2".parse()?));
/// # Ok::<(), wsgate::config::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPattern {
    segments: Vec<Segment>,
    /// Whether one or more segments follow.
    has_rest: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Any,
}

impl ChannelPattern {
    /// Whether it takes this channel.
    pub fn matches(&self, name: &ChannelName) -> bool {
        let mut segments = name.segments();
        for wanted in &self.segments {
            match (wanted, segments.next()) {
                (Segment::Any, Some(_)) => {}
                (Segment::Literal(literal), Some(segment)) if literal == segment => {}
                (Segment::Any | Segment::Literal(_), _) => return false,
            }
        }
        segments.next().is_some() == self.has_rest
    }
}

impl FromStr for ChannelPattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (segments, has_rest) = match text {
            "**" => {
                return Ok(Self {
                    segments: Vec::new(),
                    has_rest: true,
                });
            }
            text => match text.strip_suffix(".**") {
                Some(segments) => (segments, true),
                None => (text, false),
            },
        };
        let segments = segments.split('.').map(segment);
        let segments: Vec<_> = segments.collect::<Result<_, _>>()?;
        // An asterisk stands for at least one byte.
        channel_name::check(&text.replace('*', "-"))?;
        Ok(Self { segments, has_rest })
    }
}

fn segment(text: &str) -> Result<Segment, ValueError> {
    match text {
        "*" => Ok(Segment::Any),
        "**" => Err(ValueError::new("`**` is the last segment of a pattern")
            .help("`*` is any one segment, and may stand anywhere")),
        text if text.contains('*') => Err(ValueError::new("`*` is a whole segment of a pattern")
            .help("such as \"user.*\": a part of a segment cannot be left open")),
        text => Ok(Segment::Literal(text.to_owned())),
    }
}

impl fmt::Display for ChannelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            match segment {
                Segment::Literal(literal) => write!(f, "{dot}{literal}")?,
                Segment::Any => write!(f, "{dot}*")?,
            }
        }
        match (self.has_rest, self.segments.is_empty()) {
            (true, true) => f.write_str("**"),
            (true, false) => f.write_str(".**"),
            (false, _) => Ok(()),
        }
    }
}

text!(
    ChannelPattern,
    "a pattern of channels such as \"user.*\"",
    r"^(\*\*|([A-Za-z0-9_~@:+=-]+|\*)(\.([A-Za-z0-9_~@:+=-]+|\*))*(\.\*\*)?)$"
);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("room.1", &["room.1"], &["room", "room.2", "room.1.2", "Room.1"])]
    #[case("user.*", &["user.1", "user.=2A"], &["user", "user.1.2", "users.1"])]
    #[case("*.chat", &["a.chat"], &["chat", "a.b.chat", "a.chat.b"])]
    #[case("*", &["a", "b"], &["a.b"])]
    #[case("user.**", &["user.1", "user.1.2"], &["user", "users.1"])]
    #[case("*.a.**", &["x.a.1", "x.a.1.2"], &["x.a", "a.x.1"])]
    #[case("**", &["a", "a.b", "a.b.c"], &[])]
    fn a_pattern_takes_whole_segments(
        #[case] text: &str,
        #[case] taken: &[&str],
        #[case] others: &[&str],
    ) {
        let pattern: ChannelPattern = text.parse().unwrap();
        assert_eq!(pattern.to_string(), text);
        for name in taken {
            assert!(pattern.matches(&name.parse().unwrap()), "{name}");
        }
        for name in others {
            assert!(!pattern.matches(&name.parse().unwrap()), "{name}");
        }
    }

    #[rstest]
    #[case("", "is not empty")]
    #[case("user*", "is a whole segment")]
    #[case("***", "is a whole segment")]
    #[case("**.a", "is the last segment")]
    #[case("a.**.b", "is the last segment")]
    #[case("**.**", "is the last segment")]
    #[case("a..*", "is empty")]
    #[case(".**", "is empty")]
    #[case("a/b.*", "has no \"/\"")]
    #[case("user.{id}", "has no \"{\"")]
    fn a_wrong_pattern_says_what_is_wrong(#[case] text: &str, #[case] message: &str) {
        let error = text.parse::<ChannelPattern>().unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}
