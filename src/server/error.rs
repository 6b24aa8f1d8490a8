//! What keeps the program from serving.

use std::io;

use super::logging::LogError;
use super::traces::TracesError;
use crate::BuildError;
use crate::acme::StateError;
use crate::server::lifecycle::handover::HandoverError;
use crate::server::lifecycle::signals::StopSignal;
use crate::server::listener::bind::BindError;
use crate::server::listener::passed::PassedError;

/// Why the program does not serve, or no longer does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The settings of the log are wrong.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The environment says something about traces that cannot be done.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// A listener could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A socket that the process was started with cannot be served.
    #[error(transparent)]
    Passed(#[from] PassedError),
    /// The process that serves could not be succeeded.
    #[error(transparent)]
    Handover(#[from] HandoverError),
    /// A certificate could not be ordered and kept.
    #[error(transparent)]
    Acme(#[from] StateError),
    /// The gate does not take the settings.
    #[error(transparent)]
    Gate(#[from] BuildError),
    /// The process cannot get what it needs of the system: threads, timers, signals.
    #[error("the process lacks a resource of the system")]
    System(#[source] io::Error),
    /// A second signal came before the drain was over.
    #[error("stopped by a second {0}")]
    Interrupted(StopSignal),
}

impl ServeError {
    /// The exit code of a process that ends with this.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Log(_) | Self::Traces(_) | Self::Gate(_) => 1,
            Self::Bind(_) | Self::Passed(_) | Self::Handover(_) => 2,
            Self::Acme(_) | Self::System(_) => 3,
            Self::Interrupted(signal) => signal.exit_code(),
        }
    }

    /// What a person can do about it, where that is known.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Bind(error) => error.help(),
            Self::Passed(error) => error.help(),
            Self::Handover(error) => error.help(),
            Self::Acme(error) => Some(error.help()),
            Self::Log(_) => Some(
                "a level is error, warn, info, debug or trace; a filter is like \"warn,wsgate=debug\"",
            ),
            Self::Traces(_) => Some(
                "traces are set by OpenTelemetry's environment variables; OTEL_SDK_DISABLED=true turns them off",
            ),
            Self::Gate(_) | Self::System(_) | Self::Interrupted(_) => None,
        }
    }
}
