//! The ways to settings: a file, a text, a URL, a program in Rust.

#[cfg(feature = "server")]
pub(super) mod admin;
pub(super) mod file;
mod hints;
mod interpolate;
mod keys;
mod mask;
mod merge;
mod read;
mod reader;
mod syntax;
#[cfg(test)]
mod tests;

use std::env::VarError;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use self::file::FileError;
use self::interpolate::{Environment, expand};
use super::check;
use super::checked::Config;
use super::errors::ConfigErrors;
use super::report::{Node, Report};
use super::settings::Settings;
use super::settings::{RouteSettings, ServerEntry, UpstreamSettings};
use super::values::{ListenAddress, ValueError};

impl Config {
    /// Reads a file of at most 1 MiB, or a pipe. Relative paths in it begin at its directory, and
    /// `${NAME}` takes the environment variable `NAME`.
    pub fn from_file(path: &Path) -> Result<Self, ConfigErrors> {
        Self::from_contents(path, file::read_once(path))
    }

    /// Reads what was read of a file, or says why nothing was.
    pub(crate) fn from_contents(
        path: &Path,
        contents: Result<Vec<u8>, FileError>,
    ) -> Result<Self, ConfigErrors> {
        let name = path.display().to_string();
        let text = text_of(&name, contents)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        Self::read(&name, &text, directory, &environment)
    }

    /// Reads a stream to its end, as if it were the file of that name.
    pub fn from_reader(name: &str, stream: impl Read) -> Result<Self, ConfigErrors> {
        Self::from_contents(Path::new(name), file::read(stream))
    }

    /// Reads a text as if it were the file of that name.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, ConfigErrors> {
        let directory = Path::new(name).parent().unwrap_or(Path::new(""));
        Self::read(name, text, directory, &environment)
    }

    /// Reads a text that the operator did not write: `${NAME}` has no meaning in it, so that it cannot
    /// reach the environment.
    pub fn from_toml_without_variables(name: &str, text: &str) -> Result<Self, ConfigErrors> {
        let directory = Path::new(name).parent().unwrap_or(Path::new(""));
        Self::parse(name, text, directory, None)
    }

    /// Checks settings that a program built itself, or read from a format of its own.
    ///
    /// They are held to all that a file is held to. The errors name keys in the place of lines:
    /// `route[0].limits.message_size`. Relative paths begin where the process runs, and `${NAME}` has
    /// no meaning. A `rewrite` and the values of headers are taken as they are.
    ///
    /// ```
    /// use wsgate::{Config, Settings};
    ///
    /// let errors = Config::new(Settings::default()).unwrap_err();
    /// assert!(errors.to_string().contains("there is no route"));
    /// ```
    pub fn new(settings: Settings) -> Result<Self, ConfigErrors> {
        const NAME: &str = "the settings";
        // Written down and read as a file is, values are checked in one way only.
        let text = toml::to_string(&settings)
            .map_err(|error| ConfigErrors::whole(NAME, ValueError::new(error.to_string())))?;
        let (document, _) = DeTable::parse_recoverable(&text);
        let mut root = Spanned::new(0..0, DeValue::Table(document.into_inner()));
        let mut report = Report::new(None);
        let mut written = read::settings(&mut root, &mut report);
        if report.is_full() {
            return Err(report.incomplete(NAME, |_| String::new()));
        }
        written.take_secrets(settings);
        let root = Node::new(&root, "");
        let mut config = check::config(written, &root, Path::new(""), &mut report);
        config.warnings = report.finish(NAME, |_| String::new())?;
        Ok(config)
    }

    /// Settings that send every request to one server: a route named `default` with the defaults
    /// of everything. Without `listen` the program listens on 127.0.0.1:8080.
    pub fn to(url: &str, listen: Option<&str>) -> Result<Self, ConfigErrors> {
        const NAME: &str = "default";
        let server: ServerEntry =
            (url.parse()).map_err(|problem| ConfigErrors::whole("the upstream's URL", problem))?;
        let listen = (listen.map(str::parse).transpose())
            .map_err(|problem| ConfigErrors::whole("the listen address", problem))?;
        let path = ("/*".parse())
            .map_err(|problem| ConfigErrors::whole("the route to the URL", problem))?;
        let upstream = UpstreamSettings {
            servers: vec![server],
            ..UpstreamSettings::default()
        };
        let route = RouteSettings {
            name: NAME.to_owned(),
            path: Some(path),
            upstream: NAME.to_owned(),
            ..RouteSettings::default()
        };
        Self::new(Settings {
            listen: listen
                .map(|address: ListenAddress| address.into())
                .into_iter()
                .collect(),
            upstream: [(NAME.to_owned(), upstream)].into(),
            route: vec![route],
            ..Settings::default()
        })
    }

    /// Reads a text with everything that it depends on.
    pub(super) fn read(
        name: &str,
        text: &str,
        directory: &Path,
        environment: &Environment<'_>,
    ) -> Result<Self, ConfigErrors> {
        Self::parse(name, text, directory, Some(environment))
    }

    fn parse(
        name: &str,
        text: &str,
        directory: &Path,
        environment: Option<&Environment<'_>>,
    ) -> Result<Self, ConfigErrors> {
        let document = DeTable::parse(text).map_err(|first| syntax::errors(name, text, &first))?;
        let span = document.span();
        let mut root = Spanned::new(span, DeValue::Table(document.get_ref().clone()));
        let mut report = Report::new(Some(text));
        if let Some(environment) = environment {
            expand(&mut root, "", environment, &mut report);
        }
        merge::defaults(&mut root, &mut report);
        let settings = read::settings(&mut root, &mut report);
        let masked = |unknown: &[Range<usize>]| mask::by_value(text, document.get_ref(), unknown);
        if report.is_full() {
            // Much would be missing only because it was not read.
            return Err(report.incomplete(name, masked));
        }
        let root = Node::new(&root, "");
        let mut config = check::config(settings, &root, directory, &mut report);
        config.warnings = report.finish(name, masked)?;
        Ok(config)
    }
}

impl Settings {
    /// Puts the secrets of `other`, which are the same settings, in the place of their masks.
    fn take_secrets(&mut self, other: Self) {
        if let (Some(admin), Some(other)) = (&mut self.admin, other.admin) {
            admin.token = other.token;
        }
        if let (Some(publish), Some(other)) = (&mut self.publish, other.publish) {
            for (token, other) in publish.tokens.iter_mut().zip(other.tokens) {
                token.token = other.token;
            }
        }
        if let (Some(shared), Some(other)) = (&mut self.shared, other.shared) {
            shared.url = other.url;
        }
        for (name, other) in other.issuer {
            if let Some(issuer) = self.issuer.get_mut(&name) {
                issuer.secret = other.secret;
            }
        }
        for (route, other) in self.route.iter_mut().zip(other.route) {
            route.headers.set = other.headers.set;
        }
    }
}

fn text_of(name: &str, contents: Result<Vec<u8>, FileError>) -> Result<String, ConfigErrors> {
    let bytes = contents.map_err(|error| error.of(name))?;
    String::from_utf8(bytes)
        .map_err(|_| ConfigErrors::whole(name, ValueError::new("this file is not UTF-8")))
}

fn environment(name: &str) -> Result<String, VarError> {
    std::env::var(name)
}
