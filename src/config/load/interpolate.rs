//! `${NAME}` in a string: the value of an environment variable.

use std::borrow::Cow;
use std::env::VarError;

use toml::Spanned;
use toml::de::DeValue;

use crate::config::report::{Report, joined};
use crate::config::values::ValueError;

/// Looks an environment variable up.
pub(super) type Environment<'a> = dyn Fn(&str) -> Result<String, VarError> + 'a;

/// Fills in the variables of every string in a value, and reports those that cannot be filled in.
pub(super) fn expand(
    value: &mut Spanned<DeValue<'_>>,
    key: &str,
    environment: &Environment<'_>,
    report: &mut Report<'_>,
) {
    let span = value.span();
    match value.get_mut() {
        DeValue::String(text) => match interpolate(text, environment) {
            Ok(Cow::Borrowed(_)) => {}
            Ok(Cow::Owned(filled)) => {
                report.fill(span);
                *text = filled.into();
            }
            Err(unfilled) => {
                for Unfilled { written, message } in unfilled {
                    report.error_of_part(&span, &written, key, ValueError::new(message));
                }
                report.leave_unfilled(span);
            }
        },
        DeValue::Array(list) => {
            for (index, entry) in list.iter_mut().enumerate() {
                expand(entry, &format!("{key}[{index}]"), environment, report);
            }
        }
        DeValue::Table(table) => {
            for (name, entry) in table.iter_mut() {
                expand(entry, &joined(key, name.get_ref()), environment, report);
            }
        }
        _ => {}
    }
}

/// A `${…}` that cannot be filled in: how it is written, and why not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfilled {
    pub(super) written: String,
    pub(super) message: String,
}

/// Fills in every `${NAME}`; `$${` stands for a `${` that means itself.
///
/// Borrowed if nothing was filled in.
pub(super) fn interpolate<'a>(
    text: &'a str,
    environment: &Environment<'_>,
) -> Result<Cow<'a, str>, Vec<Unfilled>> {
    if !text.contains("${") {
        return Ok(Cow::Borrowed(text));
    }
    let mut filled = String::with_capacity(text.len());
    let mut unfilled = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find("${") {
        let (before, placeholder) = rest.split_at(dollar);
        if let Some(before) = before.strip_suffix('$') {
            filled.push_str(before);
            filled.push_str("${");
            rest = &placeholder[2..];
            continue;
        }
        filled.push_str(before);
        let Some((name, after)) = placeholder[2..].split_once('}') else {
            unfilled.push(Unfilled {
                written: placeholder.to_owned(),
                message: "`${` without a `}`".to_owned(),
            });
            rest = "";
            break;
        };
        match variable(name, environment) {
            Ok(value) => filled.push_str(&value),
            Err(message) => unfilled.push(Unfilled {
                written: format!("${{{name}}}"),
                message,
            }),
        }
        rest = after;
    }
    filled.push_str(rest);
    match unfilled.is_empty() {
        true => Ok(Cow::Owned(filled)),
        false => Err(unfilled),
    }
}

fn variable(name: &str, environment: &Environment<'_>) -> Result<String, String> {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && (name.bytes()).all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if !is_name(name) {
        // It may be part of a secret with a `$` in it.
        return Err("this is not the name of an environment variable".to_owned());
    }
    environment(name).map_err(|error| match error {
        VarError::NotPresent => format!("the environment variable `{name}` is not set"),
        VarError::NotUnicode(_) => format!("the environment variable `{name}` is not UTF-8"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Result<String, VarError> {
        match name {
            "HOST" => Ok("example.com".to_owned()),
            "EMPTY" => Ok(String::new()),
            "NESTED" => Ok("${HOST}".to_owned()),
            "BYTES" => Err(VarError::NotUnicode("x".into())),
            _ => Err(VarError::NotPresent),
        }
    }

    #[test]
    fn variables_are_filled_in_once() {
        for (text, expected) in [
            ("plain $ {HOST} }", "plain $ {HOST} }"),
            ("${HOST}", "example.com"),
            ("ws://${HOST}:1/${EMPTY}x", "ws://example.com:1/x"),
            ("${HOST}${HOST}", "example.comexample.com"),
            ("${NESTED}", "${HOST}"),
            ("$${HOST} ${HOST}", "${HOST} example.com"),
        ] {
            assert_eq!(interpolate(text, &environment).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn every_variable_that_cannot_be_filled_in_is_named() {
        for (text, expected) in [
            ("${A}-${B}", vec!["${A}", "${B}"]),
            ("${BYTES}", vec!["${BYTES}"]),
            ("${HOST", vec!["${HOST"]),
            ("${}", vec!["${}"]),
            ("${A B}", vec!["${A B}"]),
            ("${1A}", vec!["${1A}"]),
        ] {
            let unfilled = interpolate(text, &environment).unwrap_err();
            let written: Vec<_> = unfilled.iter().map(|each| each.written.as_str()).collect();
            assert_eq!(written, expected, "{text}");
        }
    }
}
