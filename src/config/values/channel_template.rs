//! Templates of channels that a session is in from its start: `room.{path.room}`.

use std::fmt::Write;

use super::channel_name::{self, ChannelName};
use super::error::ValueError;
use super::path::PathPattern;
use super::template::{Piece, Values, pieces};

/// The name of a channel, in which a segment may be a placeholder.
///
/// It is a whole segment: of `room-{path.a}` and `room-{path.a}-admin`, other values would make one name.
///
/// What a path captured is decoded first: a subject and a claim have no escapes either. Then a value is escaped: each of its
/// bytes that a segment may not have, and `.` and `=`, becomes `=XX`. So it is always one segment, and two requests get one
/// name only if all their values are the same: no value names a channel that is not meant for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelTemplate {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Placeholder(Piece),
}

impl ChannelTemplate {
    /// Parses a name for a route with this path: `{path.NAME}` must be captured there.
    pub(in crate::config) fn parse(text: &str, path: &PathPattern) -> Result<Self, ValueError> {
        let pieces = pieces(text, path)?;
        // The name with a byte in the place of each placeholder, which no dot can be taken for.
        let sample = pieces.iter().map(|piece| match piece {
            Piece::Text(literal) => literal,
            _ => "-",
        });
        channel_name::check(&sample.collect::<String>())?;
        let mut segments: Vec<Segment> = Vec::new();
        let mut is_open = true;
        for piece in pieces {
            match piece {
                Piece::Text(literal) => {
                    let begins = segments.is_empty() || literal.starts_with('.');
                    if !begins {
                        return Err(beside_a_placeholder());
                    }
                    let parts = literal.split('.').filter(|part| !part.is_empty());
                    segments.extend(parts.map(|part| Segment::Literal(part.to_owned())));
                    is_open = literal.ends_with('.');
                }
                placeholder if is_open => {
                    segments.push(Segment::Placeholder(placeholder));
                    is_open = false;
                }
                _ => return Err(beside_a_placeholder()),
            }
        }
        Ok(Self { segments })
    }

    /// The channel for one request; none where it is about something that is not there, or empty, and where the name would be
    /// too long.
    pub(crate) fn render(&self, values: &Values<'_>) -> Option<ChannelName> {
        let mut name = String::new();
        for (index, segment) in self.segments.iter().enumerate() {
            if index > 0 {
                name.push('.');
            }
            match segment {
                Segment::Literal(literal) => name.push_str(literal),
                Segment::Placeholder(piece) => push_escaped(&mut name, &piece.decoded(values)?)?,
            }
        }
        name.parse().ok()
    }

    /// Whether it makes this name for some request.
    pub(crate) fn may_make(&self, name: &ChannelName) -> bool {
        let mut found = name.segments();
        let mut segments = self.segments.iter();
        let all_fit = segments.all(|segment| match (segment, found.next()) {
            (Segment::Literal(literal), Some(found)) => literal == found,
            (Segment::Placeholder(_), found) => found.is_some(),
            (Segment::Literal(_), None) => false,
        });
        all_fit && found.next().is_none()
    }

    /// The claims that it uses.
    #[cfg_attr(not(feature = "auth"), allow(dead_code))]
    pub(in crate::config) fn claims(&self) -> impl Iterator<Item = &str> {
        self.placeholders().filter_map(|piece| match piece {
            Piece::Claim(name) => Some(&**name),
            _ => None,
        })
    }

    /// Whether it says who the client is.
    pub(in crate::config) fn uses_identity(&self) -> bool {
        let mut placeholders = self.placeholders();
        placeholders.any(|piece| matches!(piece, Piece::Subject | Piece::Claim(_)))
    }

    /// Whether it says what the path captured.
    pub(in crate::config) fn uses_path(&self) -> bool {
        let mut placeholders = self.placeholders();
        placeholders.any(|piece| matches!(piece, Piece::Path(_)))
    }

    fn placeholders(&self) -> impl Iterator<Item = &Piece> {
        let segments = self.segments.iter();
        segments.filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Placeholder(piece) => Some(piece),
        })
    }
}

fn beside_a_placeholder() -> ValueError {
    ValueError::new("a placeholder is a whole segment of the name of a channel")
        .label("a dot is missing beside a placeholder")
        .help("such as \"room.{path.room}\": beside a text, other values could make the name of another channel")
}

/// Adds a value that is not empty as a segment.
fn push_escaped(name: &mut String, value: &[u8]) -> Option<()> {
    if value.is_empty() || value.len() > ChannelName::LONGEST {
        return None;
    }
    for &byte in value {
        match byte != b'=' && channel_name::is_of_segment(byte) {
            true => name.push(char::from(byte)),
            // Writing to a string cannot fail.
            false => drop(write!(name, "={byte:02X}")),
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
