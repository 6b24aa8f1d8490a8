//! The token of an admin interface.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use http::HeaderValue;
use wsgate::config::Secret;

use crate::cli::error::{CommandError, REJECTED};

/// The token to send, if there is one, and where it comes from. The token itself is never shown.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(super) authorization: Option<HeaderValue>,
    source: TokenSource,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenSource {
    /// `[admin]` of this file.
    Settings(PathBuf),
    /// `[admin]` of this file has none.
    NotInSettings(PathBuf),
    File(PathBuf),
    Variable,
    Nowhere,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    #[error("the token in {} cannot be read", .0.display())]
    File(PathBuf, #[source] io::Error),
    #[error("{0} has no valid token")]
    Unsendable(TokenSource),
}

const VARIABLE: &str = "WSGATE_ADMIN_TOKEN";

/// The bytes that the file of a token may have: no request could carry more.
const LARGEST_FILE: u64 = 64 * 1024;

impl Token {
    pub(super) fn from_file(file: &Path) -> Result<Self, TokenError> {
        let text = read(file).map_err(|error| TokenError::File(file.to_owned(), error))?;
        Self::new(Some(text.trim()), TokenSource::File(file.to_owned()))
    }

    pub(super) fn from_environment() -> Result<Self, TokenError> {
        match std::env::var_os(VARIABLE) {
            Some(value) if !value.is_empty() => Self::new(value.to_str(), TokenSource::Variable),
            _ => Ok(Self::nowhere()),
        }
    }

    /// The token in `[admin]` of this file.
    pub(super) fn from_settings(file: &Path, token: Option<&Secret>) -> Result<Self, TokenError> {
        let file = file.to_owned();
        match token {
            Some(token) => Self::new(Some(token.expose()), TokenSource::Settings(file)),
            None => Ok(Self::none(TokenSource::NotInSettings(file))),
        }
    }

    fn new(token: Option<&str>, source: TokenSource) -> Result<Self, TokenError> {
        let token = token.filter(|token| !token.is_empty());
        let value = token.and_then(|token| {
            let bearer = Secret::new(format!("Bearer {token}"));
            HeaderValue::from_str(bearer.expose()).ok()
        });
        let Some(mut authorization) = value else {
            return Err(TokenError::Unsendable(source));
        };
        authorization.set_sensitive(true);
        Ok(Self {
            authorization: Some(authorization),
            source,
        })
    }

    /// For an interface that has none.
    pub(super) fn nowhere() -> Self {
        Self::none(TokenSource::Nowhere)
    }

    fn none(source: TokenSource) -> Self {
        Self {
            authorization: None,
            source,
        }
    }

    /// What an admin interface wants that answers 401 to this.
    pub(super) fn wanted(&self) -> &'static str {
        match self.authorization {
            Some(_) => "another token",
            None => "a token",
        }
    }

    /// What to do where the admin interface answers 401.
    pub(super) fn help(&self) -> String {
        match &self.source {
            TokenSource::Settings(file) => format!(
                "the process has another token than [admin] in {}: was the file changed without a \
                 reload, or has a variable in it another value here?",
                file.display()
            ),
            TokenSource::NotInSettings(file) => format!(
                "{} has no token in [admin]: was it changed without a reload? Give the token of the \
                 process with --token-file",
                file.display()
            ),
            source @ (TokenSource::File(_) | TokenSource::Variable) => {
                format!("{source} is not the token of [admin] in the settings of the process")
            }
            TokenSource::Nowhere => format!(
                "give the token of [admin] with --token-file FILE, or in the variable {VARIABLE}"
            ),
        }
    }
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(file) | Self::NotInSettings(file) => {
                write!(f, "[admin] in {}", file.display())
            }
            Self::File(file) => write!(f, "the file {}", file.display()),
            Self::Variable => write!(f, "the variable {VARIABLE}"),
            Self::Nowhere => f.write_str("nothing"),
        }
    }
}

impl From<TokenError> for CommandError {
    fn from(error: TokenError) -> Self {
        let help = match &error {
            TokenError::Unsendable(_) => Some("a token is one line of printable ASCII"),
            TokenError::File(..) => None,
        };
        Self::new(error, REJECTED).with_help(help)
    }
}

/// Reads a file or a pipe to its end.
fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let mut bounded = File::open(file)?.take(LARGEST_FILE + 1);
    match bounded.read_to_string(&mut text)? as u64 > LARGEST_FILE {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line_and_is_never_shown() {
        let token = Token::new(Some("t0ken"), TokenSource::Variable).unwrap();
        assert_eq!(token.authorization.as_ref().unwrap(), "Bearer t0ken");
        assert!(!format!("{token:?}").contains("t0ken"));
        for text in [None, Some(""), Some("two\nlines"), Some("c4nary\0")] {
            let wrong = Token::new(text, TokenSource::Variable).unwrap_err();
            let expected = "the variable WSGATE_ADMIN_TOKEN has no valid token";
            assert_eq!(wrong.to_string(), expected);
        }
    }
}
