//! The path under which load balancers ask for the gate's health.

use super::error::ValueError;
use super::path::PathPattern;
use super::text::Text;

/// One whole path in its normal form; an empty string is none.
pub(in crate::config) struct HealthPath;

impl Text for HealthPath {
    type Value = String;
    const FORM: &'static str = "a path such as \"/healthz\"";
    const PATTERN: Option<&'static str> = Some(r"^(/[^?#*{}]*)?$");

    fn parse(text: &str) -> Result<String, ValueError> {
        if text.is_empty() {
            return Ok(String::new());
        }
        let pattern: PathPattern = text.parse()?;
        match pattern.is_one_path() {
            true if pattern.has_encoded_slash() => Err(ValueError::new(format!(
                "`{text}` has an encoded slash (`%2F`)"
            ))
            .help("write a path that nobody reads in two ways, such as \"/healthz\"")),
            true => Ok(pattern.to_string()),
            false => Err(ValueError::new(format!("`{text}` is more than one path"))
                .help("write one whole path, such as \"/healthz\"")),
        }
    }

    fn print(path: &String) -> String {
        path.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_path_in_its_normal_form_or_none() {
        for (text, path) in [
            ("", ""),
            ("/", "/"),
            ("/healthz", "/healthz"),
            ("/%68ealth/z", "/health/z"),
        ] {
            assert_eq!(HealthPath::parse(text), Ok(path.to_owned()), "{text}");
        }
        for text in [
            "healthz", "/*", "/up/*", "/{id}", "/up?x", "/up/../x", "/a%2fb",
        ] {
            assert!(HealthPath::parse(text).is_err(), "{text}");
        }
    }
}
