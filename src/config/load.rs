//! The ways to settings: a file, a text, a URL.

#[cfg(feature = "server")]
mod admin;
mod mask;
#[cfg(test)]
mod tests;

use std::env::VarError;
use std::io;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Problem};
use super::file::{File, ListenTable, RouteTable, ServerEntry, UpstreamTable};
use super::interpolate::Environment;
use super::reader::{FromText, FromToml, Named, Reader, Setting};
use super::server_url::ServerUrl;
use super::text::{Name, Parsed};
use super::{Config, ConfigErrors, ListenAddress, resolve};

#[cfg(feature = "server")]
pub use admin::{AdminToken, admin_listener};

impl Config {
    /// Reads a file. Relative paths in it begin at its directory, and `${NAME}` takes the
    /// environment variable `NAME`.
    pub fn from_file(path: &Path) -> Result<Self, ConfigErrors> {
        Self::from_contents(path, std::fs::read(path))
    }

    /// Reads what was read of a file, or says why nothing was.
    pub(crate) fn from_contents(
        path: &Path,
        contents: io::Result<Vec<u8>>,
    ) -> Result<Self, ConfigErrors> {
        let name = path.display().to_string();
        let text = text_of(&name, contents)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        Self::read(&name, &text, directory, &environment)
    }

    /// Reads a text as if it were the file of that name.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, ConfigErrors> {
        let directory = Path::new(name).parent().unwrap_or(Path::new(""));
        Self::read(name, text, directory, &environment)
    }

    /// Settings that send every request to one server: a route named `default` with the defaults
    /// of everything. Without `listen` the program listens on 127.0.0.1:8080.
    pub fn to(url: &str, listen: Option<&str>) -> Result<Self, ConfigErrors> {
        let url = ServerUrl::from_text(url)
            .map_err(|problem| ConfigErrors::whole("the upstream's URL", problem))?;
        let listen = (listen.map(ListenAddress::from_text).transpose())
            .map_err(|problem| ConfigErrors::whole("the listen address", problem))?;
        let file = file_to(url, listen)
            .map_err(|problem| ConfigErrors::whole("the route to the URL", problem))?;
        let mut reader = Reader::new("", Path::new(""), &environment);
        let config = resolve::config(&file, &mut reader);
        match reader.finish() {
            (errors, _) if errors.is_empty() => Ok(config),
            (errors, _) => Err(ConfigErrors::new("the settings", String::new(), errors)),
        }
    }

    /// What is allowed but probably not meant, each with the line that it is about.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.warnings.iter().map(String::as_str)
    }

    /// Reads a text with everything that it depends on.
    pub(super) fn read(
        name: &str,
        text: &str,
        directory: &Path,
        environment: &Environment<'_>,
    ) -> Result<Self, ConfigErrors> {
        let (document, syntax) = DeTable::parse_recoverable(text);
        if !syntax.is_empty() {
            // Half a file would only give errors about the other half.
            let errors = syntax.iter().map(syntax_error).collect();
            return Err(ConfigErrors::new(name, mask::by_line(text), errors));
        }
        let span = document.span();
        let document = Spanned::new(span, DeValue::Table(document.into_inner()));
        let mut reader = Reader::new(text, directory, environment);
        let file = File::from_toml(&document, &mut reader).unwrap_or_default();
        let mut config = resolve::config(&file, &mut reader);
        let (errors, mut warnings) = reader.finish();
        if !errors.is_empty() {
            let masked = (document.get_ref().as_table())
                .map_or_else(String::new, |document| mask::by_value(text, document));
            return Err(ConfigErrors::new(name, masked, errors));
        }
        warnings.dedup();
        config.warnings = warnings;
        Ok(config)
    }
}

fn text_of(name: &str, contents: io::Result<Vec<u8>>) -> Result<String, ConfigErrors> {
    let bytes = contents.map_err(|error| ConfigErrors::unreadable(name, error))?;
    String::from_utf8(bytes)
        .map_err(|_| ConfigErrors::whole(name, Problem::new("this file is not UTF-8")))
}

fn environment(name: &str) -> Result<String, VarError> {
    std::env::var(name)
}

fn syntax_error(error: &toml::de::Error) -> ConfigError {
    let problem = Problem::new(error.message());
    match error.span() {
        Some(span) => ConfigError::at(span, problem),
        None => ConfigError::whole(problem),
    }
}

/// What a file with one route to one server says.
fn file_to(url: ServerUrl, listen: Option<ListenAddress>) -> Result<File, Problem> {
    const NAME: &str = "default";
    let servers = vec![given(ServerEntry { url, weight: 1 })];
    let upstream = UpstreamTable {
        servers: given(servers),
        ..UpstreamTable::default()
    };
    let route = RouteTable {
        name: given(Name(NAME.to_owned())),
        path: given(Parsed::from_text("/*")?),
        upstream: given(NAME.to_owned()),
        ..RouteTable::default()
    };
    let listen = listen.map(|address| ListenTable {
        address: given(address),
    });
    Ok(File {
        listen: given(listen.map(given).into_iter().collect()),
        upstream: given(Named(vec![(
            Spanned::new(0..0, NAME.to_owned()),
            given(upstream),
        )])),
        route: given(vec![given(route)]),
        ..File::default()
    })
}

/// A setting that stands in no file.
fn given<T>(value: T) -> Setting<T> {
    Setting::Given(Spanned::new(0..0, value))
}
