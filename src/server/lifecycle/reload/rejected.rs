//! Why a reload changed nothing.

use std::error::Error;

use serde::Serialize;
use tokio::task::JoinError;
use utoipa::ToSchema;

use crate::ErrorReport;
use crate::config::ConfigErrors;
use crate::server::error::ServeError;

/// Settings that were not applied.
#[derive(Debug)]
pub(crate) enum Rejected {
    /// The file is wrong, or cannot be read.
    Wrong(WrongFile),
    /// Checking the file ended in a panic.
    Unchecked(JoinError),
    /// The file is valid, but the process cannot apply it.
    Refused(ServeError),
}

/// What is wrong with a file, written out.
#[derive(Debug)]
pub(crate) struct WrongFile {
    errors: Vec<SettingsError>,
    /// With those that are left out.
    found: usize,
    rendered: String,
    log: String,
}

/// One error, with its place in the file where it has one.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct SettingsError {
    pub(crate) file: Option<String>,
    pub(crate) line: Option<usize>,
    pub(crate) column: Option<usize>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Errors in a line of the log.
const MOST_LOGGED: usize = 10;

impl Rejected {
    /// Writes the errors of a file out, which takes a while where they are many.
    pub(super) fn wrong(errors: &ConfigErrors) -> Self {
        let cause = errors
            .source()
            .map(|cause| format!(": {}", ErrorReport(cause)));
        let cause = cause.unwrap_or_default();
        let written: Vec<_> = errors
            .iter()
            .map(|error| SettingsError {
                file: Some(errors.name().to_owned()),
                line: error.line(),
                column: error.column(),
                message: format!("{}{cause}", error.message()),
                help: error.help().map(str::to_owned),
            })
            .collect();
        let sentences = written
            .iter()
            .take(MOST_LOGGED)
            .map(SettingsError::sentence);
        let rest = errors.rest(written.len().min(MOST_LOGGED));
        let log: Vec<_> = sentences.chain(rest).collect();
        Self::Wrong(WrongFile {
            errors: written,
            found: errors.found(),
            rendered: errors.render(false),
            log: log.join("; "),
        })
    }

    /// The first errors, in the order of the file; at least one.
    pub(crate) fn into_errors(self) -> Vec<SettingsError> {
        match self {
            Self::Wrong(wrong) => wrong.errors,
            Self::Unchecked(error) => vec![SettingsError::whole(&error, None)],
            Self::Refused(error) => vec![SettingsError::whole(&error, error.help())],
        }
    }

    /// How many errors there are, with those that are left out.
    pub(crate) fn found(&self) -> usize {
        match self {
            Self::Wrong(wrong) => wrong.found,
            Self::Unchecked(_) | Self::Refused(_) => 1,
        }
    }

    /// The errors for a person, as `wsgate check` shows them.
    pub(crate) fn render(&self) -> String {
        match self {
            Self::Wrong(wrong) => wrong.rendered.clone(),
            Self::Unchecked(error) => SettingsError::whole(error, None).rendered(),
            Self::Refused(error) => SettingsError::whole(error, error.help()).rendered(),
        }
    }

    /// One line of the log.
    pub(super) fn log(&self, trigger: &str) {
        let sentence = match self {
            Self::Wrong(wrong) => wrong.log.clone(),
            Self::Unchecked(error) => SettingsError::whole(error, None).sentence(),
            Self::Refused(error) => SettingsError::whole(error, error.help()).sentence(),
        };
        tracing::error!(
            reason = "reload_rejected",
            trigger,
            errors = self.found(),
            error = sentence,
            "reload rejected"
        );
    }
}

impl SettingsError {
    /// An error of no place in the file.
    fn whole(error: &(dyn Error + 'static), help: Option<&str>) -> Self {
        Self {
            file: None,
            line: None,
            column: None,
            message: ErrorReport(error).to_string(),
            help: help.map(str::to_owned),
        }
    }

    fn rendered(&self) -> String {
        let help = self.help.as_ref().map(|help| format!("\nhelp: {help}"));
        format!("error: {}{}\n", self.message, help.unwrap_or_default())
    }

    /// `file:line:column: message (help)`.
    fn sentence(&self) -> String {
        let mut sentence = String::new();
        if let Some(file) = &self.file {
            sentence.push_str(file);
            if let (Some(line), Some(column)) = (self.line, self.column) {
                sentence.push_str(&format!(":{line}:{column}"));
            }
            sentence.push_str(": ");
        }
        sentence.push_str(&self.message);
        if let Some(help) = &self.help {
            sentence.push_str(&format!(" ({help})"));
        }
        sentence
    }
}
