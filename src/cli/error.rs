//! Why a command failed: what to print, what to do next, and the exit code.

use std::error::Error;
use std::io;
use std::iter::successors;

use wsgate::config::{ConfigErrors, ValueError};
use wsgate::server::{ServeError, has_color};

/// The end of a command that was not carried out.
#[derive(Debug)]
pub(super) struct CommandError {
    report: Report,
    exit_code: u8,
}

/// What goes to standard error.
#[derive(Debug)]
enum Report {
    Nothing,
    Text(String),
    Error(Box<dyn Error + Send + Sync>, Option<String>),
}

/// The command line, the settings or the token are wrong, or the process refuses.
pub(super) const REJECTED: u8 = 1;

/// There is no connection, or no answer on it.
pub(super) const UNREACHABLE: u8 = 2;

/// The system refused something, such as to write the output.
pub(super) const SYSTEM: u8 = 3;

#[derive(Debug, thiserror::Error)]
#[error("the command lacks a resource of the system")]
struct SystemError(#[source] io::Error);

#[derive(Debug, thiserror::Error)]
#[error("the output cannot be written")]
struct OutputError(#[source] io::Error);

/// Its help stands in a line of its own.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message())]
struct OptionError(ValueError);

#[derive(Debug, thiserror::Error)]
#[error("the demo's settings are wrong")]
struct DemoError(#[source] ConfigErrors);

impl CommandError {
    /// Prints the error with its causes.
    pub(super) fn new(error: impl Error + Send + Sync + 'static, exit_code: u8) -> Self {
        Self {
            report: Report::Error(Box::new(error), None),
            exit_code,
        }
    }

    /// Prints what to do next as well.
    pub(super) fn with_help(mut self, help: Option<impl Into<String>>) -> Self {
        if let Report::Error(_, old) = &mut self.report {
            *old = help.map(Into::into);
        }
        self
    }

    /// Prints text that is complete.
    pub(super) fn rendered(text: String) -> Self {
        Self {
            report: Report::Text(text),
            exit_code: REJECTED,
        }
    }

    /// Prints nothing: the person has seen the reason.
    pub(super) fn silent(exit_code: u8) -> Self {
        Self {
            report: Report::Nothing,
            exit_code,
        }
    }

    pub(super) fn system(error: io::Error) -> Self {
        Self::new(SystemError(error), SYSTEM)
    }

    pub(super) fn demo(errors: ConfigErrors) -> Self {
        Self::new(DemoError(errors), REJECTED)
    }

    /// What is wrong with the value of an option.
    pub(super) fn option(problem: ValueError) -> Self {
        let help = problem.suggestion().map(str::to_owned);
        Self::new(OptionError(problem), REJECTED).with_help(help)
    }

    /// A reader that has gone, such as `head`, is no failure.
    pub(super) fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::silent(0),
            _ => Self::new(OutputError(error), SYSTEM),
        }
    }

    /// What to print to standard error.
    pub(super) fn text(&self) -> String {
        match &self.report {
            Report::Nothing => String::new(),
            Report::Text(text) => text.clone(),
            Report::Error(error, help) => {
                describe(&**error, help.as_deref(), has_color(&io::stderr()))
            }
        }
    }

    pub(super) fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl From<ConfigErrors> for CommandError {
    fn from(errors: ConfigErrors) -> Self {
        Self::rendered(errors.render(has_color(&io::stderr())))
    }
}

impl From<ServeError> for CommandError {
    fn from(error: ServeError) -> Self {
        let (exit_code, help) = (error.exit_code(), error.help());
        Self::new(error, exit_code).with_help(help)
    }
}

fn describe(error: &(dyn Error + 'static), help: Option<&str>, color: bool) -> String {
    let (red, cyan, plain) = match color {
        true => ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m"),
        false => ("", "", ""),
    };
    let mut text = format!("{red}error{plain}: {}\n", with_causes(error));
    if let Some(help) = help {
        text += &format!("{cyan}help{plain}: {help}\n");
    }
    text
}

/// The error and each of its causes, in one line.
pub(super) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = successors(Some(error), |&error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_printed_with_its_causes_and_what_to_do_next() {
        let error = OutputError(io::Error::other("in use"));
        assert_eq!(
            describe(&error, Some("choose another"), false),
            "error: the output cannot be written: in use\nhelp: choose another\n"
        );
        assert_eq!(
            describe(&error, None, true),
            "\x1b[1;31merror\x1b[0m: the output cannot be written: in use\n"
        );
    }
}
