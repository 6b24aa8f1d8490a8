//! The path of a file that the settings name.

use std::path::PathBuf;

use super::error::ValueError;
use super::text::Text;

/// The path of a file; an empty string is none.
pub(in crate::config) struct FilePath;

impl Text for FilePath {
    type Value = Option<PathBuf>;
    const FORM: &'static str = "the path of a file";

    fn parse(text: &str) -> Result<Self::Value, ValueError> {
        match text.contains('\0') {
            true => Err(ValueError::new("this is not the path of a file")),
            false => Ok(Some(PathBuf::from(text)).filter(|path| !path.as_os_str().is_empty())),
        }
    }

    fn print(path: &Self::Value) -> String {
        let path = path.as_ref();
        path.map_or_else(String::new, |path| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_path_or_none() {
        assert_eq!(FilePath::parse(""), Ok(None));
        assert_eq!(FilePath::parse("tls/ca.pem"), Ok(Some("tls/ca.pem".into())));
        assert!(FilePath::parse("a\0b").is_err());
    }
}
