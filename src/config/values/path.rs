//! `path`: which paths a route serves.
//!
//! It works on paths in their normal form, as a `rewrite` does, of the request as of the settings, so that two spellings of
//! one path are matched alike, and what was matched and what is sent on cannot differ.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::error::ValueError;
use super::normal_path::{
    has_dot_segment, has_encoded_slash, is_pchar, leniently_normal, strictly_normal,
    with_reserved_decoded, with_slashes_decoded,
};
use super::text::text;

/// `/ws` (exact), `/ws/*` (what lies below `/ws/`), `/rooms/{id}` (a parameter is one whole
/// segment, and not empty), `/rooms/{id}/*` or `/*` (all).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// What stands between the slashes, behind the first one.
    segments: Vec<Segment>,
    /// Whether a `*` ends the pattern.
    pub(super) open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// In its normal form.
    Literal(String),
    Parameter(String),
}

/// What a pattern took out of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Captures<'p> {
    pub(super) parameters: Vec<&'p str>,
    /// What stood in the place of the `*`.
    pub(super) rest: &'p str,
}

impl PathPattern {
    /// Whether the pattern takes this path (without its query, in its normal form).
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.walk(path, |_| ()).is_some()
    }

    /// What the pattern takes out of this path; `None` if it does not match.
    pub(crate) fn capture<'p>(&self, path: &'p str) -> Option<Captures<'p>> {
        let mut parameters = Vec::new();
        let rest = self.walk(path, |parameter| parameters.push(parameter))?;
        Some(Captures { parameters, rest })
    }

    /// The value of a parameter in what this pattern captured.
    pub(crate) fn parameter<'p>(&self, name: &str, captures: &Captures<'p>) -> Option<&'p str> {
        captures.parameters.get(self.position(name)?).copied()
    }

    /// The parameters by name, in the order of the path; none where the path does not match.
    pub(crate) fn named_captures(&self, path: &str) -> Vec<(String, String)> {
        if self.parameters().next().is_none() {
            return Vec::new();
        }
        let values = self.capture(path).unwrap_or_default().parameters;
        let pairs = self.parameters().zip(values);
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Whether the pattern has a parameter of this name.
    pub(crate) fn captures(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Whether the pattern takes one path only.
    pub(crate) fn is_one_path(&self) -> bool {
        !self.open && self.parameters().next().is_none()
    }

    /// Whether the pattern takes every path: `/*`.
    pub(crate) fn is_every_path(&self) -> bool {
        self.open && self.segments.is_empty()
    }

    /// Whether every path that `other` takes is one that this pattern takes.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let (mine, theirs) = (&self.segments, &other.segments);
        let begin = mine.len() <= theirs.len()
            && mine
                .iter()
                .zip(theirs)
                .all(|(mine, their)| mine.covers(their));
        // A `*` stands for at least one more segment, even if that is empty.
        begin
            && match self.open {
                true => theirs.len() > mine.len() || other.open,
                false => theirs.len() == mine.len() && !other.open,
            }
    }

    /// Whether a segment has an encoded slash in it.
    pub(in crate::config) fn has_encoded_slash(&self) -> bool {
        let mut literals = self.segments().flatten();
        literals.any(has_encoded_slash)
    }

    /// The pattern that takes its paths as an upstream sees them that takes their encoded slashes for
    /// separators; `None` if it has none.
    pub(in crate::config) fn with_slashes_decoded(&self) -> Option<Self> {
        let segments = self.segments.iter().flat_map(|segment| match segment {
            Segment::Literal(literal) => {
                let decoded = with_slashes_decoded(literal);
                let decoded = decoded.as_ref().unwrap_or(literal).split('/');
                decoded
                    .map(|part| Segment::Literal(part.to_owned()))
                    .collect()
            }
            Segment::Parameter(_) => vec![segment.clone()],
        });
        self.has_encoded_slash().then(|| Self {
            segments: segments.collect(),
            open: self.open,
        })
    }

    /// The pattern that takes its paths as [`with_reserved_decoded`] has them.
    pub(crate) fn with_reserved_decoded(&self) -> Self {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Literal(literal) => {
                Segment::Literal(with_reserved_decoded(literal).into_owned())
            }
            Segment::Parameter(_) => segment.clone(),
        });
        Self {
            segments: segments.collect(),
            open: self.open,
        }
    }

    /// What stands between the slashes; `None` is a parameter.
    pub(in crate::config) fn segments(&self) -> impl Iterator<Item = Option<&str>> {
        self.segments.iter().map(|segment| match segment {
            Segment::Literal(literal) => Some(literal.as_str()),
            Segment::Parameter(_) => None,
        })
    }

    /// A segment that is written as other programs write parameters: `:id`.
    pub(in crate::config) fn colon_parameter(&self) -> Option<&str> {
        let mut literals = self.segments().flatten();
        literals.find(|literal| literal.len() > 1 && literal.starts_with(':'))
    }

    /// Whether a `*` ends the pattern.
    pub(in crate::config) fn is_open(&self) -> bool {
        self.open
    }

    /// Goes along the path, hands out each parameter and returns what stands for the `*`.
    fn walk<'p>(&self, path: &'p str, mut take: impl FnMut(&'p str)) -> Option<&'p str> {
        let mut rest = Some(path.strip_prefix('/')?);
        for segment in &self.segments {
            let (text, behind) = match rest?.split_once('/') {
                Some((text, behind)) => (text, Some(behind)),
                None => (rest?, None),
            };
            match segment {
                Segment::Literal(literal) if literal == text => (),
                Segment::Parameter(_) if !text.is_empty() => take(text),
                Segment::Literal(_) | Segment::Parameter(_) => return None,
            }
            rest = behind;
        }
        match (self.open, rest) {
            (true, Some(rest)) => Some(rest),
            (false, None) => Some(""),
            (true, None) | (false, Some(_)) => None,
        }
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.parameters().position(|parameter| parameter == name)
    }

    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Parameter(name) => Some(name.as_str()),
        })
    }
}

impl Segment {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(mine), Self::Literal(their)) => mine == their,
            (Self::Literal(_), Self::Parameter(_)) => false,
            (Self::Parameter(_), Self::Literal(their)) => !their.is_empty(),
            (Self::Parameter(_), Self::Parameter(_)) => true,
        }
    }
}

impl FromStr for PathPattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = check_path(text)?;
        let (segments, open) = match rest.strip_suffix("/*") {
            Some(segments) => (Some(segments), true),
            None if rest == "*" => (None, true),
            None => (Some(rest), false),
        };
        let mut pattern = Self {
            segments: Vec::new(),
            open,
        };
        for segment in segments.into_iter().flat_map(|text| text.split('/')) {
            let segment = parse_segment(segment, text)?;
            if let Segment::Parameter(name) = &segment
                && pattern.captures(name)
            {
                return Err(ValueError::new(format!(
                    "`{text}` has two parameters `{{{name}}}`"
                )));
            }
            pattern.segments.push(segment);
        }
        Ok(pattern)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => write!(f, "/{literal}")?,
                Segment::Parameter(name) => write!(f, "/{{{name}}}")?,
            }
        }
        match self.open {
            true => f.write_str("/*"),
            false => Ok(()),
        }
    }
}

text!(
    PathPattern,
    "a path such as \"/ws/*\"",
    r"^((/([A-Za-z0-9._~!$&'()+,;=:@-]|%[0-9A-Fa-f]{2})+|/\{[A-Za-z_][A-Za-z0-9_]*\})+(/\*?)?|/\*?)$"
);

/// Checks what every path owes, whatever stands in it, and takes its first slash off.
pub(super) fn check_path(text: &str) -> Result<&str, ValueError> {
    let error = |message: String| Err(ValueError::new(message));
    let Some(rest) = text.strip_prefix('/') else {
        let problem = ValueError::new(format!("`{text}` is not a path: it begins with `/`"));
        return Err(problem.help(match text {
            "*" | "" => "`/*` is every path".to_owned(),
            _ if text.starts_with(['^', '~', '=']) => NO_EXPRESSION.to_owned(),
            _ => format!("did you mean `/{text}`?"),
        }));
    };
    if text.contains(['?', '#']) {
        return error(format!(
            "`{text}` has a query or fragment: write the path alone (a query is sent on as it is)"
        ));
    }
    if !text.is_ascii() {
        return error(format!(
            "`{text}` is not ASCII: write it percent-encoded, as it stands in a request"
        ));
    }
    if text.contains("//") {
        return error(format!("`{text}` has an empty segment (`//`)"));
    }
    if has_dot_segment(rest) {
        return error(format!(
            "`{text}` has a `.` or `..` segment: requests with one are refused"
        ));
    }
    Ok(rest)
}

const NO_EXPRESSION: &str = "a path is no regular expression: `/ws` is one path, `/ws/*` is all below \
                             `/ws/`, and `{id}` is one segment";

fn parse_segment(segment: &str, path: &str) -> Result<Segment, ValueError> {
    let name = segment
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let Some(name) = name else {
        check_text(segment, path)?;
        let Some(normal) = strictly_normal(segment) else {
            return Err(ValueError::new(format!(
                "`{path}` has an encoded backslash, a control character or overlong UTF-8: requests \
                 with one are refused"
            )));
        };
        return Ok(Segment::Literal(normal.into_owned()));
    };
    let word = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !word || name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
        return Err(ValueError::new(format!(
            "`{path}`: `{{{name}}}` is not a parameter: its name is of letters, digits and `_`, \
             and does not begin with a digit"
        )));
    }
    Ok(Segment::Parameter(name.to_owned()))
}

/// Checks literal text of a path (RFC 3986 §3.3), and returns its normal form.
pub(super) fn check_text<'t>(literal: &'t str, path: &str) -> Result<Cow<'t, str>, ValueError> {
    let error = |message: String| Err(ValueError::new(message));
    if literal.contains('*') {
        let problem = ValueError::new(format!("`{path}`: a `*` stands only at the end, as `/*`"));
        let plain = path.split('*').next().unwrap_or_default();
        return Err(problem.help(match plain.trim_end_matches('/') {
            plain if plain.is_empty() || plain.contains(['(', '[', '^', '.', ':']) => {
                NO_EXPRESSION.to_owned()
            }
            plain => {
                format!("`{plain}/*` is all below `{plain}/`, and `{plain}` is that path alone")
            }
        }));
    }
    if literal.contains(['{', '}']) {
        return error(format!(
            "`{path}`: a parameter is a whole segment, like `/rooms/{{id}}`"
        ));
    }
    let legal = |c: &u8| is_pchar(*c) || b"/%".contains(c);
    if let Some(wrong) = literal.bytes().find(|c| !legal(c)).map(char::from) {
        if let '<' | '[' | '(' | '^' | '\\' | '|' = wrong {
            let problem = ValueError::new(format!("`{path}`: {wrong:?} does not stand in a path"));
            return Err(problem.help(NO_EXPRESSION));
        }
        return error(format!(
            "`{path}`: {wrong:?} does not stand in a path: write it percent-encoded"
        ));
    }
    leniently_normal(literal).ok_or_else(|| {
        ValueError::new(format!(
            "`{path}`: two hexadecimal digits stand behind a `%`"
        ))
    })
}

#[cfg(test)]
mod tests;
