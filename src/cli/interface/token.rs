//! The token of an interface.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use http::HeaderValue;
use wsgate::config::Secret;

use super::kind::Interface;
use crate::cli::error::{CommandError, REJECTED};

/// The token to send, if there is one, and where it comes from. The token itself is never shown.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    interface: Interface,
    pub(super) authorization: Option<HeaderValue>,
    source: TokenSource,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenSource {
    /// The table of the interface in this file.
    Settings(Interface, PathBuf),
    /// That has none.
    NotInSettings(Interface, PathBuf),
    File(PathBuf),
    Variable(Interface),
    Nowhere,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token in {} cannot be read", .0.display())]
    File(PathBuf, #[source] io::Error),
    #[error("{0} has no valid token")]
    Unsendable(TokenSource),
}

/// The bytes that the file of a token may have: no request could carry more.
const LARGEST_FILE: u64 = 64 * 1024;

impl Token {
    pub(crate) fn from_file(interface: Interface, file: &Path) -> Result<Self, TokenError> {
        let text = read(file).map_err(|error| TokenError::File(file.to_owned(), error))?;
        let source = TokenSource::File(file.to_owned());
        Self::new(interface, Some(text.trim()), source)
    }

    pub(crate) fn from_environment(interface: Interface) -> Result<Self, TokenError> {
        match std::env::var_os(interface.variable()) {
            Some(value) if !value.is_empty() => {
                Self::new(interface, value.to_str(), TokenSource::Variable(interface))
            }
            _ => Ok(Self::nowhere(interface)),
        }
    }

    /// The token in the table of the interface in this file.
    pub(crate) fn from_settings(
        interface: Interface,
        file: &Path,
        token: Option<&Secret>,
    ) -> Result<Self, TokenError> {
        let file = file.to_owned();
        match token {
            Some(token) => {
                let source = TokenSource::Settings(interface, file);
                Self::new(interface, Some(token.expose()), source)
            }
            None => Ok(Self::none(
                interface,
                TokenSource::NotInSettings(interface, file),
            )),
        }
    }

    fn new(
        interface: Interface,
        token: Option<&str>,
        source: TokenSource,
    ) -> Result<Self, TokenError> {
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
            interface,
            authorization: Some(authorization),
            source,
        })
    }

    /// For an interface that has none.
    pub(crate) fn nowhere(interface: Interface) -> Self {
        Self::none(interface, TokenSource::Nowhere)
    }

    fn none(interface: Interface, source: TokenSource) -> Self {
        Self {
            interface,
            authorization: None,
            source,
        }
    }

    /// The interface that it is for.
    pub(super) fn interface(&self) -> Interface {
        self.interface
    }

    /// What an interface wants that answers 401 to this.
    pub(super) fn wanted(&self) -> &'static str {
        match self.authorization {
            Some(_) => "another token",
            None => "a token",
        }
    }

    /// What to do where the interface answers 401.
    pub(super) fn help(&self) -> String {
        let (table, variable) = (self.interface.table(), self.interface.variable());
        match &self.source {
            TokenSource::Settings(_, file) => format!(
                "the process has another token than {table} in {}: was the file changed without a \
                 reload, or has a variable in it another value here?",
                file.display()
            ),
            TokenSource::NotInSettings(_, file) => format!(
                "{} has no token in {table}: was it changed without a reload? Give the token of the \
                 process with --token-file",
                file.display()
            ),
            source @ (TokenSource::File(_) | TokenSource::Variable(_)) => {
                let one = match self.interface {
                    Interface::Admin => "the token",
                    Interface::Publish => "a token",
                };
                format!("{source} is not {one} of {table} in the settings of the process")
            }
            TokenSource::Nowhere => format!(
                "give the token of {table} with --token-file FILE, or in the variable {variable}"
            ),
        }
    }
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(interface, file) | Self::NotInSettings(interface, file) => {
                write!(f, "{} in {}", interface.table(), file.display())
            }
            Self::File(file) => write!(f, "the file {}", file.display()),
            Self::Variable(interface) => write!(f, "the variable {}", interface.variable()),
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
        let (interface, source) = (Interface::Admin, TokenSource::Variable(Interface::Admin));
        let token = Token::new(interface, Some("t0ken"), source.clone()).unwrap();
        assert_eq!(token.authorization.as_ref().unwrap(), "Bearer t0ken");
        assert!(!format!("{token:?}").contains("t0ken"));
        for text in [None, Some(""), Some("two\nlines"), Some("c4nary\0")] {
            let wrong = Token::new(interface, text, source.clone()).unwrap_err();
            let expected = "the variable WSGATE_ADMIN_TOKEN has no valid token";
            assert_eq!(wrong.to_string(), expected);
        }
    }
}
