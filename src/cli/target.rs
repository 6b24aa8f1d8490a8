//! Which process a command is for: where its admin interface is, and with which token.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use http::HeaderValue;

use super::client::{Client, Place};
use super::error::{CommandError, Failure};
use wsgate::config::{AdminToken, ListenAddress, Secret, admin_listener};

/// Where an installed wsgate has its settings.
pub(super) const DEFAULT_FILE: &str = "/etc/wsgate/wsgate.toml";

const TOKEN_VARIABLE: &str = "WSGATE_ADMIN_TOKEN";

/// Which process is meant.
#[derive(Args, Debug)]
#[command(next_help_heading = "Which wsgate")]
pub(super) struct Target {
    /// The file of settings that it runs by, whose `[admin]` says where and with which token
    /// [default: /etc/wsgate/wsgate.toml]
    #[arg(long, value_name = "FILE", conflicts_with = "admin", global = true)]
    config: Option<PathBuf>,
    /// Or where its admin interface listens: http://127.0.0.1:9900 or unix:/path, with the token
    /// that is in the variable WSGATE_ADMIN_TOKEN
    #[arg(long, value_name = "ADDRESS", value_parser = Place::parse, global = true)]
    admin: Option<Place>,
    /// A file that holds the token and nothing else, in place of either
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
}

/// Where the token of a request came from, for whoever has to mend it. It is never shown itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenSource {
    /// `[admin]` of this file.
    Settings(PathBuf),
    /// That has none.
    NotInSettings(PathBuf),
    File(PathBuf),
    Variable,
    Nowhere,
}

impl Target {
    /// Finds out where it is; nothing is dialled yet.
    pub(super) fn client(&self) -> Result<Client, CommandError> {
        match &self.admin {
            Some(place) => self.at(place.clone()),
            None => self.of_settings(),
        }
    }

    fn at(&self, place: Place) -> Result<Client, CommandError> {
        let from_file = self.token_of_file()?;
        let (token, source) = match (from_file, std::env::var_os(TOKEN_VARIABLE)) {
            (Some(found), _) => found,
            (None, Some(value)) if !value.is_empty() => {
                let source = TokenSource::Variable;
                (Some(sendable(value.to_str(), &source)?), source)
            }
            (None, _) => (None, TokenSource::Nowhere),
        };
        Ok(Client::new(place, token, source))
    }

    fn of_settings(&self) -> Result<Client, CommandError> {
        let file = match &self.config {
            Some(file) => file.as_path(),
            None if Path::new(DEFAULT_FILE).exists() => Path::new(DEFAULT_FILE),
            None => return Err(Failure::NoDefaultFile.into()),
        };
        let from_file = self.token_of_file()?;
        let wanted = match from_file {
            Some(_) => AdminToken::Ignore,
            None => AdminToken::Read,
        };
        let admin = admin_listener(file, wanted).map_err(Failure::Settings)?;
        let admin = admin.ok_or_else(|| Failure::NoAdminTable(file.to_owned()))?;
        let place = match &admin.address {
            ListenAddress::Tcp(address) if address.port() == 0 => {
                return Err(Failure::NoPort(file.to_owned()).into());
            }
            ListenAddress::Tcp(address) => Place::of_listener(*address),
            ListenAddress::Unix(path) => Place::Unix(path.clone()),
        };
        let (token, source) = match (from_file, &admin.token) {
            (Some(found), _) => found,
            (None, Some(token)) => {
                let source = TokenSource::Settings(file.to_owned());
                (Some(sendable(Some(token.expose()), &source)?), source)
            }
            (None, None) => (None, TokenSource::NotInSettings(file.to_owned())),
        };
        Ok(Client::new(place, token, source))
    }

    fn token_of_file(&self) -> Result<Option<(Option<HeaderValue>, TokenSource)>, CommandError> {
        let Some(file) = &self.token_file else {
            return Ok(None);
        };
        let text = fs::read_to_string(file).map_err(|source| Failure::TokenFile {
            file: file.clone(),
            source,
        })?;
        let source = TokenSource::File(file.clone());
        let token = sendable(Some(text.trim()), &source)?;
        Ok(Some((Some(token), source)))
    }
}

impl TokenSource {
    /// What a process wants that does not take this token.
    pub(super) fn wanted(&self) -> &'static str {
        match self {
            Self::Settings(_) | Self::File(_) | Self::Variable => "another token",
            Self::NotInSettings(_) | Self::Nowhere => "a token",
        }
    }

    /// What to do where the process does not take this token.
    pub(super) fn help(&self) -> String {
        match self {
            Self::Settings(file) => format!(
                "the process runs with another token than [admin] in {}: was the file changed \
                 and not read again, or is a variable in it another one here?",
                file.display()
            ),
            Self::NotInSettings(file) => format!(
                "{} has no token in [admin]: was it changed and not read again? The token that \
                 the process runs with can be given with --token-file",
                file.display()
            ),
            Self::File(_) | Self::Variable => {
                format!("{self} is not the one in [admin] of the settings that the process runs by")
            }
            Self::Nowhere => format!(
                "give the token of [admin] with --token-file FILE, or in the variable \
                 {TOKEN_VARIABLE}"
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
            Self::Variable => write!(f, "the variable {TOKEN_VARIABLE}"),
            Self::Nowhere => f.write_str("nothing"),
        }
    }
}

impl Place {
    /// Where a listener is reached from the machine that it is on.
    fn of_listener(mut address: SocketAddr) -> Self {
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        Self::Tcp(address.to_string())
    }
}

/// The header that carries a token.
fn sendable(token: Option<&str>, source: &TokenSource) -> Result<HeaderValue, CommandError> {
    let token = token.filter(|token| !token.is_empty());
    let value = token.and_then(|token| {
        let bearer = Secret::new(format!("Bearer {token}"));
        HeaderValue::from_str(bearer.expose()).ok()
    });
    let mut value = value.ok_or_else(|| Failure::Token(source.clone()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_reached_on_this_machine() {
        for (listens, reached) in [
            ("127.0.0.1:9900", "127.0.0.1:9900"),
            ("0.0.0.0:9900", "127.0.0.1:9900"),
            ("[::]:9900", "[::1]:9900"),
            ("10.0.0.7:1", "10.0.0.7:1"),
        ] {
            let place = Place::of_listener(listens.parse().unwrap());
            assert_eq!(place, Place::Tcp(reached.to_owned()), "{listens}");
        }
    }

    #[test]
    fn a_token_is_one_line_and_is_never_shown() {
        let sent = sendable(Some("t0ken"), &TokenSource::Variable).unwrap();
        assert_eq!(sent, "Bearer t0ken");
        assert!(!format!("{sent:?}").contains("t0ken"));
        for token in [None, Some(""), Some("two\nlines"), Some("c4nary\0")] {
            let wrong = sendable(token, &TokenSource::Variable).unwrap_err();
            let expected = "the variable WSGATE_ADMIN_TOKEN holds no token that could be sent";
            assert_eq!(wrong.to_string(), expected);
        }
    }
}
