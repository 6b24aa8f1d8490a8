//! Templates of channels that a session is in from its start: `room.{path.room}`.

use std::fmt::Write;

use super::channel_name::{self, ChannelName};
use super::error::ValueError;
use super::path::PathPattern;
use super::template::{Piece, Values, pieces};

/// The name of a channel with placeholders, at most one in a segment.
///
/// What a path captured is decoded first: a subject and a claim have no escapes either. Then a value is escaped: each of its
/// bytes that a segment may not have, and `.` and `=`, becomes `=XX`. So it is always one segment, and two requests get one
/// name only if all their values are the same: no value names a channel that is not meant for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelTemplate {
    segments: Vec<Segment>,
}

/// A segment: a text, or a placeholder with the texts around it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    before: String,
    placeholder: Option<Piece>,
    after: String,
}

impl ChannelTemplate {
    /// Parses a name for a route with this path: `{path.NAME}` must be captured there.
    pub(in crate::config) fn parse(text: &str, path: &PathPattern) -> Result<Self, ValueError> {
        let mut segments = vec![Segment::empty()];
        // The name with a byte in the place of each placeholder.
        let mut sample = String::new();
        for piece in pieces(text, path)? {
            match piece {
                Piece::Text(literal) => {
                    sample.push_str(&literal);
                    for (index, part) in literal.split('.').enumerate() {
                        if index > 0 {
                            segments.push(Segment::empty());
                        }
                        if let Some(segment) = segments.last_mut() {
                            segment.push(part);
                        }
                    }
                }
                placeholder => {
                    sample.push('-');
                    let segment = segments.last_mut();
                    let before =
                        segment.and_then(|segment| segment.placeholder.replace(placeholder));
                    if before.is_some() {
                        return Err(two_placeholders());
                    }
                }
            }
        }
        channel_name::check(&sample)?;
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
            name.push_str(&segment.before);
            if let Some(placeholder) = &segment.placeholder {
                push_escaped(&mut name, &placeholder.decoded(values)?)?;
            }
            name.push_str(&segment.after);
        }
        name.parse().ok()
    }

    /// Whether it makes this name for some request.
    pub(crate) fn may_make(&self, name: &ChannelName) -> bool {
        let mut found = name.segments();
        let mut segments = self.segments.iter();
        segments.all(|segment| found.next().is_some_and(|found| segment.may_make(found)))
            && found.next().is_none()
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
        segments.filter_map(|segment| segment.placeholder.as_ref())
    }
}

impl Segment {
    fn empty() -> Self {
        Self {
            before: String::new(),
            placeholder: None,
            after: String::new(),
        }
    }

    fn push(&mut self, text: &str) {
        match self.placeholder {
            None => self.before.push_str(text),
            Some(_) => self.after.push_str(text),
        }
    }

    fn may_make(&self, found: &str) -> bool {
        if self.placeholder.is_none() {
            return found == self.before;
        }
        let value = found.strip_prefix(&*self.before);
        let value = value.and_then(|value| value.strip_suffix(&*self.after));
        value.is_some_and(|value| !value.is_empty())
    }
}

/// The values of two placeholders could run into each other: "a-b" and "c" are as long as "a" and "b-c".
fn two_placeholders() -> ValueError {
    ValueError::new("a segment of a channel has two placeholders")
        .label("a dot is missing between two of them")
        .help(
            "write a dot between them: without one, other values of both could make the same name",
        )
}

/// Adds a value that is not empty as a part of a segment.
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
