//! Why a reload changed nothing.

use std::error::Error;

use serde::Serialize;
use utoipa::ToSchema;

use crate::ErrorReport;
use crate::config::ConfigErrors;
use crate::server::error::ServeError;

/// Settings that were not applied.
#[derive(Debug)]
pub(crate) enum Rejected {
    /// The file is wrong, or cannot be read.
    Wrong(ConfigErrors),
    /// The file is valid, but the process cannot apply it.
    Refused(ServeError),
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

impl Rejected {
    /// All errors, in the order of the file; at least one.
    pub(crate) fn errors(&self) -> Vec<SettingsError> {
        match self {
            Self::Wrong(errors) => {
                let cause = errors
                    .source()
                    .map(|cause| format!(": {}", ErrorReport(cause)));
                let cause = cause.unwrap_or_default();
                let places = errors.iter().map(|error| SettingsError {
                    file: Some(errors.name().to_owned()),
                    line: error.line(),
                    column: error.column(),
                    message: format!("{}{cause}", error.message()),
                    help: error.help().map(str::to_owned),
                });
                places.collect()
            }
            Self::Refused(error) => vec![SettingsError {
                file: None,
                line: None,
                column: None,
                message: ErrorReport(error).to_string(),
                help: error.help().map(str::to_owned),
            }],
        }
    }

    /// The errors for a person, as `wsgate check` shows them.
    pub(crate) fn render(&self) -> String {
        match self {
            Self::Wrong(errors) => errors.render(false),
            Self::Refused(error) => {
                let help = error.help().map(|help| format!("\nhelp: {help}"));
                format!(
                    "error: {}{}\n",
                    ErrorReport(error),
                    help.unwrap_or_default()
                )
            }
        }
    }

    /// One line of the log.
    pub(super) fn log(&self, trigger: &str) {
        let errors = self.errors();
        let sentences: Vec<_> = errors.iter().map(SettingsError::sentence).collect();
        tracing::error!(
            reason = "reload_rejected",
            trigger,
            errors = errors.len(),
            error = %sentences.join("; "),
            "reload rejected"
        );
    }
}

impl SettingsError {
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
