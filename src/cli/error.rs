//! Why a command was not carried out, and what a person can do about it.

use std::io;
use std::path::PathBuf;

use http::StatusCode;
use wsgate::config::ConfigErrors;
use wsgate::server::{ServeError, has_color};

use super::client::Place;
use super::target::{DEFAULT_FILE, TokenSource};
use super::terminal::complain;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct CommandError(Box<Failure>);

/// Each way to fail.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Settings(ConfigErrors),
    #[error("the demo's settings are wrong")]
    Demo(#[source] ConfigErrors),
    #[error(transparent)]
    Serve(ServeError),
    #[error("there is no {DEFAULT_FILE} here, and nothing else says which wsgate is meant")]
    NoDefaultFile,
    #[error("{} has no [admin], so the process that runs by it takes no commands", .0.display())]
    NoAdminTable(PathBuf),
    #[error("{} says port 0, so that nobody knows the port but the log", .0.display())]
    NoPort(PathBuf),
    #[error("the token in {} cannot be read", .file.display())]
    TokenFile { file: PathBuf, source: io::Error },
    #[error("{0} holds no token that could be sent")]
    Token(TokenSource),
    #[error("nothing listens on {0}")]
    NobodyListens(Place),
    #[error("{place} cannot be reached")]
    Connect { place: Place, source: io::Error },
    #[error("the connection to {place} broke")]
    Broken { place: Place, source: hyper::Error },
    #[error("no answer from {0} in time")]
    Late(Place),
    #[error("the answer from {0} is longer than any of wsgate's")]
    TooLong(Place),
    #[error("what answers on {0} is not the admin interface of this wsgate")]
    Strange(Place),
    #[error("the admin interface on {place} wants {}", .token.wanted())]
    Unauthorized { place: Place, token: TokenSource },
    /// What the admin interface says about it.
    #[error("{sentence}")]
    Refused {
        status: StatusCode,
        sentence: String,
    },
    /// The errors of a file, as `check` shows them.
    #[error("the settings are wrong")]
    Rejected(String),
    #[error("no such session: {0}")]
    NoSuchSession(String),
    #[error("nothing was closed")]
    NotConfirmed,
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
    /// Whoever reads has read enough.
    #[error("nobody reads the output")]
    ReaderGone,
    #[error("the system refused what the command needs")]
    System(#[source] io::Error),
    /// A signal ended what else would go on; the exit code is as a shell tells it.
    #[error("stopped by a signal")]
    Interrupted { exit_code: u8 },
}

impl CommandError {
    pub(super) fn system(error: io::Error) -> Self {
        Failure::System(error).into()
    }

    /// Whether there is no process any more, or none yet, that could answer.
    pub(super) fn is_gone(&self) -> bool {
        matches!(*self.0, Failure::NobodyListens(_))
    }

    /// Whether the next try may be answered, or else tell more.
    pub(super) fn is_passing(&self) -> bool {
        match &*self.0 {
            Failure::Broken { .. } | Failure::Connect { .. } => true,
            Failure::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
            _ => false,
        }
    }

    /// Tells the person on standard error, and returns the exit code.
    pub(super) fn print(&self) -> u8 {
        match &*self.0 {
            Failure::ReaderGone | Failure::Interrupted { .. } => {}
            Failure::Settings(errors) => eprint!("{}", errors.render(has_color(&io::stderr()))),
            Failure::Rejected(rendered) => eprint!("{rendered}"),
            failure => complain(failure, failure.help().as_deref()),
        }
        self.0.exit_code()
    }
}

impl From<Failure> for CommandError {
    fn from(failure: Failure) -> Self {
        Self(Box::new(failure))
    }
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::ReaderGone => 0,
            Self::Serve(error) => error.exit_code(),
            Self::Settings(_)
            | Self::Demo(_)
            | Self::NoDefaultFile
            | Self::NoAdminTable(_)
            | Self::NoPort(_)
            | Self::TokenFile { .. }
            | Self::Token(_)
            | Self::TooLong(_)
            | Self::Strange(_)
            | Self::Unauthorized { .. }
            | Self::Refused { .. }
            | Self::Rejected(_)
            | Self::NoSuchSession(_)
            | Self::NotConfirmed => 1,
            Self::NobodyListens(_) | Self::Connect { .. } | Self::Broken { .. } | Self::Late(_) => {
                2
            }
            Self::Output(_) | Self::System(_) => 3,
            Self::Interrupted { exit_code } => *exit_code,
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Serve(error) => error.help()?,
            Self::NoDefaultFile => {
                "say where its settings are with --config FILE, or where it listens with \
                 --admin ADDRESS"
            }
            Self::NoAdminTable(_) => {
                "add `[admin]` with `address = \"127.0.0.1:9900\"`, and have the file read again \
                 (SIGHUP)"
            }
            Self::NoPort(_) => {
                "give the address that the log names in `admin interface listening`, with \
                 --admin ADDRESS"
            }
            Self::Token(_) => "a token is one line of printable ASCII",
            Self::NobodyListens(_) => "is wsgate running, and does its file have [admin]?",
            Self::Strange(_) => "is this the address of [admin], and is wsgate as new as this one?",
            Self::Unauthorized { token, .. } => return Some(token.help()),
            Self::NotConfirmed => "answer `y`, or use --yes",
            _ => return None,
        };
        Some(help.to_owned())
    }
}
