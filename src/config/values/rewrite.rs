//! `rewrite`: which path the upstream sees.

use std::fmt::{self, Write};

use super::error::ValueError;
use super::path::{Captures, PathPattern, check_path, check_text};

/// The path sent upstream: text in which `{name}` is a parameter of the route's [`PathPattern`],
/// and a `/*` at the end is what stood for the `*` there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rewrite(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// In its normal form.
    Text(String),
    /// The index among the captured parameters, and the name to print it back.
    Parameter(usize, String),
    /// Who the client is.
    Subject,
    /// What else is known of the client under a name.
    Claim(String),
    Rest,
}

impl Rewrite {
    /// Parses a rewrite for a route with this path: every placeholder must be captured there.
    pub(crate) fn parse(text: &str, path: &PathPattern) -> Result<Self, ValueError> {
        check_path(text)?;
        let mut pieces = Vec::new();
        let (mut rest, open) = match text.strip_suffix("/*") {
            Some(_) => (&text[..text.len() - 1], true),
            None => (text, false),
        };
        if open && !path.open {
            return Err(ValueError::new(format!(
                "`{text}` ends with `*`, but the route's path `{path}` does not"
            )));
        }
        while let Some((literal, behind)) = rest.split_once('{') {
            let Some((name, behind)) = behind.split_once('}') else {
                return Err(ValueError::new(format!(
                    "`{text}` has a `{{` without its `}}`"
                )));
            };
            push_text(&mut pieces, literal, text)?;
            pieces.push(placeholder(name, text, path)?);
            rest = behind;
        }
        push_text(&mut pieces, rest, text)?;
        if open {
            pieces.push(Piece::Rest);
        }
        Ok(Self(pieces))
    }

    /// The path sent upstream, made of what the route's path captured and of who the client is; `None` where that is not
    /// known, or cannot stand in a path.
    pub(crate) fn apply<'v>(
        &self,
        captures: &Captures<'_>,
        subject: Option<&'v str>,
        claim: impl Fn(&str) -> Option<&'v str>,
    ) -> Option<String> {
        let mut path = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => path.push_str(text),
                Piece::Parameter(index, _) => {
                    path.push_str(captures.parameters.get(*index).unwrap_or(&""));
                }
                Piece::Subject => push_segment(&mut path, subject?)?,
                Piece::Claim(name) => push_segment(&mut path, claim(name)?)?,
                Piece::Rest => path.push_str(captures.rest),
            }
        }
        Some(path)
    }

    /// The claims that it uses.
    #[cfg_attr(not(feature = "auth"), allow(dead_code))]
    pub(in crate::config) fn claims(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Claim(name) => Some(&**name),
            _ => None,
        })
    }
}

impl fmt::Display for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Parameter(_, name) => write!(f, "{{{name}}}"),
            Piece::Subject => f.write_str("{subject}"),
            Piece::Claim(name) => write!(f, "{{claim.{name}}}"),
            Piece::Rest => f.write_str("*"),
        })
    }
}

/// A parameter of the path, or who the client is.
fn placeholder(name: &str, rewrite: &str, path: &PathPattern) -> Result<Piece, ValueError> {
    if let Some(index) = path.position(name) {
        return Ok(Piece::Parameter(index, name.to_owned()));
    }
    match name.strip_prefix("claim.") {
        Some(claim) if !claim.is_empty() => Ok(Piece::Claim(claim.to_owned())),
        _ if name == "subject" => Ok(Piece::Subject),
        _ => Err(no_parameter(rewrite, name, path)),
    }
}

/// Adds a value to a path, escaped (RFC 3986 §2.3). One that a server could read as more than a segment, or as another one,
/// is refused.
fn push_segment(path: &mut String, value: &str) -> Option<()> {
    let is_segment = !matches!(value, "" | "." | "..") && !value.contains(['/', '\\', '\0']);
    if !is_segment {
        return None;
    }
    for byte in value.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => path.push(char::from(byte)),
            // Writing to a string cannot fail.
            false => drop(write!(path, "%{byte:02X}")),
        }
    }
    Some(())
}

fn push_text(pieces: &mut Vec<Piece>, literal: &str, rewrite: &str) -> Result<(), ValueError> {
    let normal = check_text(literal, rewrite)?;
    if !literal.is_empty() {
        pieces.push(Piece::Text(normal.into_owned()));
    }
    Ok(())
}

fn no_parameter(rewrite: &str, name: &str, path: &PathPattern) -> ValueError {
    let known: Vec<String> = path
        .parameters()
        .map(|name| format!("`{{{name}}}`"))
        .collect();
    let known = match known.is_empty() {
        true => "none".to_owned(),
        false => known.join(", "),
    };
    ValueError::new(format!(
        "`{rewrite}`: the route's path `{path}` has no parameter `{{{name}}}` (it has {known})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(rewrite: &str, subject: Option<&'static str>) -> Option<String> {
        let pattern: PathPattern = "/rooms/{id}/*".parse().unwrap();
        let rewrite = Rewrite::parse(rewrite, &pattern).unwrap();
        let captures = pattern.capture("/rooms/7/a/b").unwrap();
        let claim = |name: &str| (name == "org.id").then_some("acme inc");
        rewrite.apply(&captures, subject, claim)
    }

    #[test]
    fn a_client_is_a_segment_of_the_path() {
        let rewrite = "/users/{subject}/{claim.org.id}/{id}/*";
        let path = applied(rewrite, Some("auth0|a b")).unwrap();
        assert_eq!(path, "/users/auth0%7Ca%20b/acme%20inc/7/a/b");
        for wrong in ["", ".", "..", "a/b", "..\\a", "a\0"] {
            assert_eq!(applied(rewrite, Some(wrong)), None, "{wrong:?}");
        }
        assert_eq!(applied(rewrite, None), None);
        assert_eq!(applied("/{claim.other}", Some("a")), None);
        assert_eq!(applied("/x/*", None).as_deref(), Some("/x/a/b"));
    }

    #[test]
    fn a_parameter_of_the_path_may_be_called_as_the_client_is() {
        let pattern: PathPattern = "/{subject}".parse().unwrap();
        let rewrite = Rewrite::parse("/u/{subject}", &pattern).unwrap();
        let captures = pattern.capture("/a").unwrap();
        assert_eq!(
            rewrite.apply(&captures, Some("b"), |_| None).as_deref(),
            Some("/u/a")
        );
        assert_eq!(rewrite.to_string(), "/u/{subject}");
    }
}
